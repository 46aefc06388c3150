"""What a sum over operators runs over: work, traffic and number of operators by class, of a whole population at once.

A class's time is a x multiply-accumulates + b x elements moved + c x operators (the roofline of Williams, Waterman and
Patterson, CACM 52(4), 2009, with a sum in place of its maximum, plus the runtime's overhead). Work differs by kind and
kernel, since runtimes have a kernel of their own for each; traffic and overhead do so far less, and one coefficient
each for products, depthwise convolutions and the rest leaves few enough that 30 measured networks tell them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.counts import macs_by_slot, products_by_slot, weights_by_slot
from search_spaces.core.layer_table import BoolArray, Kind, LayerTable

Floats = NDArray[np.float64]

_KERNELS = (1, 3, 5, 7)
_SHAPE = (
    "kernel",
    "stride",
    "groups",
    "in_channels",
    "in_height",
    "in_width",
    "out_channels",
    "out_height",
    "out_width",
)
_BY_KERNEL = (Kind.CONV, Kind.DEPTHWISE)
_GROUPS = {
    "products": (Kind.CONV, Kind.LINEAR, Kind.MATMUL),
    "depthwise": (Kind.DEPTHWISE,),
    "others": (Kind.NORM, Kind.POOL, Kind.ADD, Kind.CONCAT, Kind.MULTIPLY),
}


@dataclass(frozen=True)
class OperatorFeatures:
    """Features `(n, f)` of networks, never negative, and the name of each column."""

    columns: tuple[str, ...]
    values: Floats


def operator_classes(table: LayerTable) -> OperatorFeatures:
    """The columns are the same for every table; those that a space does not have are 0.

    `macs CLASS`: multiply-accumulates (a patch schedule's recomputation left out). `moved GROUP`: elements of inputs,
    outputs and weights; bytes are these times a width that belongs to the target. `number GROUP`: operators.
    """
    macs = macs_by_slot(table, products_by_slot(table))
    moved = _moved_by_slot(table)
    columns = {f"macs {name}": _sum(macs, chosen) for name, chosen in _working_classes(table).items()}
    for name, kinds in _GROUPS.items():
        chosen = table.present & table.mask_of(*kinds)
        columns |= {f"moved {name}": _sum(moved, chosen), f"number {name}": chosen.sum(axis=1, dtype=np.float64)}
    return OperatorFeatures(tuple(columns), np.stack(list(columns.values()), axis=1))


def operator_shapes(table: LayerTable) -> OperatorFeatures:
    """How often each operator occurs, shape and all: the rows of a table that was measured operator by operator.

    A column is named `kind KERNELxKERNEL sSTRIDE gGROUPS INxHEIGHTxWIDTH > OUTxHEIGHTxWIDTH`, in channels x height x
    width, such as `conv 1x1 s1 g1 16x112x112 > 24x112x112`; those that occur in no network have none.
    """
    kinds = np.broadcast_to(np.array([int(kind) for kind in table.kinds]), table.present.shape)
    keys = np.stack([kinds, *(getattr(table, cell) for cell in _SHAPE)], axis=-1)[table.present]
    shapes, places = np.unique(keys, axis=0, return_inverse=True)
    counts = np.zeros((len(table), len(shapes)))
    np.add.at(counts, (np.nonzero(table.present)[0], places.reshape(-1)), 1)
    return OperatorFeatures(tuple(_named(shape.tolist()) for shape in shapes), counts)


def _named(shape: list[int]) -> str:
    kind, kernel, stride, groups, *sizes = shape
    before, after = ("x".join(map(str, part)) for part in (sizes[:3], sizes[3:]))
    return f"{Kind(kind).name.lower()} {kernel}x{kernel} s{stride} g{groups} {before} > {after}"


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
        classes[f"{kind.name.lower()} other kernels"] = left & ~np.isin(table.kernel, _KERNELS)
    return classes | {kind.name.lower(): table.present & table.mask_of(kind) for kind in (Kind.LINEAR, Kind.MATMUL)}


def _moved_by_slot(table: LayerTable) -> NDArray[np.int64]:
    """Elements read and written `(n, slots)`: inputs, output, weights."""
    written = table.out_channels.astype(np.int64) * table.out_height * table.out_width
    read = table.in_channels.astype(np.int64) * table.in_height * table.in_width
    both = np.where(table.input_b >= 0, np.take_along_axis(written, np.maximum(table.input_b, 0), axis=1), 0)
    return read + both + written + weights_by_slot(table)


def _sum(values: NDArray[np.int64], chosen: BoolArray) -> Floats:
    return np.asarray(np.where(chosen, values, 0).sum(axis=1), dtype=np.float64)
