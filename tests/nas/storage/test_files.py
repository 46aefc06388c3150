import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nas.storage.files import os_errors_explained, remove_leftovers, write_atomically
from search_spaces.core.errors import FitnasError, NotFound


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_content_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, "eins ü")
    assert path.read_bytes() == "eins ü".encode()
    write_atomically(path, b"\0two")
    assert path.read_bytes() == b"\0two"
    assert names_in(tmp_path) == ["a.json"]


def test_the_file_has_the_modes_that_the_user_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), "x")
    assert (tmp_path / ("n" * 255)).read_text() == "x"


def test_a_missing_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        write_atomically(tmp_path / "none" / "a", "x")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(small_disk: Path) -> None:
    path = small_disk / "pareto.json"
    write_atomically(path, "old")
    with pytest.raises(FitnasError, match=r"disk is full.*nothing recorded was lost.*nas resume signs"):
        write_atomically(path, b"x" * (2 << 20), run="signs")
    assert path.read_text() == "old"
    assert names_in(small_disk) == ["pareto.json"]
    write_atomically(path, "new")
    assert path.read_text() == "new"


def test_a_limit_on_file_size_reads_as_a_full_disk(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\n"
        "from nas.storage.files import write_atomically\n"
        "from search_spaces.core.errors import FitnasError\n"
        "try:\n    write_atomically(pathlib.Path(sys.argv[1]), b'x' * 200_000)\n"
        "except FitnasError as error:\n    print(error)\n"
    )
    path = tmp_path / "a"
    path.write_text("old")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run([sys.executable, "-c", script, str(path)], preexec_fn=limit, capture_output=True, text=True)
    assert "disk is full" in done.stdout, done.stderr
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a"]


def test_a_refused_write_says_so(tmp_path: Path) -> None:
    with pytest.raises(FitnasError, match="owner and permissions"), os_errors_explained(tmp_path):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(FitnasError, match=r"check the disk.*nas resume signs"), os_errors_explained(tmp_path, "signs"):
        raise OSError(5, "Input/output error")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FitnasError, match="folder"):
        write_atomically(tmp_path / "folder", "x")
    assert names_in(tmp_path) == ["folder"]


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".tmp-1-abc").write_text("half")
    (tmp_path / "kept").write_text("x")
    remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["kept"]
