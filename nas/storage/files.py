"""Files that are whole or absent: writing through a temporary file in the same folder."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search_spaces.core.errors import FitnasError, NotFound, WrongUse

_TEMPORARY_PREFIX = ".tmp-"
_DISK_IS_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def disk_full_message(path: Path | str, run: str) -> str:
    """What to tell where the disk of `path` is full; `run` is the name to resume."""
    return (
        f"the disk is full or a quota is used up (writing {path}); nothing recorded was lost; free space and type: "
        f"nas resume {run}"
    )


@contextmanager
def os_errors_explained(path: Path, run: str = "") -> Iterator[None]:
    """Turns an `OSError` of the body into a `FitnasError` with the way out; `NotFound` where `path` is missing.

    `run` is the name to resume; without one it is that of the run whose folder `path` lies in.
    """
    run = run or _run_around(Path(path))
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{error.filename or path} does not exist; check the name and the folder") from error
    except OSError as error:
        if error.errno in _DISK_IS_FULL:
            raise FitnasError(disk_full_message(path, run)) from error
        if error.errno in _NOT_ALLOWED:
            reason = f"({error.strerror}); check its owner and permissions"
            raise FitnasError(f"{path} cannot be written {reason}, then type: nas resume {run}") from error
        raise FitnasError(f"{path}: {error.strerror or error}; check the disk, then type: nas resume {run}") from error


def _run_around(path: Path) -> str:
    return next((folder.name for folder in path.parents if (folder / "config.toml").is_file()), "RUN")


def write_atomically(path: Path, data: bytes | str, run: str = "") -> None:
    """Writes `data` (text as UTF-8) so that `path` holds the old content or the new one, never a part of it.

    After the return it survives a power cut. `FitnasError` where it fails, for example on a full disk: the old file
    stands and no temporary file stays. `run`: see `os_errors_explained`.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    temporary = path.with_name(f"{_TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}")
    with os_errors_explained(path, run):
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)


def check_free(out: Path, force: bool) -> None:
    """`WrongUse` where a file to write is there already and `force` is not given, or its folder is missing."""
    if out.is_dir():
        raise WrongUse(f"{out} is a folder; give the name of a file in it")
    if out.exists() and not force:
        raise WrongUse(f"{out} exists already; replace it with --force, or give another name")
    if not out.parent.is_dir():
        raise WrongUse(f"the folder {out.parent} does not exist; make it first, or give another name")


def check_free_folder(folder: Path, force: bool) -> None:
    """`WrongUse` where files are in the way of a folder's: with `force` those of equal names are replaced."""
    if folder.exists() and not folder.is_dir():
        raise WrongUse(f"{folder} is not a folder; give another --out")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise WrongUse(f"{folder} exists and is not empty; give another --out, or replace its files with --force")


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files that a killed process left in `folder`. Only for who alone writes there."""
    for leftover in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself durable, where the system can (Windows cannot open a folder)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
