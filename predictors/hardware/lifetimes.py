"""Which tensors of one network are alive when, under a runtime's memory rule and a schedule: what a plan is made of."""

from collections.abc import Mapping

import numpy as np

from predictors.hardware.geometry import stage_end
from predictors.hardware.liveness import plane_bytes
from predictors.hardware.memory import memory_rule
from predictors.hardware.memory.rule import MemoryRule
from predictors.hardware.memory_plan import Lifetime
from predictors.hardware.patch_ranges import largest_sides
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, Layer, LayerTable

PATCH, PLANE = "patch:", "plane:"
"""What the names of a patch's tensors, and of a depthwise convolution's plane, begin with."""


def lifetimes(
    table: LayerTable, row: int, runtime: str, patches: int = 1, split: int = 0, count_input: bool = False
) -> list[Lifetime]:
    """The tensors of one network under a runtime's memory rule and a schedule, in execution order.

    Operator i is the i-th present one. `patches`, `split` as priced: 1, 0 layer by layer, else `patches` x `patches`
    patches over `split` blocks. A patch stage is written once, for its largest patch: tensors `patch:NAME` at the
    patch's size, beside the whole buffer NAME of the split's output, alive from the start. `plane:NAME` is what a
    depthwise convolution in place needs beside its map while it runs. Scratch buffers of the
    runtime are alive throughout; `count_input` adds the image, alive while it is read. Sizes are not yet rounded: hand
    the rule's `alignment` to `plan`. An operator works in place only where nobody else reads what it overwrites.
    `WrongUse` for an unknown runtime or a schedule that the network does not admit.
    """
    network = _Network(table.select(slice(row, row + 1)), memory_rule(runtime))
    stage = network.stage_end(patches, split)
    result = network.image(stage, count_input)
    sides = network.patch_sides(stage, patches) if stage >= 0 else {}
    for i, own in sorted(sides.items()):
        result += network.tensor(i, own, stage)
    for i in range(max(stage, 0), len(network.layers)):
        result += network.whole_map(i, stage)
    return result + network.scratch(stage, sides)


class _Network:
    """One row of a table, its operators numbered by position, with the rule that says who shares storage."""

    def __init__(self, table: LayerTable, rule: MemoryRule) -> None:
        self.table, self.rule, self.layers = table, rule, table.layers(0)
        inputs = [(layer.input_a, layer.input_b) for layer in self.layers]
        self.readers = [[i for i, sources in enumerate(inputs) if made in sources] for made in range(len(inputs))]
        slots = np.flatnonzero(table.present[0])
        position = {int(slot): i for i, slot in enumerate(slots)}
        self.last_use = [position[int(slot)] for slot in table.last_use[0, slots]]

    def stage_end(self, patches: int, split: int) -> int:
        """Position of the patch stage's last operator, -1 layer by layer."""
        if patches == 1 and split == 0:
            return -1
        return stage_end(self.table, self.layers, patches, split)

    def patch_sides(self, stage: int, patches: int) -> dict[int, tuple[int, int]]:
        """Height and width of the largest patch of each tensor up to the split: what its readers need at most."""
        if self.rule.clips:
            found = largest_sides(self.layers, stage, patches)
            del found[stage]  # written straight into the whole buffer
            return found
        last = self.layers[stage]
        sides = {stage: (-(-last.out_height // patches), -(-last.out_width // patches))}
        for i in range(stage, -1, -1):
            layer = self.layers[i]
            need = [(side - 1) * layer.stride + layer.kernel for side in sides[i]]
            for source in (layer.input_a, layer.input_b):
                if source >= 0:
                    height, width = sides.get(source, (0, 0))
                    sides[source] = (max(height, need[0]), max(width, need[1]))
        return sides

    def image(self, stage: int, count_input: bool) -> list[Lifetime]:
        reads = [i for i, layer in enumerate(self.layers) if NETWORK_INPUT in (layer.input_a, layer.input_b)]
        first = self.layers[0]
        size = first.in_channels * first.in_height * first.in_width
        return [Lifetime("image", size, 0, max(*reads, stage))] if count_input and reads else []

    def whole_map(self, i: int, stage: int) -> list[Lifetime]:
        layer = self.layers[i]
        sides = (layer.out_height, layer.out_width)
        if i == stage:
            return [Lifetime(layer.name, _bytes(layer, sides[0] * sides[1]), 0, self.last_use[i])]
        return self.tensor(i, sides, -1)

    def tensor(self, i: int, sides: tuple[int, int], stage: int) -> list[Lifetime]:
        """The output of operator i, inside the patch stage that ends at `stage` (-1: outside), and its plane."""
        layer, prefix = self.layers[i], PATCH if stage >= 0 else ""
        size, shared, planes = _bytes(layer, sides[0] * sides[1]), self._shared_with(i), []
        if self.rule.plane and layer.kind == Kind.DEPTHWISE and shared is not None:
            plane = plane_bytes(*sides, layer.kernel, layer.stride, self.rule.alignment)
            if plane < -(-size // self.rule.alignment) * self.rule.alignment:
                planes = [Lifetime(f"{PLANE}{prefix}{layer.name}", plane, i, i)]
            else:
                shared = None
        last = min(self.last_use[i], stage) if stage >= 0 else self.last_use[i]
        alias = None if shared is None else prefix + self.layers[shared].name
        return [Lifetime(prefix + layer.name, size, i, last, alias), *planes]

    def _shared_with(self, i: int) -> int | None:
        """The tensor whose storage the output of operator i takes over, were there no planes."""
        layer = self.layers[i]
        if layer.kind in self.rule.accumulates and self.readers[i] == [i + 1] and self.last_use[i] == i + 1:
            add = self.layers[i + 1]
            earlier = 0 <= add.input_b < i and self.last_use[add.input_b] == i + 1
            if add.kind == Kind.ADD and add.input_a == i and earlier:
                return add.input_b
        free = layer.input_a >= 0 and self.last_use[layer.input_a] == i
        made = layer.out_channels * layer.out_height * layer.out_width * layer.kept_bits
        read = layer.in_channels * layer.in_height * layer.in_width
        fits = free and made <= read * self.layers[layer.input_a].kept_bits
        return layer.input_a if layer.kind in self.rule.in_place and fits else None

    def scratch(self, stage: int, sides: Mapping[int, tuple[int, int]]) -> list[Lifetime]:
        """The rule's buffers, sized for the neediest operator, alive throughout."""
        scratch, end = self.rule.scratch, len(self.layers) - 1
        if scratch is None:
            return []
        fixed = scratch.by_slot(self.table)[0][self.table.present[0]]
        largest = 0
        for i, layer in enumerate(self.layers):
            height, width = (layer.in_height, layer.in_width) if i > stage else sides.get(layer.input_a, (0, 0))
            pad = 2 * (layer.kernel // 2)
            padded = (height + pad) * (width + pad) * scratch.padded_map_bytes
            largest = max(largest, padded if layer.kind == Kind.DEPTHWISE else int(fixed[i]))
        constant = int(scratch.constant(self.table)[0])
        buffers = {"scratch:operator": largest, "scratch:kernel": constant}
        return [Lifetime(name, size, 0, end) for name, size in buffers.items() if size]


def _bytes(layer: Layer, positions: int) -> int:
    """Of so many positions of its output."""
    return -(-layer.out_channels * positions * layer.kept_bits // 8)
