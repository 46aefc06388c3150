"""Mutated files for the readers of foreign formats, and what became of each. `main` runs in a process of its own."""

import collections
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nas.importing import read_to_document
from nas.importing.rows import from_document
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse

_MOST_FLIPS = 8
_EDGES = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One mutation: flipped bytes, a truncation, a length edited (4 bytes, little-endian), bytes cut out or doubled."""
    data = bytearray(content)
    # the structure lies at the beginning and the end, in between are weights: half of the places are there
    far = rng.random() < 0.5
    place = int(rng.integers(len(data)) if far else rng.choice([0, 1]) * max(0, len(data) - 4096) + rng.integers(4096))
    place = min(place, len(data) - 5)
    match rng.integers(4):
        case 0:
            for _ in range(rng.integers(1, _MOST_FLIPS + 1)):
                at = min(place + int(rng.integers(64)), len(data) - 1)
                data[at] = int(rng.integers(256)) if rng.random() < 0.5 else int(rng.choice(_EDGES))
        case 1:
            del data[place:]
        case 2:
            value = int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, int(rng.integers(2**32))]))
            data[place : place + 4] = value.to_bytes(4, "little")
        case _:
            end = place + int(rng.integers(1, 256))
            data[place:end] = data[place:end] * 2 if rng.random() < 0.5 else b""
    return bytes(data)


def outcome(name: str, path: Path) -> str:
    """`priced`, `refused`, or the error that nobody foresaw."""
    try:
        table = from_document(json.loads(json.dumps(read_to_document(name, str(path)))))[0]
        price_table(table, "c")
    except WrongUse:
        return "refused"
    except (Exception, RecursionError) as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}"[:200]
    return "priced"


def main(sample: str, first: str, count: str) -> dict[str, object]:
    """Outcomes of mutations `first` to `first + count` of a file, the longest time of one in s, the peak in bytes."""
    path = Path(sample)
    content, name = path.read_bytes(), path.suffix.removeprefix(".")
    outcomes: collections.Counter[str] = collections.Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(first), int(first) + int(count)):
            changed = Path(folder, f"a.{name}")
            changed.write_bytes(mutated(content, np.random.default_rng([number, len(content)])))
            print(number, file=sys.stderr, flush=True)
            start = time.monotonic()
            outcomes[outcome(name, changed)] += 1
            longest = max(longest, time.monotonic() - start)
    return {"outcomes": dict(outcomes), "longest_seconds": longest, "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """Of this program: `getrusage` would tell the peak of the process that started it, where that is larger."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024
