"""What a run or one member of it becomes outside. One file is one format, found by its name.

It exports `export(run, trial, folder, *, force)`, which writes one member, or `export_run(run, out, *, force)`, which
writes the whole run. Further keywords, None by default, are options of that format alone. `next_step(written)`, where
there is one, gives the command to show afterwards.
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

from nas.run import StoredRun
from search_spaces.core.by_file import file_names
from search_spaces.core.errors import WrongUse, unknown

_NOT_FORMATS = {"artifact", "c_code", "integers", "qemu", "samples", "scripts", "standalone", "verification"}
_DEFAULT_PICK = "knee"
ELASTIC = "elastic"  # what `--all` means
OF_A_RUN = ("optuna",)  # hold a run and not one member; written here so that to know it loads nothing
_OF_RUNTIME = {"c": "c", "tflm": "tflite"}  # likewise


def format_names() -> list[str]:
    """Every known export format, sorted; none is imported."""
    return file_names(__path__, _NOT_FORMATS)


def format_for(runtime: str) -> str:
    """The format that a runtime executes; of one that none is written for, the plain network.

    >>> format_for("tflm"), format_for("tinyengine")
    ('tflite', 'pytorch')
    """
    return _OF_RUNTIME.get(runtime, "pytorch")


def exporter(name: str) -> ModuleType:
    """The module of that format; `WrongUse` with the nearest known name otherwise."""
    known = format_names()
    if name not in known:
        raise WrongUse(unknown("format", name, known))
    return importlib.import_module(f"nas.deployment.{name}")


def writes_whole_run(name: str) -> bool:
    """Whether that format holds a run and not one member."""
    return hasattr(exporter(name), "export_run")


def next_step(name: str, written: Path) -> str:
    """A command for what an export of that format wrote: what the format names, else its price."""
    module = exporter(name)
    if hasattr(module, "next_step"):
        return str(module.next_step(written))
    return f"nas cost {written / 'architecture.json'} --layers"


def export_member(
    run: StoredRun,
    pick: str | None = None,
    to: str = "pytorch",
    out: str | Path | None = None,
    force: bool = False,
    **options: str | Path | bool | None,
) -> Path:
    """Writes a member (default: the knee), or the whole run, in the format `to`; returns the folder or file.

    Without `out` it lies in the run's own folder. `options` are those of the format; None means not given.
    """
    module = exporter(to)
    whole = writes_whole_run(to)
    write = module.export_run if whole else module.export
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in inspect.signature(write).parameters:
            raise WrongUse(f"--to {to} has no option --{name.replace('_', '-')}; leave it away")
    if whole and pick is not None:
        raise WrongUse(f"--to {to} writes the whole run, so that there is nothing to pick; leave --pick away")
    if whole:
        folder = Path(out) if out is not None else run.directory.export / to
        return Path(write(run, folder, force=force, **given))
    trial = run.pick(pick or _DEFAULT_PICK)
    folder = Path(out) if out is not None else run.directory.export / trial.architecture.id
    return Path(write(run, trial, folder, force=force, **given))
