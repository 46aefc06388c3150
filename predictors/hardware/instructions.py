"""Instructions that generated C takes on a core: sums over calls of kernels, each linear in what its loops run over.

The kernels have no branch on data, so that an instruction count is a polynomial of shapes; its coefficients were
learnt from calls counted on the simulated core, and stand in `instruction_counts/`, one file a core, written by
benchmarks/instruction_counts.py. They are of one compiler, int8 weights, outputs over all of int8.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.layer_table import Kind, LayerTable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_FOLDER = "predictors.hardware.instruction_counts"
_FEW_CHANNELS = 4
_GUESSED_AN_ELEMENT = 40.0
_INPUTS_AT_ONCE, _OUTPUTS_AT_ONCE = 16, 4
_WINDOWED = (Kind.CONV, Kind.DEPTHWISE)
_ELEMENTWISE = {Kind.ADD: "add", Kind.MULTIPLY: "multiply"}


@dataclass(frozen=True)
class Calls:
    """Shapes of calls of one kernel, arrays of one shape. `height`, `width` of the output; `inputs`, `outputs`:
    channels; `border`: pixels of the output whose window reaches over the map's border.
    """

    height: Floats
    width: Floats
    inputs: Floats
    outputs: Floats
    border: Floats

    @classmethod
    def of(cls, *values: Any) -> "Calls":
        """Of numbers or arrays."""
        return cls(*(np.asarray(value, dtype=np.float64) for value in values))


def call_features(kernel_name: str, calls: Calls, vectors: bool = False) -> Floats:
    """What a kernel's loops run over, one more axis behind: constant, channels, then by kernel.

    `vectors`: of cores that take sixteen inputs, or four outputs of a depthwise convolution, at once.
    """
    pixels, channels = calls.height * calls.width, calls.outputs
    one = np.ones_like(pixels)
    if kernel_name.startswith("depthwise"):
        _, sides, stride = kernel_name.split("_")
        kernel, step = float(sides.partition("x")[0]), float(stride[1:])
        rows, columns = (calls.height - 1) * step + kernel, (calls.width - 1) * step + kernel
        odd_rows = calls.height * (calls.width % 2)
        parts = [one, channels, channels * rows, channels * rows * columns, channels * calls.height, channels * pixels,
                 channels * odd_rows]  # fmt: skip
        parts += [channels * calls.height * np.ceil(calls.width / _OUTPUTS_AT_ONCE)] * vectors
    elif kernel_name.startswith("convolution"):
        inside = pixels - calls.border
        parts = [one, channels, channels * calls.height, channels * inside, channels * inside * calls.inputs,
                 channels * calls.border, channels * calls.border * calls.inputs]  # fmt: skip
    elif kernel_name in _ELEMENTWISE.values():
        parts = [one, calls.height, channels * pixels]
    elif kernel_name == "mean":
        parts = [one, channels, channels * calls.height, channels * pixels]
    else:
        odd = pixels % 2
        even = pixels - odd
        parts = [one, channels, channels * even, channels * even * calls.inputs, channels * odd,
                 channels * odd * calls.inputs]  # fmt: skip
        steps = np.ceil(calls.inputs / _INPUTS_AT_ONCE)
        parts += [channels * even * steps, channels * odd * steps] * vectors
    return np.stack(parts, axis=-1)


@dataclass(frozen=True)
class InstructionModel:
    """Coefficients by kernel, in the order of `call_features`; `vectors` as there. `within`: how far off a program may
    be, as a fraction.
    """

    coefficients: Mapping[str, tuple[float, ...]]
    vectors: bool = False
    within: float = 0.03

    def of_calls(self, kernel_name: str, calls: Calls) -> Floats:
        """Instructions of each call. One that was never counted is guessed: of a kernel of another size by its area, of
        another kind by its elements.
        """
        known = self._nearest(kernel_name)
        if known is None:
            return np.asarray(_GUESSED_AN_ELEMENT * calls.height * calls.width * calls.outputs)
        area = (_size(kernel_name) / _size(known)) ** 2
        features = call_features(known, calls, self.vectors)
        return np.asarray(area * (features @ np.array(self.coefficients[known])))

    def knows(self, kernel_name: str, calls: Calls) -> Bools:
        """Whether calls are like those that were counted: of windows over many channels there were none."""
        few = calls.inputs <= _FEW_CHANNELS if kernel_name.startswith("convolution") else np.ones_like(calls.inputs)
        return np.asarray(few.astype(bool) & (kernel_name in self.coefficients))

    def _nearest(self, name: str) -> str | None:
        if name in self.coefficients:
            return name
        kind = name.partition("_")[0]
        same = [each for each in self.coefficients if each.startswith(kind)]
        return min(same, key=lambda each: abs(_size(each) - _size(name))) if same else None

    def of_table(self, table: LayerTable) -> Floats:
        """Of networks `(n,)`, layer by layer."""
        total = np.zeros(len(table))
        for _, there, name, calls in table_calls(table):
            total += there * self.of_calls(name, calls)
        return total

    def knows_table(self, table: LayerTable) -> Bools:
        """Of networks `(n,)`: whether all their calls are known."""
        known = np.ones(len(table), dtype=bool)
        for _, there, name, calls in table_calls(table):
            known &= ~there | self.knows(name, calls)
        return known


def core_names() -> list[str]:
    """The cores whose instructions are known."""
    return sorted(path.name.removesuffix(".toml") for path in files(_FOLDER).iterdir() if path.name.endswith(".toml"))


@cache
def instruction_model(core: str) -> InstructionModel:
    """Of a core that has a file."""
    told = tomllib.loads(files(_FOLDER).joinpath(f"{core}.toml").read_text(encoding="utf-8"))
    coefficients = {name: tuple(values) for name, values in told["coefficients"].items()}
    return InstructionModel(coefficients, told.get("vectors", False), told.get("within", InstructionModel.within))


def fit(counted: Iterable[tuple[str, Calls, float]], vectors: bool = False) -> InstructionModel:
    """From calls and their instructions, each as important as another: the least squares of relative errors."""
    by_kernel: dict[str, list[tuple[Floats, float]]] = {}
    for name, calls, instructions in counted:
        by_kernel.setdefault(name, []).append((call_features(name, calls, vectors), instructions))
    found = {}
    for name, rows in sorted(by_kernel.items()):
        features, wanted = np.array([row for row, _ in rows]), np.array([each for _, each in rows])
        solved = np.linalg.lstsq(features / wanted[:, None], np.ones(len(wanted)), rcond=None)[0]
        found[name] = tuple(float(f"{value:.6g}") for value in solved)
    return InstructionModel(found, vectors)


def kernel_name(kind: Kind, kernel: int, stride: int, fused: bool = False) -> str:
    """As the coefficients have it; `fused`: with the addition behind it."""
    if kind == Kind.DEPTHWISE:
        return f"depthwise_{kernel}x{kernel}_s{stride}"
    if kind == Kind.CONV and (kernel, stride) != (1, 1):
        return f"convolution_{kernel}x{kernel}_s{stride}"
    if kind == Kind.CONV:
        return "pointwise_add" if fused else "pointwise"
    return {**_ELEMENTWISE, Kind.LINEAR: "linear"}.get(kind, "mean")


def table_calls(table: LayerTable) -> Iterator[tuple[int, Bools, str, Calls]]:
    """Slot, in which networks `(n,)`, kernel and shapes of each call of whole maps. An addition that its convolution
    takes over is part of that one.
    """
    fused = np.zeros((len(table), table.slots + 1), dtype=bool)
    for slot in table.slots_of(Kind.ADD).tolist():
        if slot and table.kinds[slot - 1] == Kind.CONV:
            fused[:, slot - 1] = table.present[:, slot] & table.present[:, slot - 1]
    for slot in range(table.slots):
        kind, there = table.kinds[slot], table.present[:, slot].astype(bool)
        if kind == Kind.ADD and slot and fused[:, slot - 1].any():
            there = there & ~fused[:, slot - 1]
        calls = _calls(table, slot)
        for added in (False, True):
            here = there & (fused[:, slot] == added)
            shapes = np.stack([table.kernel[:, slot], table.stride[:, slot]], axis=1)
            for kernel, stride in np.unique(shapes[here], axis=0).tolist():
                chosen = here & (shapes == (kernel, stride)).all(axis=1)
                yield slot, chosen, kernel_name(kind, kernel, stride, added), calls


def _calls(table: LayerTable, slot: int) -> Calls:
    height, width = table.out_height[:, slot], table.out_width[:, slot]
    if table.kinds[slot] == Kind.POOL:
        height, width = table.in_height[:, slot], table.in_width[:, slot]
    border = np.zeros(len(table))
    if table.kinds[slot] in _WINDOWED:
        sides = ("height", "width")
        kernel, stride = table.kernel[:, slot], table.stride[:, slot]
        rows, columns = (
            inside(getattr(table, f"in_{side}")[:, slot], getattr(table, f"out_{side}")[:, slot], kernel, stride)
            for side in sides
        )
        border = height * width - rows * columns
    return Calls.of(height, width, table.in_channels[:, slot], table.out_channels[:, slot], border)


def inside(side: Any, outputs: Any, kernel: Any, stride: Any) -> Any:
    """Along an axis: how many outputs have their window inside, padded by half a kernel before."""
    before = kernel // 2
    first = -(-before // stride)
    behind = np.minimum((side + before - kernel) // stride + 1, outputs)
    return np.maximum(behind - first, 0)


def _size(name: str) -> int:
    digits = [part for part in name.replace("x", "_").replace("s", "_").split("_") if part.isdigit()]
    return int(digits[0]) if digits else 1
