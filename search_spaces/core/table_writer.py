"""Writes a population's operators slot by slot, every row at once."""

from typing import Any, NamedTuple

import numpy as np

from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, IntArray, Kind, LayerTable

_BATCH_NORM, _BIAS, _LAYER_NORM = 2, 1, 2
_NEUTRAL = {"input_a": NO_INPUT, "input_b": NO_INPUT, "kernel": 1, "stride": 1, "groups": 1}
_COLUMNS = (
    "input_a",
    "input_b",
    "in_channels",
    "out_channels",
    "in_height",
    "in_width",
    "out_height",
    "out_width",
    "kernel",
    "stride",
    "groups",
    "channel_params",
)


class Tensor(NamedTuple):
    """An intermediate result in each row `(n,)`: the slot that made it, its channels, height and width."""

    source: IntArray
    channels: IntArray
    height: IntArray
    width: IntArray


class TableWriter:
    """Appends operators in execution order; `current` is the newest tensor of each row, which the next one reads.

    Every number may be one for all rows or an array `(n,)`. `here` says which rows have the operator at all: the
    others keep their current tensor. Convolutions keep ceil(side / stride) pixels, as with padding kernel // 2 and an
    odd kernel. A table is done once: `table()`.
    """

    def __init__(self, rows: int, channels: Any, height: Any, width: Any) -> None:
        self._rows = rows
        self._names: list[str] = []
        self._kinds: list[Kind] = []
        self._present: list[Any] = []
        self._cells: list[dict[str, Any]] = []
        self._cuts: list[IntArray] = []
        self.current = Tensor(*(self._column(value) for value in (NETWORK_INPUT, channels, height, width)))

    def write(
        self,
        name: str,
        kind: Kind,
        out: Any = None,
        size: tuple[Any, Any] | None = None,
        *,
        other: Tensor | None = None,
        here: Any = True,
        **cells: Any,
    ) -> Tensor:
        """One operator on the current tensor, and `other` where it has two inputs; returns the new current tensor.

        `out` channels and `size` (height, width) are those of its input unless given.
        """
        slot, inside = len(self._names), self.current
        made = Tensor(
            self._column(slot),
            inside.channels if out is None else self._column(out),
            *((inside.height, inside.width) if size is None else map(self._column, size)),
        )
        self._names.append(name)
        self._kinds.append(kind)
        self._present.append(here)
        before = {"in_channels": inside.channels, "in_height": inside.height, "in_width": inside.width}
        after = {"out_channels": made.channels, "out_height": made.height, "out_width": made.width}
        inputs = {"input_a": inside.source, "input_b": NO_INPUT if other is None else other.source}
        self._cells.append({**inputs, **before, **after, **cells})
        self.current = _where(here, made, inside)
        return self.current

    def conv(self, name: str, out: Any, kernel: Any = 1, stride: Any = 1, *, here: Any = True, **cells: Any) -> Tensor:
        """A convolution with batch norm, unless `channel_params` says otherwise."""
        told = {"kernel": kernel, "stride": stride, "channel_params": _BATCH_NORM, **cells}
        return self.write(name, Kind.CONV, out, self._strided(stride), here=here, **told)

    def depthwise(self, name: str, kernel: Any, stride: Any = 1, *, here: Any = True, **cells: Any) -> Tensor:
        """A depthwise convolution with batch norm, unless `channel_params` says otherwise."""
        told = {"kernel": kernel, "stride": stride, "channel_params": _BATCH_NORM, **cells}
        return self.write(name, Kind.DEPTHWISE, None, self._strided(stride), here=here, groups=self.current[1], **told)

    def linear(self, name: str, out: Any, *, here: Any = True, bias: bool = True) -> Tensor:
        """A linear operator on every token."""
        return self.write(name, Kind.LINEAR, out, here=here, channel_params=_BIAS * bias)

    def norm(self, name: str, *, here: Any = True) -> Tensor:
        """A layer norm of its own; batch norms belong to their convolution."""
        return self.write(name, Kind.NORM, here=here, channel_params=_LAYER_NORM)

    def pool(self, name: str, *, here: Any = True) -> Tensor:
        """The mean of the whole map."""
        return self.write(name, Kind.POOL, None, (1, 1), here=here)

    def add(self, name: str, other: Tensor, *, here: Any = True) -> Tensor:
        """Adds `other`."""
        return self.write(name, Kind.ADD, other=other, here=here)

    def concat(self, name: str, before: Tensor, *, here: Any = True) -> Tensor:
        """The channels of `before`, then those of the current tensor."""
        return self.write(name, Kind.CONCAT, before.channels + self.current.channels, other=before, here=here)

    def squeeze(self, name: str, reduced: Any, *, here: Any = True) -> Tensor:
        """Squeeze-excite: the gate is computed from the pooled map and multiplied onto it."""
        whole = self.current
        self.pool(f"{name}.squeeze", here=here)
        self.conv(f"{name}.reduce", reduced, here=here, channel_params=_BIAS)
        gate = self.conv(f"{name}.excite", whole.channels, here=here, channel_params=_BIAS)
        self.current = whole
        return self.write(f"{name}.gate", Kind.MULTIPLY, other=gate, here=here)

    def flatten(self) -> Tensor:
        """The current map as tokens x 1."""
        source, channels, height, width = self.current
        self.current = Tensor(source, channels, height * width, self._column(1))
        return self.current

    def reshape(self, like: Tensor) -> Tensor:
        """The current tokens as a map of the height and width of `like`."""
        self.current = self.current._replace(height=like.height, width=like.width)
        return self.current

    def view(self, tensor: Tensor, channels: Any, height: Any, width: Any = 1, *, here: Any = True) -> Tensor:
        """What is read next: `tensor` in another shape, or a part of it; the other rows keep their current one."""
        seen = Tensor(tensor.source, *map(self._column, (channels, height, width)))
        self.current = _where(here, seen, self.current)
        return self.current

    def cut(self) -> None:
        """A block ends here: a patch schedule may be split after each row's current tensor."""
        self._cuts.append(self.current.source)

    def table(self) -> LayerTable:
        """The table of all that was written; absent slots are neutral."""
        factors = [here if here is True else np.asarray(here, dtype=np.int32) for here in self._present]
        columns: dict[str, Any] = {column: self._cells_of(column, factors) for column in _COLUMNS}
        present = np.empty((len(self._names), self._rows), dtype=bool)
        for slot, here in enumerate(self._present):
            present[slot] = here
        cut, rows = np.zeros_like(present), np.arange(self._rows)
        for source in self._cuts:
            cut[source, rows] = True
        cut &= present
        columns["last_use"] = _last_use(columns["input_a"], columns["input_b"])
        return LayerTable(
            slot_names=tuple(self._names),
            kinds=tuple(self._kinds),
            present=present.T,
            cut=cut.T,
            **{name: column.T for name, column in columns.items()},
        )

    def _cells_of(self, column: str, factors: list[Any]) -> IntArray:
        """One column `(slots, n)`."""
        neutral = _NEUTRAL.get(column, 0)
        result = np.empty((len(self._names), self._rows), dtype=np.int32)
        for row, cells, here in zip(result, self._cells, factors, strict=True):
            value = cells.get(column, neutral)
            row[:] = value
            if here is not True and not (isinstance(value, int) and value == neutral):
                # arithmetic with 0 and 1 is several times faster than a selection
                row -= neutral
                row *= here
                row += neutral
        return result

    def _strided(self, stride: Any) -> tuple[Any, Any]:
        height, width = self.current.height, self.current.width
        if isinstance(stride, int) and stride == 1:
            return height, width
        return -(-height // stride), -(-width // stride)

    def _column(self, value: Any) -> IntArray:
        if isinstance(value, np.ndarray) and value.dtype == np.int32 and value.shape == (self._rows,):
            return value
        return np.broadcast_to(np.asarray(value, dtype=np.int32), (self._rows,))


def _where(here: Any, new: Tensor, old: Tensor) -> Tensor:
    """`new` in the rows of `here`, else `old`."""
    if here is True:
        return new
    return Tensor(*(a if a is b else np.where(here, a, b) for a, b in zip(new, old, strict=True)))


def _last_use(*inputs: IntArray) -> IntArray:
    """The last slot `(slots, n)` that reads each slot's output, by way of any of the columns `inputs`; else its own."""
    slots, n = inputs[0].shape
    result: IntArray = np.repeat(np.arange(slots, dtype=np.int32)[:, None], n, axis=1)
    rows = np.arange(n)
    newest = [column.max(axis=1, initial=NO_INPUT) for column in inputs]
    # in most slots all rows that read anything read the same
    alike = [((column == top[:, None]) | (column < 0)).all(axis=1) for column, top in zip(inputs, newest, strict=True)]
    for slot in range(slots):
        for column, top, same in zip(inputs, newest, alike, strict=True):
            if top[slot] < 0:
                continue
            source = column[slot]
            if same[slot]:
                np.copyto(result[top[slot]], slot, where=source >= 0)
            else:
                read = source >= 0
                result[source[read], rows[read]] = slot
    return result
