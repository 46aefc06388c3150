"""Data sets that were uploaded: zips of pictures or sounds, each kept once, by its hash."""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nas.service.checked_zip import check_zip
from nas.service.settings import ServiceSettings
from nas.storage.database import now
from nas.storage.files import os_errors_explained, write_atomically
from nas.training.data import describe
from search_spaces.core.errors import NotFound, Refused, WrongUse

PREFIX = "dataset:"
_CHUNK = 1 << 20
_ID = re.compile(r"[0-9a-f]{16}")
_ARRIVING = ".arriving-"


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
        arriving = self.folder / f"{_ARRIVING}{secrets.token_hex(6)}.zip"
        try:
            digest = self._receive(content, arriving)
            if not (self.folder / digest / "about.json").is_file():
                check_zip(arriving)
                self._keep(arriving, digest, name)
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

    def _keep(self, arriving: Path, digest: str, name: str) -> None:
        """Puts file and description into a folder, which then takes its place at once: whole, or not there."""
        about = describe(arriving).to_json()
        del about["source"]
        size, slug = arriving.stat().st_size, _slug(name)
        document = {"id": digest, "name": slug, "bytes": size, "added": now(), **about}
        made = arriving.with_suffix("")
        with os_errors_explained(made):
            made.mkdir()
            try:
                arriving.replace(made / f"{slug}.zip")
                write_atomically(made / "about.json", json.dumps(document, indent=2))
                try:
                    made.rename(self.folder / digest)
                except OSError:
                    if not (self.folder / digest / "about.json").is_file():  # or the same was sent twice at once
                        raise
            finally:
                shutil.rmtree(made, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Removes what a killed service left. Only for who alone writes here."""
        for path in self.folder.glob(f"{_ARRIVING}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

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
        going = self.folder / f"{_ARRIVING}{dataset}"
        with os_errors_explained(going):
            (self.folder / dataset).rename(going)
            shutil.rmtree(going)

    def resolved(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration's values with `dataset:ID` as its path."""
        data = values.get("data")
        if isinstance(data, str) and data.startswith(PREFIX):
            return {**values, "data": str(self.path(data.removeprefix(PREFIX)))}
        return dict(values)


def _slug(name: str) -> str:
    stem = PurePosixPath(name.replace("\\", "/")).name.removesuffix(".zip").lower()
    return re.sub(r"[^a-z0-9]+", "-", stem)[:40].strip("-") or "pictures"
