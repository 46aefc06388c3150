"""What a sum over operators runs over: work, traffic and number of operators by class, of a whole population at once.

A class's time is a x multiply-accumulates + b x elements moved + c x operators (the roofline of Williams, Waterman and
Patterson, CACM 52(4), 2009, with a sum in place of its maximum, plus the runtime's overhead). Work differs by kind and
kernel, since runtimes have a kernel of their own for each; traffic and overhead do so far less, and one coefficient
each for products, depthwise convolutions and the rest leaves few enough that 30 measured networks tell them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.counts import macs_by_slot, products_by_slot, weights_by_slot
from search_spaces.core.layer_table import WEIGHTED, BoolArray, Kind, LayerTable
from search_spaces.core.policy import FLOAT_BITS

Floats = NDArray[np.float64]

_KERNELS = (1, 3, 5, 7)
_BY_KERNEL = (Kind.CONV, Kind.DEPTHWISE)
_GROUPS = {
    "products": (Kind.CONV, Kind.LINEAR, Kind.MATMUL),
    "depthwise": (Kind.DEPTHWISE,),
    "others": (Kind.NORM, Kind.POOL, Kind.ADD, Kind.CONCAT, Kind.MULTIPLY, Kind.OTHER),
}
_OTHER = "other kernels"
_CLASSES = (
    "conv grouped",
    *(f"{kind.name.lower()} {size}" for kind in _BY_KERNEL for size in (*(f"{k}x{k}" for k in _KERNELS), _OTHER)),
    "linear",
    "matmul",
    *(f"{kind.name.lower()} in few bits" for kind in WEIGHTED),
)
WORK = tuple(f"macs {name}" for name in _CLASSES)
_ROUNDINGS = ("to integers", "to floats", "unpacked")
TRAFFIC = tuple(f"{what} {group}" for group in (*_GROUPS, *_ROUNDINGS) for what in ("moved", "number"))
COLUMNS = (*WORK, *TRAFFIC)
"""The names of all features of `operator_classes`, in their order."""
_MOST_CODES = 2**62


@dataclass(frozen=True)
class OperatorFeatures:
    """Features `(n, f)` of networks, never negative, and the name of each column."""

    columns: tuple[str, ...]
    values: Floats


class OperatorShape(NamedTuple):
    """All that tells one operator's time from another's; sizes in elements, of input and output.

    >>> print(OperatorShape(Kind.CONV, 1, 1, 1, 16, 112, 112, 24, 112, 112))
    conv 1x1 s1 g1 16x112x112 > 24x112x112
    """

    kind: Kind
    kernel: int
    stride: int
    groups: int
    in_channels: int
    in_height: int
    in_width: int
    out_channels: int
    out_height: int
    out_width: int

    def __str__(self) -> str:
        before, after = ("x".join(map(str, part)) for part in (self[4:7], self[7:]))
        return f"{self.kind.name.lower()} {self.kernel}x{self.kernel} s{self.stride} g{self.groups} {before} > {after}"


def operator_classes(table: LayerTable) -> OperatorFeatures:
    """The columns are the same for every table; those that a space does not have are 0.

    `macs CLASS`: multiply-accumulates (a patch schedule's recomputation left out); those of integers, where a
    quantization policy mixes them with floats, in classes of their own. `moved GROUP`: elements of inputs,
    outputs and weights; bytes are these times a width that belongs to the target. `number GROUP`: operators.
    Where a policy mixes floats and integers, also of tensors on the way `to integers`, `to floats`, and of weights
    `unpacked` because floats multiply them.
    """
    macs = macs_by_slot(table, products_by_slot(table))
    moved = _moved_by_slot(table)
    columns = {f"macs {name}": _sum(macs, chosen) for name, chosen in _working_classes(table).items()}
    for name, kinds in _GROUPS.items():
        chosen = table.present & table.mask_of(*kinds)
        columns |= {f"moved {name}": _sum(moved, chosen), f"number {name}": chosen.sum(axis=1, dtype=np.float64)}
    columns |= _roundings(table)
    return OperatorFeatures(COLUMNS, np.stack([columns[name] for name in COLUMNS], axis=1))


def operator_shapes(table: LayerTable) -> OperatorFeatures:
    """How often each operator occurs, shape and all: the rows of a table that was measured operator by operator.

    A column is named `kind KERNELxKERNEL sSTRIDE gGROUPS INxHEIGHTxWIDTH > OUTxHEIGHTxWIDTH`, in channels x height x
    width, such as `conv 1x1 s1 g1 16x112x112 > 24x112x112`; those that occur in no network have none.
    """
    shapes, counts = distinct_shapes(table)
    return OperatorFeatures(tuple(map(str, shapes)), counts)


def distinct_shapes(table: LayerTable) -> tuple[list[OperatorShape], Floats]:
    """The shapes that occur, sorted, and how often each does in each network, `(n, shapes)`."""
    kinds = np.broadcast_to(np.array([int(kind) for kind in table.kinds]), table.present.shape)
    cells = [kinds, *(getattr(table, name) for name in OperatorShape._fields[1:])]
    columns = [np.asarray(cell[table.present], dtype=np.int64) for cell in cells]
    _, first, places = np.unique(_codes(columns), return_index=True, return_inverse=True)
    shapes = [
        OperatorShape(Kind(kind), *sizes) for kind, *sizes in zip(*(c[first].tolist() for c in columns), strict=True)
    ]
    counts = np.zeros((len(table), len(shapes)))
    np.add.at(counts, (np.nonzero(table.present)[0], places.reshape(-1)), 1)
    return shapes, counts


def _codes(columns: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """A number `(m,)` for each row of columns `(m,)`, in the rows' own order: sorting numbers is quicker than rows."""
    codes, span = np.zeros(len(columns[0]), dtype=np.int64), 1
    for cells in columns:
        size = int(cells.max(initial=0)) + 1
        if span * size > _MOST_CODES:
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64).reshape(-1)
            span = int(codes.max(initial=0)) + 1
        codes, span = codes * size + cells, span * size
    return codes


def _working_classes(table: LayerTable) -> dict[str, BoolArray]:
    """Which slots `(n, slots)` do a class's work."""
    classes: dict[str, BoolArray] = {}
    for kind in _BY_KERNEL:
        left = table.present & table.mask_of(kind)
        if kind == Kind.CONV:
            classes["conv grouped"] = left & (table.groups > 1)
            left &= table.groups == 1
        for kernel in _KERNELS:
            classes[f"{kind.name.lower()} {kernel}x{kernel}"] = left & (table.kernel == kernel)
        classes[f"{kind.name.lower()} {_OTHER}"] = left & ~np.isin(table.kernel, _KERNELS)
    classes |= {kind.name.lower(): table.present & table.mask_of(kind) for kind in (Kind.LINEAR, Kind.MATMUL)}
    few = _in_few_bits(table)
    apart = {f"{kind.name.lower()} in few bits": table.present & table.mask_of(kind) & few for kind in WEIGHTED}
    return {name: chosen & ~few for name, chosen in classes.items()} | apart


def _in_few_bits(table: LayerTable) -> BoolArray:
    """Which slots `(n, slots)` multiply integers, by a quantization policy; none without one.

    A runtime multiplies integers where it may leave integers too, as onnxruntime does (its selectors want an operator
    between DequantizeLinear and QuantizeLinear).
    """
    if table.widths is None:
        return np.zeros_like(table.present)
    few: BoolArray = np.maximum(table.widths.input_bits, table.widths.weight_bits) < FLOAT_BITS
    few &= table.widths.kept_bits < FLOAT_BITS
    return few & table.mask_of(*WEIGHTED)


def _roundings(table: LayerTable) -> dict[str, Floats]:
    """Columns of what goes from floats to integers or back: tensors read and made, weights that floats multiply."""
    nothing = np.zeros(len(table))
    if table.widths is None:
        return {f"{what} {name}": nothing for name in _ROUNDINGS for what in ("moved", "number")}
    weighted = table.mask_of(*WEIGHTED)
    kept = table.widths.kept_bits < FLOAT_BITS
    read = (table.input_a >= 0) & np.take_along_axis(kept, np.maximum(table.input_a, 0), axis=1)
    few = np.where(weighted, _in_few_bits(table), read & kept)  # what has no weights computes in what it reads
    inputs = table.in_channels.astype(np.int64) * table.in_height * table.in_width
    outputs = table.out_channels.astype(np.int64) * table.out_height * table.out_width
    unpacked = weighted & ~few & (table.widths.weight_bits < FLOAT_BITS)
    tensors = {
        "to integers": ((few & ~read, inputs), (kept & ~few, outputs)),
        "to floats": ((read & ~few, inputs), (few & ~kept, outputs)),
        "unpacked": ((unpacked, weights_by_slot(table)),),
    }
    columns, present = {}, table.present.astype(np.int64)
    for name, found in tensors.items():
        columns[f"moved {name}"] = sum((_sum(sizes, table.present & chosen) for chosen, sizes in found), nothing)
        columns[f"number {name}"] = sum((_sum(present, chosen) for chosen, _ in found), nothing)
    return columns


def _moved_by_slot(table: LayerTable) -> NDArray[np.int64]:
    """Elements read and written `(n, slots)`: inputs, output, weights."""
    written = table.out_channels.astype(np.int64) * table.out_height * table.out_width
    read = table.in_channels.astype(np.int64) * table.in_height * table.in_width
    both = np.where(table.input_b >= 0, np.take_along_axis(written, np.maximum(table.input_b, 0), axis=1), 0)
    return read + both + written + weights_by_slot(table)


def _sum(values: NDArray[np.int64], chosen: BoolArray) -> Floats:
    return np.asarray(np.where(chosen, values, 0).sum(axis=1), dtype=np.float64)
