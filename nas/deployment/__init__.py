"""What a member becomes outside: one file is one format; it exports `export`."""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

from nas.run import StoredRun
from search_spaces.core.errors import WrongUse, unknown

_NOT_FORMATS = {"artifact"}


def format_names() -> list[str]:
    """Every known export format, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_FORMATS)


def exporter(name: str) -> Callable[..., Path]:
    """The `export(run, trial, folder, *, force)` of that format; `WrongUse` with the nearest known name otherwise."""
    known = format_names()
    if name not in known:
        raise WrongUse(unknown("format", name, known))
    export: Callable[..., Path] = importlib.import_module(f"nas.deployment.{name}").export
    return export


def export_member(run: StoredRun, pick: str, to: str, out: str | Path | None, force: bool) -> Path:
    """Writes one member of a run in the format `to`; without `out` in the run's own folder. Returns the folder."""
    write = exporter(to)
    trial = run.pick(pick)
    folder = Path(out) if out is not None else run.directory.export / trial.architecture.id
    return write(run, trial, folder, force=force)
