"""The first blocks of a captured network, patch by patch.

The output of the stage is cut into a grid; each patch computes its part from the part of the picture that it sees,
halos included, so that neighbours compute some elements twice. What lies outside the picture is zero before every
convolution, as it is for the whole map: patches change nothing but the order of the work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantization.capture import Captured, kept_node
from predictors.hardware.geometry import stage_end
from search_spaces.core.errors import FitnasError
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, Layer, LayerTable

Span = tuple[int, int]
"""First row, or column, and the one behind the last."""

Weights = Mapping[str, Tensor]

_BUILT = (Kind.CONV, Kind.DEPTHWISE, Kind.ADD)


class Region(NamedTuple):
    """Part of a map. It may reach beyond the map, where everything is zero."""

    rows: Span
    columns: Span

    def clipped(self, height: int, width: int) -> "Region":
        """What of it lies on the map."""
        (top, bottom), (left, right) = self
        return Region((max(top, 0), min(bottom, height)), (max(left, 0), min(right, width)))

    @property
    def positions(self) -> int:
        """How many elements a channel has in it."""
        return (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])

    def around(self, other: "Region") -> "Region":
        """The smallest region with both."""
        spans = zip(self, other, strict=True)
        rows, columns = ((min(a[0], b[0]), max(a[1], b[1])) for a, b in spans)
        return Region(rows, columns)


@dataclass(frozen=True)
class FeatureMap:
    """What is kept of one operator of the stage; the first is the picture.

    `made`: the node that computes it, `node` the one whose value is kept (its activation). `layer`: position in the
    operator table's list, -1 for the picture. `sources`: nodes that are read. `height`, `width` of the whole map.
    """

    made: str
    node: str
    layer: int
    sources: tuple[str, ...]
    height: int
    width: int


@dataclass(frozen=True)
class Branch:
    """What one patch computes: by kept node the region, unclipped."""

    place: tuple[int, int]
    regions: Mapping[str, Region]


@dataclass(frozen=True)
class PatchStage:
    """The patch stage of a captured network under a schedule. `maps`: the picture, then in execution order; the last
    one is the stage's output. `layers`: the network's whole operator list. `branches`: row by row of the grid.
    """

    captured: Captured
    layers: Sequence[Layer]
    grid: int
    maps: tuple[FeatureMap, ...]

    @classmethod
    def of(cls, captured: Captured, table: LayerTable, grid: int, split: int) -> "PatchStage":
        """Of a network whose operator table has height one, for `grid` x `grid` patches over `split` blocks.

        `WrongUse` where the network does not admit that schedule, `FitnasError` where the stage has operators other
        than convolutions, activations and additions.
        """
        layers = table.layers(0)
        end = stage_end(table, layers, grid, split)
        return cls(captured, layers, grid, _maps(captured, layers[: end + 1]))

    @property
    def output(self) -> FeatureMap:
        """The map that the patches put together."""
        return self.maps[-1]

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """One a patch; the last of a row or column computes what remains."""
        rows, columns = (_cuts(side, self.grid) for side in (self.output.height, self.output.width))
        return tuple(
            Branch((i, j), self._regions(Region(r, c)))
            for (i, r), (j, c) in product(enumerate(rows), enumerate(columns))
        )

    def _regions(self, own: Region) -> dict[str, Region]:
        """What a patch needs of every map for its region of the output."""
        needed = {self.output.node: own}
        for each in reversed(self.maps[1:]):
            layer, region = self.layers[each.layer], needed[each.node]
            pad = self._padding(each) if layer.kind != Kind.ADD else (0, 0)
            spans = (
                (first * layer.stride - before, (behind - 1) * layer.stride - before + layer.kernel)
                for (first, behind), before in zip(region, pad, strict=True)
            )
            wanted = Region(*spans)
            for source in each.sources:
                needed[source] = wanted.around(needed[source]) if source in needed else wanted
        return needed

    def _padding(self, each: FeatureMap) -> tuple[int, int]:
        module: Any = self.captured.module(self.captured.node(each.made))
        return int(module.padding[0]), int(module.padding[1])

    def macs(self, branch: Branch) -> dict[str, int]:
        """Multiply-accumulates of one patch by the kept node of the operator, borders at their padded size.

        That is the rule of `predictors.hardware.patch_schedule`, halos included.
        """
        result = {}
        for each in self.maps[1:]:
            layer = self.layers[each.layer]
            if layer.kind != Kind.ADD:
                result[each.node] = _products(layer) * branch.regions[each.node].positions
        return result

    @property
    def macs_behind(self) -> int:
        """Multiply-accumulates of what runs layer by layer."""
        weighted = (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR, Kind.MATMUL)
        behind = [layer for layer in self.layers[self.output.layer + 1 :] if layer.kind in weighted]
        return sum(_products(layer) * layer.out_height * layer.out_width for layer in behind)

    def tile(self, pictures: Tensor, branch: Branch) -> Tensor:
        """What one patch sees of pictures (n, C, H, W), without the zeros around them."""
        return _cropped(pictures, self._clipped(branch, self.maps[0]))

    def _clipped(self, branch: Branch, each: FeatureMap) -> Region:
        return branch.regions[each.node].clipped(each.height, each.width)

    def compute(
        self, tile: Tensor, branch: Branch, keep: Callable[[FeatureMap, Tensor], Tensor], weights: Weights | None = None
    ) -> Tensor:
        """One patch of the output (n, C, h, w) from what it sees of the pictures.

        `keep` says what is kept of each map as soon as it is made, the picture's and the output's too: the same, or
        rounded. `weights`: others by the operator's node.
        """
        values = {self.maps[0].node: keep(self.maps[0], tile)}
        for each in self.maps[1:]:
            values[each.node] = keep(each, self._operator(each, branch, values, weights or {}))
        return values[self.output.node]

    def _operator(self, each: FeatureMap, branch: Branch, values: Mapping[str, Tensor], weights: Weights) -> Tensor:
        own = self._clipped(branch, each)
        if self.layers[each.layer].kind == Kind.ADD:
            first, second = (self._read(branch, values, source, own) for source in each.sources)
            made = first + second
        else:
            module: Any = self.captured.module(self.captured.node(each.made))
            made = self._convolved(module, weights.get(each.made, module.weight), each, branch, values)
        if each.node != each.made:
            activation = self.captured.module(self.captured.node(each.node))
            made = functional.relu(made) if activation is None else activation(made)
        return made

    def _convolved(
        self, conv: nn.Conv2d, weight: Tensor, each: FeatureMap, branch: Branch, values: Mapping[str, Tensor]
    ) -> Tensor:
        own, (source,) = self._clipped(branch, each), each.sources
        spans = [
            (first * stride - pad, (behind - 1) * stride - pad + kernel)
            for (first, behind), stride, pad, kernel in zip(
                own, conv.stride, self._padding(each), conv.kernel_size, strict=True
            )
        ]
        read = self._read(branch, values, source, Region(*spans))
        return functional.conv2d(read, weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups)

    def _read(self, branch: Branch, values: Mapping[str, Tensor], source: str, wanted: Region) -> Tensor:
        """A region of what this patch has of a map, with zeros where there is no map."""
        each = next(one for one in self.maps if one.node == source)
        have, there = self._clipped(branch, each), wanted.clipped(each.height, each.width)
        (top, left) = (have.rows[0], have.columns[0])
        local = Region(*(
            (first - start, behind - start) for (first, behind), start in zip(there, (top, left), strict=True)
        ))  # fmt: skip
        part = _cropped(values[source], local)
        (above, below), (before, behind) = (
            (inner[0] - outer[0], outer[1] - inner[1]) for inner, outer in zip(there, wanted, strict=True)
        )
        return functional.pad(part, (before, behind, above, below)) if any((above, below, before, behind)) else part

    def joined(self, tiles: Sequence[Tensor]) -> Tensor:
        """The stage's output (n, C, H, W) from its patches, row by row of the grid."""
        rows = [torch.cat(list(tiles[i : i + self.grid]), dim=3) for i in range(0, len(tiles), self.grid)]
        return torch.cat(rows, dim=2)

    def run(self, pictures: Tensor) -> Tensor:
        """The stage's output (n, C, H, W) of pictures (n, C, H, W), as the network itself computes it."""
        tiles = [self.compute(self.tile(pictures, one), one, lambda _, value: value) for one in self.branches]
        return self.joined(tiles)


def behind(graph: fx.GraphModule, node: str) -> fx.GraphModule:
    """What of a graph runs behind one node, as a graph that reads that node's value."""
    result = fx.GraphModule(graph, _copy(graph.graph))
    split = next(one for one in result.graph.nodes if one.name == node)
    with result.graph.inserting_before(split):
        given = result.graph.placeholder("given")
    split.replace_all_uses_with(given)
    result.graph.eliminate_dead_code()
    for one in list(result.graph.nodes):
        if one.op == "placeholder" and one is not given:
            result.graph.erase_node(one)
    result.recompile()
    return result


def _copy(graph: fx.Graph) -> fx.Graph:
    copied = fx.Graph()
    output = copied.graph_copy(graph, {})
    copied.output(output)
    return copied


def _products(layer: Layer) -> int:
    """Multiply-accumulates of one output position."""
    return layer.in_channels // layer.groups * layer.out_channels * layer.kernel**2


def _maps(captured: Captured, layers: Sequence[Layer]) -> tuple[FeatureMap, ...]:
    strange = [layer.name for layer in layers if layer.kind not in _BUILT]
    if strange:
        raise FitnasError(f"the operator {strange[0]} of the patch stage cannot be computed patch by patch")
    picture = next(node for node in captured.graph.graph.nodes if node.op == "placeholder")
    first = layers[0]
    result = [FeatureMap(picture.name, picture.name, NETWORK_INPUT, (), first.in_height, first.in_width)]
    kept_by_name = {each.name: each for each in captured.operators}
    kept: dict[int, str] = {NETWORK_INPUT: picture.name}
    for position, layer in enumerate(layers):
        if layer.kind == Kind.ADD:
            made = _addition(captured, kept[layer.input_a], kept[layer.input_b])
            node = kept_node(captured.graph, captured.node(made)).name
            sources: tuple[str, ...] = (kept[layer.input_a], kept[layer.input_b])
        else:
            made, node = kept_by_name[layer.name].node, kept_by_name[layer.name].kept
            sources = (kept[layer.input_a],)
        kept[position] = node
        result.append(FeatureMap(made, node, position, sources, layer.out_height, layer.out_width))
    return tuple(result)


def _addition(captured: Captured, a: str, b: str) -> str:
    """The node that adds two others."""
    found = [user for user in captured.node(a).users if set(map(str, user.all_input_nodes)) == {a, b}]
    if len(found) != 1:
        raise FitnasError(f"the sum of {a} and {b} is not one operator of the network")
    return str(found[0].name)


def _cuts(side: int, grid: int) -> list[Span]:
    grain = -(-side // grid)
    return [(start, min(start + grain, side)) for start in range(0, side, grain)]


def _cropped(values: Tensor, region: Region) -> Tensor:
    (top, bottom), (left, right) = region
    return values[:, :, top:bottom, left:right]
