"""What could keep a search from running on this machine."""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_FEWEST_FREE_BYTES = 2 << 30
_PACKAGES = ("torch", "torchvision", "ray", "numpy", "pandas", "scikit-learn", "sqlalchemy", "pillow")


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `detail` says what to do where it is not ok."""

    what: str
    ok: bool
    detail: str


def examine() -> list[Finding]:
    """Every finding, in the order in which they matter."""
    return [*_versions(), *(_tried(what, check) for what, check in _CHECKS.items())]


def _versions() -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")
    for package in _PACKAGES:
        try:
            yield Finding(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(package, False, "not installed; type: pip install fitnas")


def _tried(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(what, False, f"{type(error).__name__}: {error}")


def _processors() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{usable} usable of {os.cpu_count()}"


def _accelerator() -> str:
    from nas.training.device import pick_accelerator

    return str(pick_accelerator("auto"))


def _torchvision() -> str:
    from nas.torchvision_door import v2

    return f"transforms load ({v2.__name__})"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free
    if free < _FEWEST_FREE_BYTES:
        raise OSError(f"{free / 2**30:.1f} GiB free here; a search wants 2: free space, or run in another folder")
    return f"{free / 2**30:.0f} GiB free here"


def _write() -> str:
    with tempfile.NamedTemporaryFile(dir=Path.cwd()):
        return "this folder can be written"


def _shared_memory() -> str:
    place = Path("/dev/shm")
    if not place.is_dir():
        return "none here; Ray uses files instead"
    free = shutil.disk_usage(place).free
    if free < 256 << 20:
        raise OSError(
            f"{free / 2**20:.0f} MiB free in {place}; Ray wants 256 MiB: in a container raise --shm-size, or use "
            "--backend inline"
        )
    return f"{free / 2**30:.1f} GiB free"


_CHECKS: dict[str, Callable[[], str]] = {
    "processors": _processors,
    "accelerator": _accelerator,
    "torchvision": _torchvision,
    "disk": _disk,
    "folder": _write,
    "shared memory": _shared_memory,
}
