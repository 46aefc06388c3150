"""How much flash a generated C program takes beside its constants: functions that its operators need, once each, and
what every operator adds.

Sizes are those of the compiled kernels, one file of `program_sizes/` a target, written by benchmarks/program_sizes.py
with the compiler that it names. Another compiler's differ by some per cent.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.layer_table import WEIGHTED, Kind, LayerTable

Bytes = NDArray[np.int64]
Bools = NDArray[np.bool_]

CHANNEL_BYTES = 9
"""Of an output channel: bias and multiplier of 32 bits, a shift of 8."""
USUAL = "cortex-m4"
"""The target whose sizes stand for all where none is known yet: those of other cores are within 2 KiB of it."""
_STRUCTS = {
    Kind.CONV: "convolution",
    Kind.DEPTHWISE: "depthwise",
    Kind.LINEAR: "fully_connected",
    Kind.ADD: "add",
    Kind.MULTIPLY: "multiply",
    Kind.POOL: "mean",
}
_LEAST: Mapping[Kind, str | tuple[str, ...]] = {
    Kind.CONV: ("convolution", "pointwise"),
    **{kind: _STRUCTS[kind] for kind in (Kind.LINEAR, Kind.MULTIPLY, Kind.POOL)},
}
_FEW_CHANNELS = 4


@dataclass(frozen=True)
class ProgramSizes:
    """Bytes. `start`: a program with an empty network. `layer`, `stage_layer`: calls for an operator of whole maps, and
    of a patch stage; `stage` what one has beside. `structs` by name, an `addition` is one's numbers. `functions` by
    name, `helpers` those that they share, `needs` which.
    """

    start: int
    layer: float
    stage: int
    stage_layer: float
    structs: Mapping[str, int]
    functions: Mapping[str, int]
    helpers: Mapping[str, int]
    needs: Mapping[str, tuple[str, ...]]

    def known(self, name: str) -> str:
        """The function of that name, else of the longest beginning of it up to a `_`; "" where there is none.

        A kernel for an unusual form of an operator is about as large as the usual one.
        """
        while name and name not in self.functions:
            name = name.rpartition("_")[0]
        return name


@cache
def program_sizes(target: str) -> ProgramSizes:
    """Of a target that has a file."""
    text = files("predictors.hardware.program_sizes").joinpath(f"{target}.toml").read_text(encoding="utf-8")
    told: dict[str, Any] = tomllib.loads(text)
    needs = {name: tuple(helpers) for name, helpers in told.pop("needs").items()}
    numbers = {name: told[name] for name in ("start", "layer", "stage", "stage_layer")}
    return ProgramSizes(
        **numbers, structs=told["structs"], functions=told["functions"], helpers=told["helpers"], needs=needs
    )


def functions_bytes(sizes: ProgramSizes, names: Mapping[str, Bools] | Mapping[str, bool]) -> Any:
    """Of the functions that are there (`(n,)` each, or one truth), and of the helpers that they need."""
    total: Any = 0
    helped: dict[str, Any] = {}
    for name, there in names.items():
        known = sizes.known(name)
        total = total + there * np.int64(sizes.functions.get(known, 0))
        for helper in sizes.needs.get(known, ()):
            helped[helper] = helped.get(helper, False) | there
    return total + sum(there * np.int64(sizes.helpers[helper]) for helper, there in helped.items())


def code_bytes(table: LayerTable, target: str = USUAL) -> Bytes:
    """Of networks `(n,)` executed layer by layer: everything in flash but weights and what belongs to a channel.

    Operators have the usual form: outputs over all of int8, shifts to the right.
    """
    sizes = program_sizes(target)
    present: dict[str, Bools] = {}
    for name, there in _functions(table):
        present[name] = present.get(name, np.zeros(len(table), dtype=bool)) | there
    total = sizes.start + functions_bytes(sizes, present)
    for kind, struct in _STRUCTS.items():
        count = table.present[:, table.slots_of(kind)].sum(axis=1)
        total = total + np.rint(count * (sizes.structs[struct] + sizes.layer)).astype(np.int64)
    fused = sum((there.astype(np.int64) for _, there in _additions(table)), np.zeros(len(table), dtype=np.int64))
    # an addition that its convolution takes over is no operator of its own
    total = total - np.rint(fused * (sizes.structs["add"] + sizes.layer)).astype(np.int64)
    adds = table.present[:, table.slots_of(Kind.ADD)].sum(axis=1)
    result: Bytes = total + adds * sizes.structs["addition"]
    return result


def least_code_bytes(table: LayerTable, target: str = USUAL) -> Bytes:
    """What no network `(n,)` with these operators, or more and larger ones, can undercut: the smallest function of each
    kind, and additions that convolutions take over. Networks of larger operators may share more of their functions.
    Depthwise operators are left out: where blocks may be fused, one larger convolution stands for two operators.
    """
    sizes = program_sizes(target)
    additions = table.present[:, table.slots_of(Kind.ADD)].sum(axis=1)
    total: Any = sizes.start + additions * np.int64(sizes.structs["addition"])
    for kind, functions in _LEAST.items():
        count = table.present[:, table.slots_of(kind)].sum(axis=1)
        least = min((size for name, size in sizes.functions.items() if name.startswith(functions)), default=0)
        calls = np.floor(count * (sizes.structs[_STRUCTS[kind]] + sizes.layer)).astype(np.int64)
        total = total + (count > 0) * least + calls
    result: Bytes = total
    return result


def stage_bytes(operators: Bytes, patches: Bytes, target: str = USUAL) -> Bytes:
    """What a patch stage of so many operators `(n,)` in a grid of so many patches along a side adds."""
    sizes = program_sizes(target)
    spans = 2 * patches * (operators + 1) * sizes.structs["span"]
    calls = np.rint(operators * (sizes.stage_layer - sizes.layer)).astype(np.int64)
    result: Bytes = (patches > 1) * (sizes.stage + calls + spans)
    return result


def flash_bytes(table: LayerTable, packed: Bytes, target: str = USUAL) -> Bytes:
    """Of networks `(n,)` whose weights take `packed` bytes."""
    channels = table.out_channels[:, table.slots_of(*WEIGHTED)].sum(axis=1, dtype=np.int64)
    result: Bytes = packed + CHANNEL_BYTES * channels + code_bytes(table, target)
    return result


def _additions(table: LayerTable) -> Iterator[tuple[int, Bools]]:
    """Slots of convolutions that an addition right behind follows, and in which networks."""
    for slot in table.slots_of(Kind.ADD).tolist():
        if slot > 0 and table.kinds[slot - 1] == Kind.CONV:
            yield slot - 1, table.present[:, slot] & table.present[:, slot - 1]


def _functions(table: LayerTable) -> Iterator[tuple[str, Bools]]:
    """Names as the generated code has them, and in which networks `(n,)` some operator needs the function."""
    fused = dict(_additions(table))
    none = np.zeros(len(table), dtype=bool)
    for kind, name in ((Kind.LINEAR, "fully_connected"), (Kind.POOL, "mean"), (Kind.MULTIPLY, "multiply")):
        there: Bools = np.asarray(table.present[:, table.slots_of(kind)].any(axis=1))
        yield name, there
    for slot in table.slots_of(Kind.CONV, Kind.DEPTHWISE).tolist():
        there, adds = table.present[:, slot], fused.get(slot, none)
        for kernel, stride, few in _forms(table, slot, there):
            here = there & (table.kernel[:, slot] == kernel) & (table.stride[:, slot] == stride)
            name = _name(table.kinds[slot], kernel, stride)
            name += f"_of{few}" if few and name.startswith("convolution") else ""
            yield name, here & ~adds
            yield f"{name}_add", here & adds


def _forms(table: LayerTable, slot: int, there: Bools) -> list[tuple[int, int, int]]:
    """The kernels and strides of a slot; with them its input channels where they are few in all networks."""
    channels = table.in_channels[there, slot]
    few = int(channels[0]) if len(channels) and channels.max() <= _FEW_CHANNELS and np.ptp(channels) == 0 else 0
    pairs = np.unique(np.stack([table.kernel[there, slot], table.stride[there, slot]], axis=1), axis=0)
    return [(int(kernel), int(stride), few) for kernel, stride in pairs]


def _name(kind: Kind, kernel: int, stride: int) -> str:
    if kind == Kind.DEPTHWISE:
        return f"depthwise_in_place_{kernel}x{kernel}_s{stride}"
    return "pointwise" if (kernel, stride) == (1, 1) else f"convolution_{kernel}x{kernel}_s{stride}"
