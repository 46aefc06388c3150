"""How many bits each operator of a network has: widths by name, and what they make of an operator table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.errors import WrongUse, shown
from search_spaces.core.layer_table import WEIGHTED, IntArray, Kind, LayerTable, Widths

FLOAT_BITS = 32
_LOOKED_UP = ("relative_keys", "relative_values")  # linear by their costs, but of embeddings: they stay floats

SCHEMES = ("symmetric", "asymmetric")
GRANULARITIES = ("tensor", "channel")
CALIBRATIONS = ("minmax", "percentile", "entropy")

_ON_FLOATS = (Kind.NORM, Kind.MATMUL)
_FEWEST, _MOST = 2, 8


class Width(NamedTuple):
    """Bits of an operator's weights, and of the activations that it multiplies; 32 is a float."""

    name: str
    weight_bits: int
    input_bits: int

    @property
    def is_float(self) -> bool:
        """Whether nothing is quantized."""
        return self.weight_bits == self.input_bits == FLOAT_BITS


FP32, INT8 = Width("fp32", FLOAT_BITS, FLOAT_BITS), Width("int8", 8, 8)


def width(name: str) -> Width:
    """`fp32`, `int8`, `wN` (weights of N bits, floats otherwise) or `wNaM` (activations of M bits); N, M from 2 to 8.

    `WrongUse` for anything else.

    >>> width("w4a8")
    Width(name='w4a8', weight_bits=4, input_bits=8)
    """
    found = re.fullmatch(r"w(\d)(?:a(\d))?", name, re.ASCII)
    if name in ("fp32", "w8a8", "int8"):
        return FP32 if name == "fp32" else INT8
    bits = [int(text) for text in found.groups() if text] if found else []
    if not bits or not all(_FEWEST <= number <= _MOST for number in bits):
        raise WrongUse(
            f"a width is fp32, int8, wN (weights of N bits) or wNaM (and activations of M), {_FEWEST} to {_MOST} bits, "
            f"such as w4 or w4a8; got {shown(name)}"
        )
    return Width(name, bits[0], bits[1] if len(bits) > 1 else FLOAT_BITS)


def widths(names: str | Sequence[str]) -> tuple[Width, ...]:
    """Different widths, from few bits to many; `WrongUse` where one is unknown, stands twice, or none is given."""
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    found = [width(name) for name in listed]
    if not found or len(set(found)) < len(found):
        raise WrongUse(f"widths are different names with commas between, such as fp32,int8; got {shown(str(names))}")
    return tuple(sorted(found, key=lambda each: (each.weight_bits, each.input_bits)))


@dataclass(frozen=True)
class QuantizationPolicy:
    """The width of each operator with weights, by its name in the operator table, and how all are quantized.

    `scheme`: of activations; weights are symmetric. `granularity`: whether each output channel of a weight has a scale
    of its own. `calibration`: how the range of an activation is chosen.
    """

    widths: Mapping[str, Width]
    scheme: str = "asymmetric"
    granularity: str = "channel"
    calibration: str = "minmax"

    def __post_init__(self) -> None:
        for value, known in (
            (self.scheme, SCHEMES),
            (self.granularity, GRANULARITIES),
            (self.calibration, CALIBRATIONS),
        ):
            if value not in known:
                raise WrongUse(f"a quantization policy knows {', '.join(known)}; got {shown(value)}")

    @classmethod
    def uniform(cls, table: LayerTable, each: Width = INT8) -> "QuantizationPolicy":
        """One width for every operator of a table of height one."""
        return cls(dict.fromkeys(quantizable_names(table), each))

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        names = {operator: each.name for operator, each in self.widths.items()}
        return {
            "widths": names,
            "scheme": self.scheme,
            "granularity": self.granularity,
            "calibration": self.calibration,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "QuantizationPolicy":
        """Reads what `to_document` wrote; `WrongUse` where it is something else."""
        try:
            told = dict(document)
            named = {str(operator): width(str(name)) for operator, name in told.pop("widths").items()}
            return cls(named, **told)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise WrongUse(f"this is no quantization policy ({error!r}); nas quantize writes one") from None

    def check(self, names: Sequence[str]) -> None:
        """`WrongUse` where the policy is of another network than that whose operators have these names."""
        if set(names) != set(self.widths):
            missing = sorted(set(names) - set(self.widths))[:3]
            foreign = sorted(set(self.widths) - set(names))[:3]
            raise WrongUse(
                f"the quantization policy is of another network: {len(self.widths)} operators, this one has "
                f"{len(names)}; it lacks {', '.join(missing) or 'none'} and has {', '.join(foreign) or 'none'} beside; "
                "make one for this network with nas quantize"
            )

    def of(self, table: LayerTable) -> LayerTable:
        """A table of height one with these widths; `WrongUse` where the policy is of another network."""
        self.check(quantizable_names(table))
        codes = [self.widths.get(name, FP32) for name in table.slot_names]
        bits = np.array([[(each.weight_bits, each.input_bits) for each in codes]])
        return with_widths(table, bits[..., 0], bits[..., 1], np.array([self.granularity == "channel"]))


def quantizable(table: LayerTable) -> NDArray[np.bool_]:
    """Which slots `(slots,)` hold an operator that a policy gives a width: convolutions and linear ones."""
    looked_up = np.array([name.endswith(_LOOKED_UP) for name in table.slot_names], dtype=bool)
    chosen: NDArray[np.bool_] = table.mask_of(*WEIGHTED) & ~looked_up
    return chosen


def quantizable_names(table: LayerTable) -> list[str]:
    """Those that a table of height one has, in execution order."""
    return [table.slot_names[slot] for slot in np.flatnonzero(quantizable(table) & table.present[0])]


def with_widths(
    table: LayerTable, weight_bits: IntArray, input_bits: IntArray, per_channel: NDArray[np.bool_]
) -> LayerTable:
    """The table with these bits `(n, slots)`, of which those of operators with weights count; `per_channel` `(n,)`.

    Norms and matrix products run on floats. A tensor is kept with as many bits as its neediest reader multiplies; what
    only passes elements on (additions, poolings) asks for as many as its own output is kept with; the network's output
    has those of the operator that makes it.
    """
    chosen, weighted = quantizable(table) & table.present, table.mask_of(*WEIGHTED) & table.present
    inputs = np.where(chosen, input_bits, FLOAT_BITS) * table.present
    bits = np.where(chosen, weight_bits, FLOAT_BITS * weighted).astype(np.int32)
    scales = np.where(per_channel[:, None], table.out_channels, 1) * (weighted & (bits < FLOAT_BITS))
    return replace(table, widths=Widths(bits, scales.astype(np.int32), inputs.astype(np.int32), _kept(table, inputs)))


def _kept(table: LayerTable, inputs: IntArray) -> IntArray:
    rows = np.arange(len(table))
    kept = np.zeros(table.present.shape, dtype=np.int32)
    for slot in reversed(range(table.slots)):
        here, kind = table.present[:, slot], table.kinds[slot]
        unread = here & (kept[:, slot] == 0)
        kept[unread, slot] = inputs[unread, slot]
        wanted = inputs[:, slot] if kind in (*WEIGHTED, *_ON_FLOATS) else kept[:, slot]
        for source in (table.input_a[:, slot], table.input_b[:, slot]):
            reads = here & (source >= 0)
            at = rows[reads], source[reads]
            kept[at] = np.maximum(kept[at], wanted[reads])
    return kept
