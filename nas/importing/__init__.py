"""Networks that other programs made, as operator tables. One file is one format, found by the ending of its files.

It exports `read(path)`, which gives a `ForeignNetwork`: operators in execution
order, each with what it does, the tensors that it reads and the shape of what it makes. `WrongUse` where the file is
damaged or cannot be priced; an operator that the format does not know is `Task.UNKNOWN` and never guessed. `read` runs
in a process of its own with limits, see `nas/isolated.py`.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas import isolated
from nas.core.foreign_graph import LARGEST_FILE_BYTES
from search_spaces.core.by_file import file_names
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable

_NOT_FORMATS = {"lowering", "mapping", "operators", "rows"}


def format_names() -> list[str]:
    """Every format that can be read, sorted; none is imported."""
    return file_names(__path__, _NOT_FORMATS)


@dataclass(frozen=True)
class Imported:
    """`table` of height one; `unknown`: operators whose multiply-accumulates are missing, by name, with their number;
    `numbers`: how the file stores its weights; `notes` for people.
    """

    table: LayerTable
    unknown: dict[str, int]
    numbers: str
    notes: tuple[str, ...]


def is_foreign(path: Path) -> bool:
    """Whether the file's ending is that of a format that can be read."""
    return path.suffix.lower().removeprefix(".") in format_names()


def import_network(path: Path) -> Imported:
    """The network of a file; `WrongUse` where it is too large, damaged, or needs a package."""
    from nas.importing.rows import from_document

    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise WrongUse(
            f"{path} has {path.stat().st_size:,} bytes; networks of up to {LARGEST_FILE_BYTES:,} bytes are read"
        )
    name = path.suffix.lower().removeprefix(".")
    document = isolated.call("nas.importing", "read_to_document", name, str(path.resolve()))
    return Imported(*from_document(document))


def read_to_document(name: str, path: str) -> dict[str, Any]:
    """What the child hands over: the network of a file in the format `name`, lowered to rows, as JSON."""
    from nas.importing.lowering import lower
    from nas.importing.rows import to_document

    network = importlib.import_module(f"nas.importing.{name}").read(Path(path))
    return to_document(network, lower(network))
