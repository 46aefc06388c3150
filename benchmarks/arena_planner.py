"""How far above its lower bound an arena is: our planner, TensorFlow Lite's greedy by size and by breadth.

The bound is the most bytes alive at one operator. Networks: files of other people, exports of timm's networks, and
random members of every space, each under a random one of the patch schedules that it admits (or layer by layer). The
greedy planners (Pisarchyk and Lee, arXiv 2001.03288; TensorFlow Lite Micro's GreedyMemoryPlanner is the one by size)
see what ours sees: tensors that share storage as one buffer.

    python benchmarks/arena_planner.py [MEMBERS A SPACE]
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from results import write_section

from nas import onnx_door, torchvision_door
from nas.importing import import_network
from predictors.hardware.lifetimes import lifetimes
from predictors.hardware.memory import memory_rule
from predictors.hardware.memory_plan import Lifetime, plan
from predictors.hardware.patch_schedule import GRIDS
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.registry import space_class, space_names

_EXPORTED = {"mobilenetv2_035": 96, "tinynet_e": 106, "tiny_vit_5m_224": 224}
_RUNTIMES = ("c", "tinyengine", "tflm")
_MARK = 1.02
Buffer = tuple[int, int, int]
"""Bytes, first and last operator."""


def main() -> None:
    """One row a group of networks, then one a foreign network."""
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    foreign = dict(_foreign())
    singles = [_single(name, table) for name, table in foreign.items()]
    rows = [_group("files and exports", (_plans(table, "none") for table in foreign.values()))]
    for name in space_names():
        space = space_class(name).configured({}, None)
        population = space.sample(np.random.default_rng([7, *name.encode()]), members)
        tables = map(space.decode, (population[row : row + 1] for row in range(members)))
        rows.append(_group(f"{name}, {members} members", (_plans(t, "random", r) for r, t in enumerate(tables))))
    write_section(
        "Arena planner against its lower bound",
        rows,
        [
            "overhead: arena over the most bytes alive at one operator; 1 is the least that any plan can need.",
            f"runtimes {', '.join(_RUNTIMES)}: what shares storage, and scratch buffers, differ by runtime; tflm "
            "shares nothing and plans the image too.",
        ],
    )
    write_section(
        "Arena of foreign networks, layer by layer, no storage shared, image counted",
        singles,
        ["TensorFlow Lite Micro's own interpreter needs 73,728 bytes (head) for vww_96_int8, whose bound is 55,296."],
    )


def _foreign() -> Iterator[tuple[str, LayerTable]]:
    for path in sorted(Path(os.environ["FITNAS_DATA"], "mcu", "models").glob("*.tflite")):
        yield path.stem, import_network(path).table
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in _EXPORTED.items():
            network = torchvision_door.import_behind("timm").create_model(name).eval()
            path = Path(folder, f"{name}.onnx")
            path.write_bytes(onnx_door.fixed_onnx_file(network, (3, pixels, pixels), 1))
            yield path.stem, import_network(path).table


Measured = tuple[float, float, float, float]
"""Overheads of ours, greedy by size, greedy by breadth; seconds of ours."""


def _plans(table: LayerTable, schedule: str, seed: int = 0) -> list[Measured]:
    result = []
    for runtime in _RUNTIMES:
        patches, split = _random_schedule(table, seed) if schedule == "random" and runtime != "tflm" else (1, 0)
        tensors = lifetimes(table, 0, runtime, patches, split, count_input=runtime == "tflm")
        result.append(_measured(tensors, memory_rule(runtime).alignment))
    return result


def _random_schedule(table: LayerTable, seed: int) -> tuple[int, int]:
    """One that the network admits, all alike."""
    admitted = [(1, 0)]
    for split in range(1, int(table.cut.sum()) + 1):
        for grid in GRIDS:
            try:
                lifetimes(table, 0, "c", grid, split)
            except WrongUse:
                continue
            admitted.append((grid, split))
    return admitted[np.random.default_rng(seed).integers(len(admitted))]


def _measured(tensors: Sequence[Lifetime], alignment: int) -> Measured:
    start = time.perf_counter()
    ours = plan(tensors, alignment)
    seconds = time.perf_counter() - start
    bound, buffers = ours.liveness_bound_bytes, _joined(tensors, alignment)
    greedy = [_peak(buffers, order(buffers)) / bound for order in (_by_size, _by_breadth)]
    return ours.overhead, greedy[0], greedy[1], seconds


def _joined(tensors: Sequence[Lifetime], alignment: int) -> list[Buffer]:
    owner, found = {}, dict[str, Buffer]()
    for tensor in tensors:
        root = owner[tensor.name] = tensor.name if tensor.alias_of is None else owner[tensor.alias_of]
        size = -(-tensor.bytes // alignment) * alignment
        other = found.get(root, (size, tensor.first, tensor.last))
        found[root] = (max(size, other[0]), min(tensor.first, other[1]), max(tensor.last, other[2]))
    return [buffer for buffer in found.values() if buffer[0]]


def _by_size(buffers: Sequence[Buffer]) -> list[int]:
    """As TensorFlow Lite Micro: of equal sizes the one made last."""
    return sorted(range(len(buffers)), key=lambda i: (-buffers[i][0], -i))


def _by_breadth(buffers: Sequence[Buffer]) -> list[int]:
    """Those alive at the busiest operator first, the largest of them first."""
    last = max(buffer[2] for buffer in buffers)
    alive = [[i for i, (_, first, end) in enumerate(buffers) if first <= at <= end] for at in range(last + 1)]
    busiest = sorted(range(last + 1), key=lambda at: (-sum(buffers[i][0] for i in alive[at]), at))
    order: dict[int, None] = {}
    for at in busiest:
        order |= dict.fromkeys(sorted(alive[at], key=lambda i: -buffers[i][0]))
    return list(order)


def _peak(buffers: Sequence[Buffer], order: Sequence[int]) -> int:
    """First fit in that order."""
    placed: list[tuple[int, Buffer]] = []
    for size, first, last in (buffers[i] for i in order):
        spot = 0
        for low, (height, begin, end) in sorted(placed):
            if begin <= last and first <= end:
                if low >= spot + size:
                    break
                spot = max(spot, low + height)
        placed.append((spot, (size, first, last)))
    return max(low + buffer[0] for low, buffer in placed)


def _group(name: str, plans: Iterator[list[Measured]]) -> dict[str, object]:
    measured = np.array([each for several in plans for each in several])
    ours, sizes, breadths, seconds = measured.T
    columns = {"ours": ours, "greedy by size": sizes, "greedy by breadth": breadths}
    row: dict[str, object] = {"networks": name, "plans": len(measured)}
    for who, overheads in columns.items():
        row[f"{who}: worst"] = f"{overheads.max():.3f}"
        row[f"{who}: within 2 %"] = f"{100 * (overheads <= _MARK).mean():.1f} %"
    print(name, row, flush=True)
    return row | {"ours: at the bound": f"{100 * (ours == 1).mean():.1f} %", "longest plan, s": f"{seconds.max():.2f}"}


def _single(name: str, table: LayerTable) -> dict[str, object]:
    tensors = lifetimes(table, 0, "tflm", count_input=True)
    ours, buffers = plan(tensors), _joined(tensors, 1)
    orders: dict[str, Callable[[Sequence[Buffer]], list[int]]] = {"by size": _by_size, "by breadth": _by_breadth}
    greedy = {f"greedy {who}": f"{_peak(buffers, order(buffers)):,}" for who, order in orders.items()}
    return {"network": name, "bound": f"{ours.liveness_bound_bytes:,}", "ours": f"{ours.peak_bytes:,}", **greedy}


if __name__ == "__main__":
    main()
