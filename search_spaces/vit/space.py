"""The space: choices, canonical form, operator table, network and supernet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.transformer_layers import write_head, write_layer, write_tokenizer
from search_spaces.core.architecture import Architecture
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, PublishedMember, Rows, SearchSpace, checked_settings
from search_spaces.core.table_writer import TableWriter
from search_spaces.vit.published import blueprint_of, network_arguments, published_members, tokenizer
from search_spaces.vit.settings import PRESETS, PUBLISHED_INPUT, VitSettings, resolve

if TYPE_CHECKING:
    from search_spaces.blocks.elastic_transformer import ElasticTransformer

_DIM, _DEPTH, _FIRST_LAYER = 0, 1, 2


class Vit(SearchSpace[VitSettings]):
    """Channels of the tokens, number of layers, and for each layer its heads and the ratio of its MLP.

    Presets T, S and B are AutoFormer's spaces, with its relative positions; others are below a DeiT and, for small
    pictures, `micro`. A sub-network's weights are slices of the largest network's.
    """

    name: ClassVar[str] = "vit"
    title: ClassVar[str] = "vision transformers with entangled weights"
    source: ClassVar[str] = "AutoFormer, arXiv 2107.00651; DeiT, arXiv 2012.12877"
    learning_rate: ClassVar[float] = 5e-4

    def __init__(self, settings: VitSettings) -> None:
        self.settings = settings
        self.preset = PRESETS[settings.preset]
        self.choices = self.preset.choices

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
        height, width = self.settings.size
        tokens = height * width // self.settings.patch**2
        return [f"preset {self.settings.preset}, {height}x{width} pixels in {tokens} patches of {self.settings.patch}"]

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        result = np.ones(matrix.shape, dtype=bool)
        depth = np.array(self.preset.depths)[matrix[:, _DEPTH]]
        layers = np.arange(self.preset.depths[-1])
        result[:, _FIRST_LAYER:] = np.repeat(layers[None, :] < depth[:, None], 2, axis=1)
        return result

    @property
    def size(self) -> int:
        """Number of networks: heads and ratio of layers that are not there do not count."""
        preset = self.preset
        each = len(preset.heads) * len(preset.ratios)
        return len(preset.dims) * sum(int(each**depth) for depth in preset.depths)

    def decode(self, population: Population) -> LayerTable:
        preset, matrix = self.preset, population.matrix.astype(np.intp)
        writer = TableWriter(len(matrix), self.settings.channels, *self.settings.size)
        dim = np.array(preset.dims)[matrix[:, _DIM]]
        depth = np.array(preset.depths)[matrix[:, _DEPTH]]
        heads = np.array(preset.heads)[matrix[:, _FIRST_LAYER::2]]
        hidden = (np.array(preset.ratios)[matrix[:, _FIRST_LAYER + 1 :: 2]] * dim[:, None]).astype(np.int32)
        write_tokenizer(writer, [tokenizer(dim, self.settings.patch)], pool=preset.pool, learned_position=True)
        for index in range(preset.depths[-1]):
            own = heads[:, index]
            here = True if index < preset.depths[0] else depth > index
            shape = {"heads": own, "width": own * preset.head_dim, "mlp": hidden[:, index], "reach": preset.reach}
            write_layer(writer, f"layer{index}", **shape, here=here)
        write_head(writer, preset.pool, self.settings.classes)
        return writer.table()

    def least(self) -> LayerTable:
        """The smallest network: every other has its operators, none of them smaller."""
        return self.decode(self.population([self.extremes()[0]]))

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
        )

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return blueprint_of(self.network_arguments(architecture))

    def supernet(self) -> "ElasticTransformer":
        from search_spaces.blocks.elastic_transformer import ElasticTransformer

        return ElasticTransformer(self.network_arguments(self.extremes()[1]), self.network_arguments)
