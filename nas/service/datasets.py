"""Data sets that were uploaded: zips of pictures or sounds, each kept once, by its hash."""

import hashlib
import json
import re
import shutil
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nas.service.settings import ServiceSettings
from nas.storage.files import os_errors_explained, write_atomically
from nas.storage.service_store import now
from nas.training.data import describe
from search_spaces.core.errors import NotFound, Refused, WrongUse

PREFIX = "dataset:"
MOST_ENTRIES = 500_000
MOST_UNPACKED_BYTES = 64 << 30
MOST_TIMES_SMALLER = 200
"""Pictures and sounds hardly shrink in a zip; what shrinks more than this is made to fill a disk."""

_CHUNK = 1 << 20
_ID = re.compile(r"[0-9a-f]{16}")
_RATIO_FROM_BYTES = 1 << 20


@dataclass(frozen=True)
class Datasets:
    """The uploaded data sets of one service, below `.service/datasets`."""

    settings: ServiceSettings

    @property
    def folder(self) -> Path:
        """Where they are kept, a folder each."""
        return self.settings.state / "datasets"

    def add(self, content: BinaryIO, name: str) -> dict[str, Any]:
        """Keeps a zip that can be trained on, once; the document of `find`.

        `WrongUse` for what is no zip of class folders, for links or paths that lead out, and for one made to fill a
        disk. Nothing of it is unpacked.
        """
        with os_errors_explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        arriving = self.folder / f".arriving-{id(content):x}.zip"
        try:
            digest = self._receive(content, arriving)
            place = self.folder / digest
            if not (place / "about.json").is_file():
                _check_zip(arriving)
                self._keep(arriving, place, name)
        finally:
            arriving.unlink(missing_ok=True)
        return self.find(digest)

    def _receive(self, content: BinaryIO, path: Path) -> str:
        digest, taken = hashlib.sha256(), 0
        with os_errors_explained(path), path.open("wb") as file:
            while chunk := content.read(_CHUNK):
                taken += len(chunk)
                if taken > self.settings.most_upload_bytes:
                    raise WrongUse(f"a data set has at most {self.settings.most_upload_bytes:,} bytes here")
                digest.update(chunk)
                file.write(chunk)
        return digest.hexdigest()[:16]

    def _keep(self, arriving: Path, place: Path, name: str) -> None:
        description = describe(arriving)
        place.mkdir(exist_ok=True)
        kept = place / f"{_slug(name)}.zip"
        size = arriving.stat().st_size
        shutil.move(arriving, kept)
        about = description.to_json()
        del about["source"]
        document = {"id": place.name, "name": kept.stem, "bytes": size, "added": now(), **about}
        write_atomically(place / "about.json", json.dumps(document, indent=2))

    def all(self) -> list[dict[str, Any]]:
        """All, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = [self.find(path.parent.name) for path in self.folder.glob("*/about.json")]
        return sorted(found, key=lambda each: (each["added"], each["id"]))

    def find(self, dataset: str) -> dict[str, Any]:
        """What is known of one: id, name, bytes, classes, counts; `NotFound` where there is none of that id."""
        about = self.folder / dataset / "about.json"
        if not _ID.fullmatch(dataset) or not about.is_file():
            raise NotFound(f"there is no data set '{dataset[:40]}' here; upload it, or list them: GET /api/v1/datasets")
        document: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        return document

    def path(self, dataset: str) -> Path:
        """Its file."""
        return self.folder / dataset / f"{self.find(dataset)['name']}.zip"

    def delete(self, dataset: str, used_by: list[str]) -> None:
        """Removes one; `Refused` while runs use it."""
        self.find(dataset)
        if used_by:
            raise Refused(f"the data set {dataset} is used by {', '.join(used_by)}; delete these runs first")
        shutil.rmtree(self.folder / dataset)

    def resolved(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration's values with `dataset:ID` as its path."""
        data = values.get("data")
        if isinstance(data, str) and data.startswith(PREFIX):
            return {**values, "data": str(self.path(data.removeprefix(PREFIX)))}
        return dict(values)


def _slug(name: str) -> str:
    stem = PurePosixPath(name.replace("\\", "/")).name.removesuffix(".zip").lower()
    return re.sub(r"[^a-z0-9]+", "-", stem)[:40].strip("-") or "pictures"


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as opened:
            entries = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise WrongUse(f"this is no zip that can be read ({error}); send a zip of class folders") from None
    if len(entries) > MOST_ENTRIES:
        raise WrongUse(f"a data set has at most {MOST_ENTRIES:,} files, this zip has {len(entries):,}")
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or re.match(r"[a-zA-Z]:", entry.filename):
            raise WrongUse(f"the name {entry.filename[:80]!r} leads out of the zip; pack the folder anew")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise WrongUse(f"{entry.filename[:80]!r} is a link, which is not followed; pack the files themselves")
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(path.stat().st_size, 1)
    if unpacked > MOST_UNPACKED_BYTES or (unpacked > _RATIO_FROM_BYTES and unpacked > MOST_TIMES_SMALLER * packed):
        raise WrongUse(
            f"this zip unpacks to {unpacked:,} bytes, {unpacked / packed:,.0f} times its size; at most "
            f"{MOST_TIMES_SMALLER} times and {MOST_UNPACKED_BYTES:,} bytes are taken"
        )
