import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from nas.training.data.files import LEAVES_ARCHIVE, LINKED_TWICE, NO_FILE, FolderFiles, ZipFiles, open_files
from search_spaces.core.errors import FitnasError, WrongUse


def test_a_folder_lists_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.png").write_bytes(b"123")
    (tmp_path / "2.png").write_bytes(b"")
    files = open_files(tmp_path)
    assert sorted(files.names) == ["2.png", "a/b/1.png"]
    assert sorted(files.folders) == ["a", "a/b"]
    assert files.byte_count("a/b/1.png") == 3
    with files.open("a/b/1.png") as stream:
        assert stream.read() == b"123"


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"1")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    files = FolderFiles(tmp_path)
    assert files.names == ["a/1.png"]
    assert files.skipped == {NO_FILE: ["dangling.png"], LINKED_TWICE: ["a/loop"]}


def test_a_pipe_is_named_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.png")
    assert FolderFiles(tmp_path).skipped == {NO_FILE: ["1.png"]}


def test_a_folder_that_cannot_be_read_is_an_error() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "cat").mkdir(mode=0o000)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65534)
        try:
            with pytest.raises(FitnasError, match="cat cannot be read"):
                FolderFiles(root)
        finally:
            if was_root:
                os.seteuid(0)
            (root / "cat").chmod(0o755)


def test_a_zip_lists_its_members_and_refuses_names_that_leave_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("cat/1.png", b"123")
        archive.writestr("dog\\1.png", b"4")
        archive.writestr("../../evil.png", b"5")
        archive.writestr("/etc/evil.png", b"6")
        archive.mkdir("bird")
    files = open_files(tmp_path / "x.zip")
    assert sorted(files.names) == ["cat/1.png", "dog/1.png"]
    assert files.folders == ["bird"]
    assert files.skipped == {LEAVES_ARCHIVE: ["../../evil.png", "/etc/evil.png"]}
    assert files.byte_count("cat/1.png") == 3
    with files.open("cat/1.png") as stream:
        assert stream.read() == b"123"
    files.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"]


def test_of_two_members_with_one_name_the_later_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("1.png", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("1.png", b"newer")
    files = ZipFiles(tmp_path / "x.zip")
    assert files.names == ["1.png"]
    assert files.byte_count("1.png") == 5
    files.close()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut short"])
def test_what_is_no_zip_is_wrong_use(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(WrongUse, match="is not a readable zip"):
        ZipFiles(tmp_path / "x.zip")
