"""Trials, a disk that is really small and a real PostgreSQL server, for the tests of this folder."""

import errno
import importlib.util
import io
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.core.trial import Trial
from search_spaces.core.architecture import Architecture

SMALL_DISK_BYTES = 1 << 20


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    def make(number: int, state: str = "complete", **metrics: float) -> Trial:
        architecture = Architecture("toy", {"classes": 10}, {"kernel": 3, "width": 0.5, "number": number})
        return Trial(number, architecture, state, metrics)  # type: ignore[arg-type]

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; skips where the test may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no mount command")
    options = f"size={SMALL_DISK_BYTES}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def fill() -> Callable[[Path], Path]:
    def until_full(folder: Path) -> Path:
        """Fills the disk of `folder` to the last page; the file to delete."""
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            while _written(file, b"x" * 4096):
                pass
        return filler

    return until_full


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A temporary PostgreSQL server on a Unix socket; skips where there is none or it may not run."""
    programs = [shutil.which(program) for program in ("initdb", "pg_ctl")]
    if None in programs or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs initdb, pg_ctl and psycopg")
    account = _account_for_postgres()
    with tempfile.TemporaryDirectory(prefix="pg") as name:  # a short path: sockets allow about 100 characters
        folder = Path(name)
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)

        def call(*command: object) -> None:
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
            done = subprocess.run([*map(str, command)], cwd=folder, stdout=subprocess.DEVNULL, timeout=60, **who)  # type: ignore[call-overload]
            if done.returncode:
                pytest.skip(f"{command[0]} does not run here")

        call(programs[0], "-D", folder / "data", "-A", "trust", "-U", "fitnas", "--no-sync")
        options = f"-F -c listen_addresses='' -k {folder}"
        call(programs[1], "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql://fitnas:secret@/postgres?host={folder}"
        finally:
            call(programs[1], "-D", folder / "data", "-w", "-m", "immediate", "stop")


def _written(file: io.RawIOBase, block: bytes) -> bool:
    try:
        return file.write(block) == len(block)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


def _account_for_postgres() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: its own account, else nobody; None for whoever is not root."""
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    return accounts.get("postgres") or accounts["nobody"]
