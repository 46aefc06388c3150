"""Every schedule of random networks against a literal simulation in plain Python: operator by operator, patch by patch.

The simulation shares nothing with the priced code but the list of layers. It knows the rules of each runtime in its own
words, keeps the set of tensors that are alive, and computes the size of every patch by going backwards from its
outputs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from predictors.hardware.layerwise import Layerwise
from predictors.hardware.memory import memory_rule
from predictors.hardware.patch_schedule import PatchSchedules
from predictors.hardware.price import price_table
from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, Layer, LayerTable
from search_spaces.mcunetv2.settings import Mcunetv2Settings
from search_spaces.mcunetv2.space import Mcunetv2

GRIDS = (2, 3, 4)
RUNTIMES = ("analytic", "c", "tinyengine")
LAYERWISE = (1, 0)


@dataclass(frozen=True)
class Figures:
    peak: int
    macs: int


class Simulation:
    """One network on one runtime."""

    def __init__(self, layers: list[Layer], runtime: str, count_input: bool) -> None:
        self.layers, self.runtime, self.count_input = layers, runtime, count_input
        self.readers: dict[int, list[int]] = {index: [] for index in range(-1, len(layers))}
        for index, layer in enumerate(layers):
            for source in {layer.input_a, layer.input_b} - {-2}:
                self.readers[source].append(index)

    def read_after(self, tensor: int, operator: int) -> bool:
        return any(reader > operator for reader in self.readers[tensor])

    def in_place(self, operator: int, out_elements: int, in_elements: int) -> bool:
        kinds = {
            "analytic": (Kind.DEPTHWISE, Kind.ADD, Kind.MULTIPLY, Kind.NORM),
            "c": (Kind.DEPTHWISE, Kind.ADD, Kind.MULTIPLY),
            "tinyengine": (Kind.DEPTHWISE, Kind.MULTIPLY),
        }[self.runtime]
        source = self.layers[operator].input_a
        possible = source != NETWORK_INPUT and not self.read_after(source, operator)
        return self.layers[operator].kind in kinds and possible and out_elements <= in_elements

    def onto_residual(self, tensor: int) -> bool:
        """Made straight onto the other input of the addition right behind, which alone reads it."""
        kinds = {"analytic": tuple(Kind), "c": (Kind.CONV,), "tinyengine": ()}[self.runtime]
        if self.layers[tensor].kind not in kinds or self.readers[tensor] != [tensor + 1]:
            return False
        add = self.layers[tensor + 1]
        if add.kind != Kind.ADD or add.input_a != tensor or not 0 <= add.input_b < tensor:
            return False
        return not self.read_after(add.input_b, tensor + 1)

    def rounded(self, elements: int, channels: int, in_patch: bool) -> int:
        if self.runtime == "analytic":
            return elements
        if in_patch and self.runtime == "tinyengine":  # as stated: three more where channels are no multiple of four
            return elements + (3 if channels % 4 else 0)
        return -(-elements // 4) * 4

    def working_bytes(self, end: int, start: int, sides: dict[int, tuple[int, int]], in_patch: bool) -> int:
        """The most bytes alive while the operators start..end run, tensors at the sizes `sides`."""

        def elements(tensor: int) -> int:
            height, width = sides[tensor]
            return self.layers[tensor].out_channels * height * width

        def size(tensor: int) -> int:
            if self.onto_residual(tensor):
                return 0
            return self.rounded(elements(tensor), self.layers[tensor].out_channels, in_patch)

        most = 0
        for operator in range(start, end + 1):
            layer = self.layers[operator]
            made_before = range(
                0 if in_patch else max(start - 1, 0), operator
            )  # behind a split only its output is left
            total = sum(size(t) for t in made_before if any(reader >= operator for reader in self.readers[t]))
            height, width = sides[layer.input_a] if layer.input_a >= 0 else (layer.in_height, layer.in_width)
            if self.in_place(operator, elements(operator), layer.in_channels * height * width):
                if self.runtime == "c" and layer.kind == Kind.DEPTHWISE:
                    total += min(size(operator), self.plane_bytes(operator, *sides[operator]))
            elif not (self.runtime == "c" and in_patch and operator == end):  # written straight into the whole buffer
                total += size(operator)
            if self.count_input and not in_patch and any(reader >= operator for reader in self.readers[NETWORK_INPUT]):
                total += self.image_bytes()
            most = max(most, total)
        return most

    def plane_bytes(self, operator: int, height: int, width: int) -> int:
        """One channel of what a depthwise convolution reads, with its padding, rows in words."""
        layer = self.layers[operator]
        rows, columns = (layer.stride * (side - 1) + layer.kernel for side in (height, width))
        return rows * ((columns + 3) // 4 * 4)

    def image_bytes(self) -> int:
        first = self.layers[0]
        return self.rounded(first.in_channels * first.in_height * first.in_width, 0, False)

    def scratch_bytes(self, start: int, end: int, in_sides: dict[int, tuple[int, int]]) -> int:
        """The operators' shared buffer; `in_sides`: height and width of each operator's input."""
        if self.runtime != "tinyengine":
            return 0
        most = 0
        for operator in range(start, end + 1):
            layer = self.layers[operator]
            pad = 2 * (layer.kernel // 2)
            if layer.kind == Kind.CONV:
                most = max(most, 2 * 2 * layer.kernel**2 * layer.in_channels)
            elif layer.kind == Kind.DEPTHWISE:
                height, width = in_sides[operator]
                most = max(most, 2 * (height + pad) * (width + pad))
        return self.rounded(most, 0, False)

    def kernel_bytes(self) -> int:
        if self.runtime != "tinyengine":
            return 0
        large = [layer for layer in self.layers if layer.kind == Kind.CONV and layer.kernel > 1]
        largest = max((2 * layer.kernel**2 * layer.in_channels * layer.out_channels for layer in large), default=0)
        return self.rounded(largest, 0, False)

    def macs(self, operator: int, height: int, width: int) -> int:
        layer = self.layers[operator]
        if layer.kind not in (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR):
            return 0
        return layer.in_channels // layer.groups * layer.kernel**2 * layer.out_channels * height * width

    def whole_sides(self) -> dict[int, tuple[int, int]]:
        return {index: (layer.out_height, layer.out_width) for index, layer in enumerate(self.layers)}

    def in_sides(self) -> dict[int, tuple[int, int]]:
        return {index: (layer.in_height, layer.in_width) for index, layer in enumerate(self.layers)}

    def layer_by_layer(self) -> Figures:
        last = len(self.layers) - 1
        work = self.working_bytes(last, 0, self.whole_sides(), in_patch=False)
        scratch = self.scratch_bytes(0, last, self.in_sides())
        macs = sum(self.macs(i, layer.out_height, layer.out_width) for i, layer in enumerate(self.layers))
        return Figures(work + scratch + self.kernel_bytes(), macs)

    def patch_sides(
        self, split: int, height: int, width: int
    ) -> tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]]:
        """Sides of every output, and of every operator's input, that a patch of the split's output needs, padded."""
        sides, in_sides = {split: (height, width)}, {}
        for operator in range(split, -1, -1):
            layer = self.layers[operator]
            need = tuple((side - 1) * layer.stride + layer.kernel for side in sides[operator])
            in_sides[operator] = (need[0], need[1])
            for source in (layer.input_a, layer.input_b):
                if source >= 0:
                    known = sides.get(source, (0, 0))
                    sides[source] = (max(known[0], need[0]), max(known[1], need[1]))
        return sides, in_sides

    def patched(self, grid: int, split: int) -> Figures:
        """Every patch in turn, the last of a row or column smaller; then what runs behind the split."""
        end = self.layers[split]
        work, scratch, macs = 0, 0, 0
        if self.runtime == "c":
            return self.clipped(grid, split)
        for height in grains(end.out_height, grid):
            for width in grains(end.out_width, grid):
                sides, in_sides = self.patch_sides(split, height, width)
                work = max(work, self.working_bytes(split, 0, sides, in_patch=True))
                scratch = max(scratch, self.scratch_bytes(0, split, in_sides))
                macs += sum(self.macs(operator, *sides[operator]) for operator in range(split + 1))
        work += self.rounded(end.out_channels * end.out_height * end.out_width, end.out_channels, False)
        work += self.image_bytes() if self.count_input else 0
        last = len(self.layers) - 1
        tail = self.working_bytes(last, split + 1, self.whole_sides(), in_patch=False)
        scratch = max(scratch, self.scratch_bytes(split + 1, last, self.in_sides()))
        behind = range(split + 1, len(self.layers))
        macs += sum(self.macs(i, self.layers[i].out_height, self.layers[i].out_width) for i in behind)
        return Figures(max(work, tail) + scratch + self.kernel_bytes(), macs)

    def clipped(self, grid: int, split: int) -> Figures:
        """The same where no patch reaches beyond a map: buffers for the tallest and the widest patch of each tensor."""
        end = self.layers[split]
        rows = [self.needed(split, 0, *each) for each in ranges(end.out_height, grid)]
        columns = [self.needed(split, 1, *each) for each in ranges(end.out_width, grid)]
        lengths = [
            [{tensor: stop - start for tensor, (start, stop) in each.items()} for each in axis]
            for axis in (rows, columns)
        ]
        tallest, widest = ({t: max(each[t] for each in axis) for t in range(split + 1)} for axis in lengths)
        sides = {tensor: (tallest[tensor], widest[tensor]) for tensor in range(split + 1)}
        work = self.working_bytes(split, 0, sides, in_patch=True)
        work += self.rounded(end.out_channels * end.out_height * end.out_width, end.out_channels, False)
        work += self.image_bytes() if self.count_input else 0
        macs = sum(
            self.macs(operator, height[operator], width[operator])
            for height in lengths[0]
            for width in lengths[1]
            for operator in range(split + 1)
        )
        last = len(self.layers) - 1
        tail = self.working_bytes(last, split + 1, self.whole_sides(), in_patch=False)
        behind = range(split + 1, len(self.layers))
        macs += sum(self.macs(i, self.layers[i].out_height, self.layers[i].out_width) for i in behind)
        return Figures(max(work, tail), macs)

    def needed(self, split: int, axis: int, start: int, stop: int) -> dict[int, tuple[int, int]]:
        """Rows or columns of every tensor that some of the split's output need, padding left out."""
        found = {split: (start, stop)}
        for operator in range(split, -1, -1):
            layer = self.layers[operator]
            given = (layer.in_height, layer.in_width)[axis]
            # every network here pads as its kernel is wide
            touched = [
                place * layer.stride + tap - layer.kernel // 2
                for place in range(*found[operator])
                for tap in range(layer.kernel)
            ]
            inside = [place for place in touched if 0 <= place < given]
            for source in (layer.input_a, layer.input_b):
                if source >= 0:
                    known = found.get(source, (given, 0))
                    found[source] = (min(known[0], *inside, given), max(known[1], *(place + 1 for place in inside), 0))
        return found

    def splits(self) -> Iterator[tuple[int, int]]:
        """(number of blocks, operator) of every place where a patch stage may end."""
        number = 0
        for operator, layer in enumerate(self.layers):
            if layer.kind in (Kind.POOL, Kind.LINEAR, Kind.MATMUL):
                return
            number += layer.cut
            held = any(self.read_after(tensor, operator) for tensor in range(-1, operator))
            if layer.cut and not held and self.readers[operator]:
                yield number, operator

    def schedules(self) -> dict[tuple[int, int], Figures]:
        """Figures by (patches, split)."""
        found = {LAYERWISE: self.layer_by_layer()}
        for number, operator in self.splits():
            end = self.layers[operator]
            for grid in GRIDS:
                if grains(end.out_height, grid) and grains(end.out_width, grid):
                    found[grid, number] = self.patched(grid, operator)
        return found


def grains(side: int, grid: int) -> list[int]:
    """Rows of each patch; empty where the grid would leave a patch without any."""
    full = -(-side // grid)
    rest = side - full * (grid - 1)
    return [*([full] * (grid - 1)), rest] if rest > 0 else []


def ranges(side: int, grid: int) -> list[tuple[int, int]]:
    """First and behind the last row of each patch."""
    full = -(-side // grid)
    return [(place * full, min(place * full + full, side)) for place in range(grid)]


def choose(schedules: dict[tuple[int, int], Figures], limits: dict[str, float] | None) -> tuple[int, int]:
    """The stated rule: least MACs among those that fit, or least peak; then the other, early split, small grid."""
    if limits is None:
        return min(schedules, key=lambda key: (schedules[key].peak, schedules[key].macs, key[1], key[0]))
    fitting = [
        key
        for key, figures in schedules.items()
        if figures.peak <= limits.get("peak_sram_bytes", np.inf) and figures.macs <= limits.get("macs", np.inf)
    ]
    return min(fitting, key=lambda key: (schedules[key].macs, schedules[key].peak, key[1], key[0]), default=LAYERWISE)


def settings(
    backbone: str, width: str, resolutions: tuple[int, ...], aspect: tuple[int, int], channels: int
) -> Mcunetv2Settings:
    return Mcunetv2Settings(
        backbone=backbone,  # type: ignore[arg-type]
        width=width,  # type: ignore[arg-type]
        resolutions=resolutions,
        aspect=aspect,
        channels=channels,
        classes=7,
    )


SPACES = [
    settings("full", "per_stage", (32, 50, 96), (1, 1), 3),
    settings("full", "per_block", (48, 72), (3, 4), 3),
    settings("small", "per_stage", (24, 36, 61), (5, 3), 1),
    settings("small", "per_block", (40, 64), (1, 1), 3),
    settings("micro", "per_stage", (16, 24, 32), (1, 1), 1),
    settings("micro", "per_block", (16, 27), (2, 1), 2),
]


def random_arguments(rng: np.random.Generator) -> dict[str, Any]:
    """A plain network that no space holds: odd channels, squeeze-excite, strides of 3, blocks without expansion."""
    inside = int(rng.integers(1, 20))
    blocks: list[dict[str, Any]] = []
    stem = {"out": inside, "kernel": int(rng.choice([1, 3, 5])), "stride": int(rng.choice([1, 2, 3]))}
    for _ in range(int(rng.integers(1, 6))):
        stride = int(rng.choice([1, 1, 1, 2, 3]))
        kernel = int(rng.choice([1, 3, 5, 7])) if stride == 1 else int(rng.choice([3, 5]))
        out = inside if rng.random() < 0.6 else int(rng.integers(1, 24))
        blocks.append(
            {
                "in": inside,
                "mid": int(rng.choice([0, inside * 2, inside * 3 + 1])),
                "out": out,
                "kernel": kernel,
                "stride": stride,
                "residual": stride == 1 and out == inside and bool(rng.random() < 0.8),
                "squeeze": int(rng.integers(1, 5)) if rng.random() < 0.15 else 0,
            }
        )
        inside = out
    size = [int(rng.integers(1, 4)), int(rng.integers(9, 60)), int(rng.integers(9, 60))]
    mix = int(rng.integers(1, 30)) if rng.random() < 0.3 else 0
    return {"input_size": size, "stem": stem, "blocks": blocks, "mix": mix, "classes": 5}


def random_limits(rng: np.random.Generator, schedules: dict[tuple[int, int], Figures]) -> dict[str, float]:
    """Limits near what the schedules need, so that some fit and some do not."""
    peaks = sorted(figures.peak for figures in schedules.values())
    limits: dict[str, float] = {"peak_sram_bytes": float(rng.choice(peaks) + rng.integers(-1, 2))}
    if rng.random() < 0.3:
        limits["macs"] = float(rng.choice([figures.macs for figures in schedules.values()]))
    return limits


def priced_schedules(table: LayerTable, runtime: str, count_input: bool) -> list[dict[tuple[int, int], Figures]]:
    """What our code says of every schedule of every row."""
    layerwise = price_table(table, runtime, None, "none", count_input)
    figures = zip(layerwise["peak_sram_bytes"].tolist(), layerwise["macs"].tolist(), strict=True)
    found = [{LAYERWISE: Figures(peak, macs)} for peak, macs in figures]
    schedules = PatchSchedules(Layerwise.of(table, memory_rule(runtime), count_input))
    for slot in schedules.split_slots():
        rows = np.flatnonzero(schedules.splits[slot])
        stage = schedules.stage(slot, rows)
        for grid in GRIDS:
            priced, admitted = stage.price(grid), stage.admits(grid)
            for i, row in enumerate(rows):
                if admitted[i]:
                    key = (grid, int(priced.split[i]))
                    found[row][key] = Figures(int(priced.peak_bytes[i]), int(priced.macs[i]))
                    assert found[row][key] == Figures(priced.peak_bytes[i], priced.macs[i]), "whole numbers"
    return found


def fits(figures: Figures, limits: dict[str, float]) -> bool:
    return figures.peak <= limits.get("peak_sram_bytes", np.inf) and figures.macs <= limits.get("macs", np.inf)


def assert_prices_are_simulated(table: LayerTable, runtime: str, count_input: bool, rng: np.random.Generator) -> None:
    priced = priced_schedules(table, runtime, count_input)
    for row, ours in enumerate(priced):
        expected = Simulation(table.layers(row), runtime, count_input).schedules()
        assert ours == expected
        one = table.select(slice(row, row + 1))
        for limits in (None, random_limits(rng, expected), random_limits(rng, expected), {"macs": 1e12}):
            chosen = price_table(one, runtime, limits, "auto", count_input)
            key = choose(expected, limits)
            assert (int(chosen["patches"][0]), int(chosen["split"][0])) == key, limits
            assert Figures(int(chosen["peak_sram_bytes"][0]), int(chosen["macs"][0])) == expected[key]
            assert bool(chosen["fits"][0]) == fits(expected[key], limits or {})


@pytest.mark.parametrize("count_input", [False, True], ids=["without_image", "with_image"])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("chosen", SPACES, ids=lambda s: f"{s.backbone}-{s.width}")
def test_every_schedule_of_random_architectures(chosen: Mcunetv2Settings, runtime: str, count_input: bool) -> None:
    rng = np.random.default_rng([*runtime.encode(), *chosen.backbone.encode(), *chosen.width.encode(), count_input])
    space = Mcunetv2(chosen)
    assert_prices_are_simulated(space.decode(space.sample(rng, 3)), runtime, count_input, rng)


@pytest.mark.parametrize("count_input", [False, True], ids=["without_image", "with_image"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_schedule_of_networks_outside_every_space(runtime: str, count_input: bool) -> None:
    rng = np.random.default_rng([3, *runtime.encode(), count_input])
    for _ in range(40):
        table = LayerTable.from_layers(mbconv_layers(random_arguments(rng)))
        assert_prices_are_simulated(table, runtime, count_input, rng)
