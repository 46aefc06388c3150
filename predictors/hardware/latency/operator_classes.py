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
_UNPACKED = {"unpacked products": (Kind.CONV, Kind.LINEAR), "unpacked depthwise": (Kind.DEPTHWISE,)}
_CLASSES = (
    "conv grouped",
    *(f"{kind.name.lower()} {size}" for kind in _BY_KERNEL for size in (*(f"{k}x{k}" for k in _KERNELS), _OTHER)),
    "linear",
    "matmul",
    *(f"{kind.name.lower()} in few bits" for kind in WEIGHTED),
    *_UNPACKED,
)
WORK = tuple(f"macs {name}" for name in _CLASSES)
_MIXED = ("in few bits", "to integers", "to floats", *_UNPACKED)
_USUAL_TRAFFIC, _MIXED_TRAFFIC = (
    tuple(f"{what} {group}" for group in groups for what in ("moved", "number")) for groups in (_GROUPS, _MIXED)
)
TRAFFIC = (*_USUAL_TRAFFIC, *_MIXED_TRAFFIC)
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

    `macs CLASS`: multiply-accumulates (a patch schedule's recomputation left out). `moved GROUP`: elements of inputs,
    outputs and weights; bytes are these times a width that belongs to the target. `number GROUP`: operators.

    Where a quantization policy mixes floats and integers, operators on integers have classes of their own, and so have
    those in floats whose weights are `unpacked` first: a runtime's fast float kernels arrange weights beforehand, and
    cannot where they are made anew in every run. There `moved` counts maps alone `in few bits`, weights alone
    `unpacked`, and tensors on the way `to integers` and `to floats`.
    """
    macs = macs_by_slot(table, products_by_slot(table))
    moved = _moved_by_slot(table)
    few = _in_few_bits(table)
    unpacked = _unpacked(table, few)
    columns = {f"macs {name}": _sum(macs, chosen) for name, chosen in _working_classes(table, few, unpacked).items()}
    for name, kinds in _GROUPS.items():
        chosen = table.present & table.mask_of(*kinds)
        columns |= {f"moved {name}": _sum(moved, chosen), f"number {name}": chosen.sum(axis=1, dtype=np.float64)}
    columns |= _mixed(table, few, unpacked)
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


def _working_classes(table: LayerTable, few: BoolArray, unpacked: dict[str, BoolArray]) -> dict[str, BoolArray]:
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
    apart = {f"{kind.name.lower()} in few bits": table.mask_of(kind) & few for kind in WEIGHTED} | unpacked
    usual = ~np.logical_or.reduce(list(apart.values()))
    return {name: chosen & usual for name, chosen in classes.items()} | apart


def _in_few_bits(table: LayerTable) -> BoolArray:
    """Which slots `(n, slots)` multiply integers, by a quantization policy; none without one.

    A runtime multiplies integers where it may leave integers too, as onnxruntime does (its selectors want an operator
    between DequantizeLinear and QuantizeLinear).
    """
    if table.widths is None:
        return np.zeros_like(table.present)
    few: BoolArray = np.maximum(table.widths.input_bits, table.widths.weight_bits) < FLOAT_BITS
    few &= table.widths.kept_bits < FLOAT_BITS
    return table.present & table.mask_of(*WEIGHTED) & few


def _unpacked(table: LayerTable, few: BoolArray) -> dict[str, BoolArray]:
    """Which slots `(n, slots)` multiply floats by weights that are kept in few bits, by group."""
    if table.widths is None:
        return dict.fromkeys(_UNPACKED, np.zeros_like(table.present))
    found = table.present & ~few & (table.widths.weight_bits < FLOAT_BITS)
    return {name: found & table.mask_of(*kinds) for name, kinds in _UNPACKED.items()}


def _mixed(table: LayerTable, few: BoolArray, unpacked: dict[str, BoolArray]) -> dict[str, Floats]:
    """Columns of what few bits bring: integer maps, tensors that go from floats to integers or back, weights."""
    if table.widths is None:
        return dict.fromkeys(_MIXED_TRAFFIC, np.zeros(len(table)))
    kept = table.widths.kept_bits < FLOAT_BITS
    read = (table.input_a >= 0) & np.take_along_axis(kept, np.maximum(table.input_a, 0), axis=1)
    integers = np.where(table.mask_of(*WEIGHTED), few, read & kept)  # without weights: computes in what it reads
    inputs = table.in_channels.astype(np.int64) * table.in_height * table.in_width
    outputs = table.out_channels.astype(np.int64) * table.out_height * table.out_width
    weights = weights_by_slot(table)
    tensors = {
        "in few bits": ((few, inputs + outputs),),
        "to integers": ((integers & ~read, inputs), (kept & ~integers, outputs)),
        "to floats": ((read & ~integers, inputs), (integers & ~kept, outputs)),
        **{name: ((chosen, weights),) for name, chosen in unpacked.items()},
    }
    columns, present, nothing = {}, table.present.astype(np.int64), np.zeros(len(table))
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
