"""Mutated .tflite and .onnx files for the readers: does one crash, hang, or take more than 1 GiB?

A thousand seeded mutations of each sample: flipped bytes, truncations, edited lengths, parts cut out or doubled. Needs
FITNAS_DATA for the .tflite files; the .onnx files are exported here from timm's networks.

    python benchmarks/fuzz_import.py [MUTATIONS]
"""

import collections
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from results import write_section

from nas import isolated, onnx_door, torchvision_door
from search_spaces.core.errors import WrongUse

_CHUNK = 100
_MUTATIONS = "tests.nas.importing.mutations"
_EXPORTED = {"mobilenetv2_035": 96, "tinynet_e": 106}


def main() -> None:
    """One row a sample."""
    mutations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    samples = sorted(Path(os.environ["FITNAS_DATA"], "mcu", "models").glob("*.tflite"))
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in _EXPORTED.items():
            network = torchvision_door.import_behind("timm").create_model(name, num_classes=10).eval()
            samples.append(Path(folder, f"{name}.onnx"))
            samples[-1].write_bytes(onnx_door.fixed_onnx_file(network, (3, pixels, pixels), 1))
        rows = [_row(sample, mutations) for sample in samples]
    notes = ["refused: told as damage, or as what cannot be priced; priced: the mutation met weights, or names."]
    write_section("Mutated files of foreign networks", rows, notes)


def _row(sample: Path, mutations: int) -> dict[str, object]:
    outcomes: collections.Counter[str] = collections.Counter()
    longest, peak = 0.0, 0
    for first in range(0, mutations, _CHUNK):
        for found in _found(sample, first, min(_CHUNK, mutations - first)):
            outcomes.update(found["outcomes"])
            longest = max(longest, found["longest_seconds"])
            peak = max(peak, found["peak_bytes"])
    known = {name: outcomes.pop(name, 0) for name in ("priced", "refused", "died")}
    for error, count in outcomes.items():
        print(f"{sample.name}: {count} x {error}", file=sys.stderr)
    return {
        "sample": sample.name,
        "mutations": mutations,
        **known,
        "other errors": outcomes.total(),
        "longest one, s": f"{longest:.2f}",
        "peak memory, MiB": peak >> 20,
    }


def _found(sample: Path, first: int, count: int) -> list[dict[str, Any]]:
    """Of a chunk in one process; where that dies, of each mutation in one of its own."""
    try:
        return [
            isolated.call("tests.nas.importing.mutations", "main", str(sample), str(first), str(count), seconds=600)
        ]
    except WrongUse:
        if count == 1:
            return [{"outcomes": {"died": 1}, "longest_seconds": 0.0, "peak_bytes": 0}]
    return [found for number in range(first, first + count) for found in _found(sample, number, 1)]


if __name__ == "__main__":
    main()
