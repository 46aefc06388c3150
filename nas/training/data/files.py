"""Where picture files are read from: a folder or a zip. Nothing is ever unpacked to the disk."""

import os
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from search_spaces.core.errors import FitnasError, WrongUse

NO_FILE = "not a regular file"
LINKED_TWICE = "a link to a folder that was read already"
ENCRYPTED = "encrypted"
LEAVES_ARCHIVE = "a name that leaves the archive"


class Files(Protocol):
    """Files by name (with `/`); `skipped` names by reason what cannot be opened as a file at all."""

    names: list[str]
    folders: list[str]
    skipped: dict[str, list[str]]

    def byte_count(self, name: str) -> int:
        """The file's size in bytes."""
        ...

    def open(self, name: str) -> BinaryIO:
        """The file's content as a seekable stream."""
        ...

    def close(self) -> None:
        """Lets go of the archive."""
        ...


class FolderFiles:
    """The regular files below a folder. Links are followed, each folder is read once.

    A folder that cannot be listed is an error: leaving it out would silently lose a class.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.names: list[str] = []
        self.folders: list[str] = []
        self.skipped: dict[str, list[str]] = {}
        self._byte_counts: dict[str, int] = {}
        seen: set[tuple[int, int]] = set()
        waiting = [""]
        while waiting:
            waiting += self._read_folder(waiting.pop(), seen)

    def byte_count(self, name: str) -> int:
        """The file's size in bytes when the folder was listed."""
        return self._byte_counts[name]

    def open(self, name: str) -> BinaryIO:
        """The file, open for reading."""
        return (self._root / name).open("rb")

    def close(self) -> None:
        """Nothing is held open."""

    def _read_folder(self, name: str, seen: set[tuple[int, int]]) -> list[str]:
        """Adds the files of one folder; returns the folders in it, last name first, unless it was read before."""
        folder = self._root / name
        try:
            facts = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise FitnasError(
                f"the folder {folder} cannot be read ({error.strerror}); "
                "give it read permission or take it out of the data set"
            ) from error
        if (facts.st_dev, facts.st_ino) in seen:
            self.skipped.setdefault(LINKED_TWICE, []).append(name)
            return []
        seen.add((facts.st_dev, facts.st_ino))
        inside = []
        for entry in entries:
            inner = f"{name}/{entry.name}".lstrip("/")
            if entry.is_dir():
                inside.append(inner)
            else:
                self._add(entry, inner)
        self.folders += inside
        return [inner for inner in reversed(inside) if not inner.rpartition("/")[2].startswith(".")]

    def _add(self, entry: "os.DirEntry[str]", name: str) -> None:
        """Adds a regular file; a socket, a pipe or a dangling link is named instead: opening it could wait for ever."""
        try:
            facts = entry.stat()
        except OSError:
            self.skipped.setdefault(NO_FILE, []).append(name)
            return
        if stat.S_ISREG(facts.st_mode):
            self.names.append(name)
            self._byte_counts[name] = facts.st_size
        else:
            self.skipped.setdefault(NO_FILE, []).append(name)


class ZipFiles:
    """The members of a zip, read from memory. Of two members with one name the later counts, as when unpacking."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise WrongUse(f"{path} is not a readable zip ({error}); pack it again, or give the folder") from error
        self.skipped: dict[str, list[str]] = {}
        self.folders: list[str] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            self._add(member)
        self.names = list(self._members)

    def byte_count(self, name: str) -> int:
        """The member's unpacked size in bytes, as the archive declares it; more is never read."""
        return self._members[name].file_size

    def open(self, name: str) -> BinaryIO:
        """The member as a stream; reading it to its end checks its checksum (`zipfile.BadZipFile`)."""
        return cast(BinaryIO, self._zip.open(self._members[name]))

    def close(self) -> None:
        """Closes the archive."""
        self._zip.close()

    def _add(self, member: zipfile.ZipInfo) -> None:
        """Adds one member, or names why not."""
        name = member.filename.replace("\\", "/").removeprefix("./")
        if name.endswith("/"):
            self.folders.append(name.rstrip("/"))
        elif name.startswith("/") or ".." in name.split("/"):
            self.skipped.setdefault(LEAVES_ARCHIVE, []).append(name)
        elif member.flag_bits & 1:
            self.skipped.setdefault(ENCRYPTED, []).append(name)
        else:
            self._members[name] = member


def open_files(path: Path) -> Files:
    """The files of a folder or of a zip."""
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)
