"""Names from outside as places inside: one rule for every route that opens a run or a file by name."""

from pathlib import Path

from nas.storage.run_directory import RunDirectory
from search_spaces.core.errors import NotFound, Refused


def run_directory(root: Path, name: str) -> RunDirectory:
    """The run of that name; errors as `RunDirectory.open`, `Refused` where its folder is a link out of `root`."""
    directory = RunDirectory.open(root, name)
    inside(root, directory.path)
    return directory


def inside(root: Path, path: Path) -> Path:
    """`path` with links resolved; `Refused` where that is not below `root`, `NotFound` where there is nothing."""
    try:
        resolved = path.resolve(strict=True)
    except OSError:
        raise NotFound(f"there is no {path.name!r} here") from None
    if not resolved.is_relative_to(root.resolve()):
        raise Refused(f"{path.name!r} is a link to somewhere else, which this service does not follow")
    return resolved
