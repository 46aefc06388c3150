"""The space: choices, canonical form, operator table, network and supernet."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.transformer_layers import (
    halved,
    write_head,
    write_layer,
    write_means,
    write_reduction,
    write_tokenizer,
)
from search_spaces.core.architecture import Architecture
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, PublishedMember, Rows, SearchSpace, checked_settings
from search_spaces.core.table_writer import TableWriter
from search_spaces.vit.published import (
    blueprint_of,
    network_arguments,
    published_members,
    reductions_of,
    tokenizer,
)
from search_spaces.vit.reduction import CHOICE, places_of, reduced_behind
from search_spaces.vit.settings import PRESETS, PUBLISHED_INPUT, VitSettings, resolve

if TYPE_CHECKING:
    from search_spaces.blocks.joined_transformer import JoinedTransformer

_DIM, _DEPTH, _FIRST_LAYER, _REDUCTION = 0, 1, 2, -1
WriteReduction = Callable[..., tuple[Any, Any]]


class Vit(SearchSpace[VitSettings]):
    """Channels of the tokens, number of layers, and for each layer its heads and the ratio of its MLP.

    Presets T, S and B are AutoFormer's spaces, with its relative positions; others are below a DeiT and, for small
    pictures, `micro`. With `reduction` also the places where the map of tokens is halved. A sub-network's weights are
    slices of the largest network's.
    """

    name: ClassVar[str] = "vit"
    title: ClassVar[str] = "vision transformers with entangled weights"
    source: ClassVar[str] = "AutoFormer, arXiv 2107.00651; DeiT, arXiv 2012.12877; ViT-ResNAS, arXiv 2109.00642"
    learning_rate: ClassVar[float] = 5e-4

    def __init__(self, settings: VitSettings) -> None:
        self.settings = settings
        self.preset = PRESETS[settings.preset]
        self.choices = (*self.preset.choices, *([CHOICE] if settings.reduction else []))

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Vit":
        return cls(checked_settings(VitSettings, resolve(dict(options), facts or PUBLISHED_INPUT)))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Vit":
        return cls(checked_settings(VitSettings, settings))

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return published_members()

    def explain(self) -> list[str]:
        settings = self.settings
        height, width = settings.size
        high, wide = settings.map_size
        lines = [f"preset {settings.preset}, {height}x{width} pixels in {high * wide} patches of {settings.patch}"]
        if settings.reduction:
            once = halved((high, wide))
            sizes = " to ".join(f"{high}x{wide}" for high, wide in ((high, wide), once, halved(once)))
            lines.append(
                f"reduction: maps of tokens from {sizes}, behind a third and two thirds of the layers, if at all"
            )
        return lines

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        result = np.ones(matrix.shape, dtype=bool)
        depth = np.array(self.preset.depths)[matrix[:, _DEPTH]]
        layers = np.arange(self.preset.depths[-1])
        of_layers = slice(_FIRST_LAYER, _FIRST_LAYER + 2 * len(layers))
        result[:, of_layers] = np.repeat(layers[None, :] < depth[:, None], 2, axis=1)
        return result

    @property
    def size(self) -> int:
        """Number of networks: heads and ratio of layers that are not there do not count."""
        preset = self.preset
        each = len(preset.heads) * len(preset.ratios)
        reductions = len(CHOICE.options) if self.settings.reduction else 1
        return reductions * len(preset.dims) * sum(int(each**depth) for depth in preset.depths)

    def decode(self, population: Population) -> LayerTable:
        return self._table(population, write_reduction)

    def least(self) -> LayerTable:
        """The smallest network, its tokens reduced for nothing: every other needs as much, or more."""
        return self._table(self.population([self.extremes()[0]]), _write_free_reduction)

    def _table(self, population: Population, reduce: WriteReduction) -> LayerTable:
        preset, matrix = self.preset, population.matrix.astype(np.intp)
        writer = TableWriter(len(matrix), self.settings.channels, *self.settings.size)
        dim = np.array(preset.dims)[matrix[:, _DIM]]
        depth = np.array(preset.depths)[matrix[:, _DEPTH]]
        options = matrix[:, _FIRST_LAYER : _FIRST_LAYER + 2 * preset.depths[-1]]
        heads = np.array(preset.heads)[options[:, ::2]]
        hidden = (np.array(preset.ratios)[options[:, 1::2]] * dim[:, None]).astype(np.int32)
        size = write_tokenizer(writer, [tokenizer(dim, self.settings.patch)], pool=preset.pool, learned_position=True)
        for index in range(preset.depths[-1]):
            own = heads[:, index]
            here = True if index < preset.depths[0] else depth > index
            shape = {"heads": own, "width": own * preset.head_dim, "mlp": hidden[:, index], "reach": preset.reach}
            write_layer(writer, f"layer{index}", **shape, here=here)
            reduced = self.settings.reduction and reduced_behind(index + 1, matrix[:, _REDUCTION], depth)
            if np.any(reduced):
                half = reduce(writer, f"reduction{index + 1}", size, out=dim, pool=preset.pool, here=reduced)
                size = np.where(reduced, half[0], size[0]), np.where(reduced, half[1], size[1])
        write_head(writer, preset.pool, self.settings.classes)
        return writer.table()

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return self.settings.channels, *self.settings.size

    def network_arguments(self, architecture: Architecture) -> dict[str, Any]:
        """Those of `TransformerNetwork`."""
        preset, row = self.preset, self.population([architecture]).matrix[0]
        layers = slice(_FIRST_LAYER, _FIRST_LAYER + 2 * preset.depths[row[_DEPTH]])
        return network_arguments(
            preset,
            preset.dims[row[_DIM]],
            [preset.heads[option] for option in row[layers][::2]],
            [preset.ratios[option] for option in row[layers][1::2]],
            size=self.input_size(architecture),
            patch=self.settings.patch,
            classes=self.settings.classes,
            reductions=places_of(row[_REDUCTION], preset.depths[row[_DEPTH]]) if self.settings.reduction else (),
        )

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return blueprint_of(self.network_arguments(architecture))

    def supernet(self) -> "JoinedTransformer":
        from search_spaces.blocks.joined_transformer import JoinedTransformer

        largest = self.network_arguments(self.extremes()[1])
        if self.settings.reduction:  # the largest network has every token, but its weights hold those of all others
            largest["reductions"] = reductions_of(places_of(0, len(largest["layers"])), self.preset.dims[-1])
        return JoinedTransformer(largest, self.network_arguments)


def _write_free_reduction(
    writer: TableWriter, name: str, size: tuple[Any, Any], *, out: Any, pool: str, here: Any = True
) -> tuple[Any, Any]:
    """The means alone, beside which every reduction has more; the class token stays."""
    start = writer.current
    means = write_means(writer, name, start, size, here)
    tokens = means.height + (start.height - size[0] * size[1])
    writer.view(means, out, tokens, here=here)
    return halved(size)
