"""Names from outside as places inside: one rule for every route that opens a run or a file by name."""

from pathlib import Path

from nas.storage.run_directory import RunDirectory
from search_spaces.core.errors import NotFound, Refused, shown


def run_directory(root: Path, name: str) -> RunDirectory:
    """The run of that name; errors as `RunDirectory.open`, `Refused` where its folder is a link."""
    directory = RunDirectory.open(root, name)
    inside(root, directory.path)
    return directory


def inside(root: Path, path: Path) -> Path:
    """`path`, which lies below `root`, absolute; `Refused` where it does not or a link leads there, `NotFound` where
    there is nothing. `root` itself may be a link: who runs the service has put it there.
    """
    try:
        resolved, real_root = path.resolve(strict=True), root.resolve()
    except (OSError, ValueError):  # a name that no file system takes
        raise NotFound(f"there is no {shown(path.name)} here") from None
    if not path.is_relative_to(root) or resolved != real_root / path.relative_to(root):
        raise Refused(f"{shown(path.name)} is a link, or leads to one, which this service does not follow")
    return resolved
