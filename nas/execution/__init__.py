"""Who evaluates: in this process, or in workers. One file is one backend: it exports `BACKEND`."""

from nas.execution.backend import Backend
from search_spaces.core.by_file import exported, file_names

_NOT_BACKENDS = {"backend", "ray_cluster", "signals"}


def backend_names() -> list[str]:
    """Every known backend, sorted; none is imported."""
    return file_names(__path__, _NOT_BACKENDS)


def backend_class(name: str) -> type[Backend]:
    """The class that `nas/execution/<name>.py` exports as `BACKEND`.

    `WrongUse` with the nearest known name where there is none.
    """
    backend: type[Backend] = exported(__name__, name, "BACKEND", "backend", backend_names())
    return backend
