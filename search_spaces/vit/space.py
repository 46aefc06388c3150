"""The space: choices, canonical form, operator table, network and supernet."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.transformer_layers import transformer_table, write_head, write_layer, write_tokenizer
from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, PublishedMember, Rows, SearchSpace, checked_settings
from search_spaces.core.table_writer import TableWriter
from search_spaces.vit.settings import PRESETS, PUBLISHED_INPUT, VitSettings, resolve

if TYPE_CHECKING:
    from search_spaces.blocks.joined_transformer import JoinedTransformer

_DIM, _DEPTH, _FIRST_LAYER = 0, 1, 2
_DEIT_SOURCE = "DeiT, arXiv 2012.12877, Table 1; as in timm 1.0.31 (Apache-2.0)"
_DEIT = {"deit_tiny": 192, "deit_small": 384, "deit_base": 768}


class Vit(SearchSpace[VitSettings]):
    """Channels of the tokens, number of layers, and for each layer its heads and the ratio of its MLP.

    AutoFormer's spaces without its relative positions; `preset` also names spaces below a DeiT and, for small pictures,
    `micro`. A sub-network's weights are slices of the largest network's.
    """

    name: ClassVar[str] = "vit"
    title: ClassVar[str] = "vision transformers with entangled weights"
    source: ClassVar[str] = "AutoFormer, arXiv 2107.00651; DeiT, arXiv 2012.12877"
    learning_rate: ClassVar[float] = 5e-4

    def __init__(self, settings: VitSettings) -> None:
        self.settings = settings
        self.preset = preset = PRESETS[settings.preset]
        layers = range(preset.depths[-1])
        each = [(Choice(f"layer{i}.heads", preset.heads), Choice(f"layer{i}.mlp_ratio", preset.ratios)) for i in layers]
        pairs = tuple(choice for pair in each for choice in pair)
        self.choices = (Choice("dim", preset.dims), Choice("depth", preset.depths), *pairs)

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
        write_tokenizer(writer, [self._tokenizer(dim)], pool=preset.pool, learned_position=True)
        for index in range(preset.depths[-1]):
            own = heads[:, index]
            here = True if index < preset.depths[0] else depth > index
            name = f"layer{index}"
            write_layer(writer, name, heads=own, width=own * preset.head_dim, mlp=hidden[:, index], here=here)
        write_head(writer, preset.pool, self.settings.classes)
        return writer.table()

    def least(self) -> LayerTable:
        """The smallest network: every other has its operators, none of them smaller."""
        return self.decode(self.population([self.extremes()[0]]))

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return self.settings.channels, *self.settings.size

    def network_arguments(self, architecture: Architecture) -> dict[str, Any]:
        """Those of `TransformerNetwork`."""
        row = self.population([architecture]).matrix[0]
        preset, dim = self.preset, self.preset.dims[row[_DIM]]
        layers = [
            {
                "heads": preset.heads[row[_FIRST_LAYER + 2 * index]],
                "head_dim": preset.head_dim,
                "mlp": int(preset.ratios[row[_FIRST_LAYER + 2 * index + 1]] * dim),
            }
            for index in range(preset.depths[row[_DEPTH]])
        ]
        return {
            "input_size": list(self.input_size(architecture)),
            "tokenizer": [self._tokenizer(dim)],
            "layers": layers,
            "classes": self.settings.classes,
            "pool": preset.pool,
        }

    def _tokenizer(self, dim: Any) -> dict[str, Any]:
        return _tokenizer(dim, self.settings.patch)

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return _blueprint(self.network_arguments(architecture))

    def supernet(self) -> "JoinedTransformer":
        from search_spaces.blocks.joined_transformer import JoinedTransformer

        return JoinedTransformer(self.network_arguments(self.extremes()[1]), self.network_arguments)


def _tokenizer(dim: Any, patch: int) -> dict[str, Any]:
    return {"out": dim, "kernel": patch, "stride": patch, "padding": 0, "bias": True, "pool": False}


def _blueprint(arguments: dict[str, Any]) -> Blueprint:
    return Blueprint("search_spaces.blocks.transformer", "TransformerNetwork", arguments)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name: `deit_tiny`, `deit_small`, `deit_base`."""
    found = {}
    for name, dim in _DEIT.items():
        layer = {"heads": dim // 64, "head_dim": 64, "mlp": 4 * dim}
        arguments = {
            "input_size": [3, 224, 224],
            "tokenizer": [_tokenizer(dim, 16)],
            "layers": [layer] * 12,
            "classes": 1000,
            "pool": "class",
        }
        table, blueprint = functools.partial(transformer_table, arguments), functools.partial(_blueprint, arguments)
        found[name] = PublishedMember(name, _DEIT_SOURCE, table, blueprint)
    return found
