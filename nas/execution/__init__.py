"""Who evaluates: in this process, or in workers. One file is one backend: it exports `BACKEND`."""

import importlib
import pkgutil

from nas.execution.backend import Backend
from search_spaces.core.errors import WrongUse, did_you_mean

_NOT_BACKENDS = {"backend", "ray_cluster", "signals"}


def backend_names() -> list[str]:
    """Every known backend, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_BACKENDS)


def backend_class(name: str) -> type[Backend]:
    """The class that `nas/execution/<name>.py` exports as `BACKEND`.

    `WrongUse` with the nearest known name where there is none.
    """
    known = backend_names()
    if name not in known:
        raise WrongUse(f"unknown backend '{name}'{did_you_mean(name, known) or '.'} Known: {', '.join(known)}")
    backend: type[Backend] = importlib.import_module(f"nas.execution.{name}").BACKEND
    return backend
