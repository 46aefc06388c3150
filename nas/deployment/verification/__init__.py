"""What an export promised, measured again. One file here is one kind of artifact, found by its name.

It has `MARK`, the name of the file by which a folder is known as its kind, and `verify(folder, manifest)`, which gives
the `Check`s of that folder: what was promised, what was measured, and how. A check that needs a tool which is missing
is given all the same, with `measured` None and, in `how`, the package that brings the tool. A file that is damaged is
an error with its name. Limits of the run's budget need no file: what is measured under a limited column is held to it.
"""

import importlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.storage.files import write_atomically
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.by_file import file_names
from search_spaces.core.errors import BrokenPromise, FitnasError, NotFound, WrongUse

_NOT_KINDS = {"counting"}
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Check:
    """One figure. `figure`: a column of the manifest's promise, or what else is checked. `tolerance`: as a fraction of
    the promise; `at_most`: the promise is a limit. `measured` None: it could not be, `how` says what is missing.
    """

    figure: str
    promised: float
    measured: float | None
    how: str
    tolerance: float = 0.0
    at_most: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether the promise is kept; None where nothing was measured. NaN keeps none."""
        if self.measured is None:
            return None
        if self.at_most:
            return self.measured <= self.promised
        return abs(self.measured - self.promised) <= self.tolerance * abs(self.promised)

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True)
class Verification:
    """All checks of one folder."""

    folder: Path
    kind: str
    checks: tuple[Check, ...]

    @property
    def broken(self) -> list[Check]:
        """Those whose promise is not kept."""
        return [check for check in self.checks if check.holds is False]

    def to_document(self) -> dict[str, Any]:
        """What `--json` prints and the manifest keeps."""
        return {
            "kind": self.kind,
            "holds": not self.broken,
            "checks": [check.to_document() for check in self.checks],
        }

    def raise_broken(self) -> None:
        """`BrokenPromise` that names each figure which is not what was promised."""
        if self.broken:
            told = "; ".join(
                f"{check.figure}: {check.measured:,.6g} measured, {'at most ' if check.at_most else ''}"
                f"{check.promised:,.6g} promised"
                for check in self.broken
            )
            raise BrokenPromise(f"{self.folder} does not keep its promise: {told}")


def kind_names() -> list[str]:
    """The kinds of artifacts that can be verified, sorted; none is imported."""
    return file_names(__path__, _NOT_KINDS)


def verify_folder(folder: Path) -> Verification:
    """Measures what a folder promises, and writes what was measured into its manifest as `verified`.

    `NotFound` where it is no export, `WrongUse` where nothing of its kind can be verified.
    """
    manifest = _read_manifest(folder)
    name, module = _kind_of(folder)
    checks = tuple(module.verify(folder, manifest))
    found = Verification(folder, name, (*checks, *_limits(manifest, checks)))
    document = {**manifest, "verified": found.to_document()}
    write_atomically(folder / _MANIFEST, json.dumps(document, indent=2) + "\n")
    return found


def _kind_of(folder: Path) -> tuple[str, ModuleType]:
    marks = {}
    for name in kind_names():
        module = importlib.import_module(f"{__name__}.{name}")
        marks[name] = module.MARK
        if (folder / module.MARK).is_file():
            return name, module
    known = ", ".join(f"{mark} ({name})" for name, mark in marks.items())
    raise WrongUse(f"{folder} holds nothing that can be verified; known by their files: {known}")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise NotFound(f"{folder} is no export: {_MANIFEST} is missing; nas export RUN --out {folder} writes one")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or not isinstance(manifest["promised"], dict):
            raise ValueError("it promises nothing")
    except (ValueError, KeyError) as error:
        raise FitnasError(f"{path} is damaged ({error}); export the network again") from None
    return manifest


def _limits(manifest: dict[str, Any], checks: Sequence[Check]) -> list[Check]:
    """The budget's limits on what was measured and is better when it is less."""
    measured = {check.figure: check for check in checks if check.measured is not None}
    found = []
    for column, limit in manifest.get("limits", {}).items():
        metric = METRIC_OF_COLUMN.get(column)
        if metric is not None and metric.better == "less" and column in measured:
            name = f"budget {metric.key}"
            found.append(Check(name, float(limit), measured[column].measured, measured[column].how, at_most=True))
    return found
