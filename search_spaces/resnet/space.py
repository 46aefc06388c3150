"""The space: choices, canonical form, operator table, network and supernet."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.resnet_layers import write_resnet
from search_spaces.core.architecture import Architecture
from search_spaces.core.aspect import size_at
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.resolutions import smaller_resolutions
from search_spaces.core.space import Blueprint, PublishedMember, Rows, SearchSpace, checked_settings
from search_spaces.core.table_writer import TableWriter
from search_spaces.resnet.layout import (
    CONVS,
    MORE_BLOCKS,
    RESOLUTION,
    STEM_CONVS,
    STEM_MID,
    STEM_WIDTH,
    StagePlace,
    first_equal_mids,
    layout_of,
)
from search_spaces.resnet.published import STEM, blueprint_of, published_members
from search_spaces.resnet.settings import PUBLISHED_INPUT, ResnetSettings, resolve

if TYPE_CHECKING:
    from search_spaces.blocks.joined_resnet import JoinedResnet


class Resnet(SearchSpace[ResnetSettings]):
    """Blocks and width of each stage, expansion of each block, width and convolutions of the stem, resolution.

    `base=resnet50` is OFA-ResNet50's space: widths 0.65, 0.8 or 1 of a ResNet-50-D, up to two blocks more in each stage
    than its fewest (2, 2, 4, 2), and 0.2, 0.25 or 0.35 of a block's channels in its 3x3 convolution. Stages begin with
    a shortcut of pooling and a 1x1 convolution. A sub-network's weights are slices of the largest network's.
    """

    name: ClassVar[str] = "resnet"
    title: ClassVar[str] = "residual networks of elastic depth, width and expansion"
    source: ClassVar[str] = "Once-for-all, arXiv 1908.09791 (OFA-ResNet50); ResNet-D, arXiv 1812.01187"

    def __init__(self, settings: ResnetSettings) -> None:
        self.settings = settings
        self.layout = layout_of(settings.base, settings.resolutions)
        self.choices = self.layout.choices

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Resnet":
        return cls(checked_settings(ResnetSettings, resolve(dict(options), facts or PUBLISHED_INPUT)))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Resnet":
        return cls(checked_settings(ResnetSettings, settings))

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return published_members()

    def explain(self) -> list[str]:
        settings = self.settings
        pixels = ", ".join("x".join(map(str, size_at(r, settings.aspect))) for r in settings.resolutions)
        return [f"base {settings.base}", f"resolutions {pixels}, channels {settings.channels}"]

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        result = np.ones(matrix.shape, dtype=bool)
        for stage in self.layout.stages:
            for more, column in enumerate(stage.expansions[stage.fewest :], start=1):
                result[:, column] = matrix[:, stage.depth] >= more
        return result

    @cached_property
    def _first_equal(self) -> list[tuple[int, NDArray[np.int16]]]:
        return self.layout.first_equal()

    @cached_property
    def _first_equal_mids(self) -> list[NDArray[np.int16]]:
        return [first_equal_mids(stage) for stage in self.layout.stages]

    def merged(self, matrix: Rows) -> Rows:
        result = matrix.copy()
        for column, first in self._first_equal:
            result[:, column] = first[matrix[:, column]]
        for stage, first in zip(self.layout.stages, self._first_equal_mids, strict=True):
            own = slice(stage.expansions[0], stage.expansions[-1] + 1)
            result[:, own] = first[result[:, stage.width, None], matrix[:, own]]
        return result

    @property
    def size(self) -> int:
        """Number of distinct networks: inactive choices and options of equal channels count once."""
        layout = self.layout
        stem = len(STEM_CONVS) * len(set(layout.stem_mid.tolist())) * len(set(layout.stem_out.tolist()))
        return len(self.settings.resolutions) * stem * math.prod(map(_networks, layout.stages))

    def decode(self, population: Population) -> LayerTable:
        columns = np.ascontiguousarray(population.matrix.T)
        sizes = np.array([size_at(r, self.settings.aspect) for r in self.settings.resolutions], dtype=np.int32)
        height, width = sizes.T[:, columns[RESOLUTION]]
        writer = TableWriter(len(population), self.settings.channels, height, width)
        stem = {
            **STEM,
            "mid": self.layout.stem_mid[columns[STEM_MID]],
            "out": self.layout.stem_out[columns[STEM_WIDTH]],
            "here": columns[CONVS] == STEM_CONVS.index(3),
        }
        blocks = {name: block for stage in self.layout.stages for name, block in _blocks(stage, columns).items()}
        return write_resnet(writer, stem, self.layout.base.pool, blocks, self.settings.classes)

    def least(self) -> LayerTable:
        """The smallest options at each resolution: what every other network has as well, it has no larger."""
        rows = np.zeros((len(self.settings.resolutions), len(self.choices)), dtype=np.int16)
        rows[:, RESOLUTION] = np.arange(len(rows))
        return self.decode(Population(self, rows))

    def smaller(self) -> "Resnet | None":
        resolutions = smaller_resolutions(min(self.settings.resolutions))
        return Resnet(self.settings.model_copy(update={"resolutions": resolutions})) if resolutions else None

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        height, width = size_at(int(architecture.options["resolution"]), self.settings.aspect)
        return self.settings.channels, height, width

    def locate(self, architecture: Architecture) -> tuple[dict[str, Any], list[int]]:
        """The arguments of the plain network, and the position of each of its blocks among all there are."""
        row, layout = self.population([architecture]).matrix[0], self.layout
        out = int(layout.stem_out[row[STEM_WIDTH]])
        middle = STEM["middle"] if STEM_CONVS[row[CONVS]] == max(STEM_CONVS) else "none"
        stem = {**STEM, "mid": int(layout.stem_mid[row[STEM_MID]]), "out": out, "middle": middle}
        blocks: list[dict[str, Any]] = []
        positions: list[int] = []
        every = [block for stage in layout.stages for block in _blocks(stage, row[:, None]).values()]
        for position, block in enumerate(every):
            if np.all(block.pop("here")):
                sizes = {name: int(block[name][0]) for name in ("mid", "out")}
                blocks.append({"in": out, **block, **sizes})
                positions.append(position)
                out = sizes["out"]
        arguments = {
            "input_size": list(self.input_size(architecture)),
            "stem": stem,
            "pool": layout.base.pool,
            "blocks": blocks,
            "classes": self.settings.classes,
        }
        return arguments, positions

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return blueprint_of(self.locate(architecture)[0])

    def supernet(self) -> "JoinedResnet":
        from search_spaces.blocks.joined_resnet import JoinedResnet

        largest, _ = self.locate(self.extremes()[1])
        return JoinedResnet(largest, self.locate)


def _blocks(stage: StagePlace, columns: NDArray[np.int16]) -> dict[str, dict[str, Any]]:
    """The stage's blocks by name as `write_resnet` takes them, for a matrix by column `(choices, n)`."""
    width = columns[stage.width]
    out = stage.channels[width]
    result = {}
    for index, (name, column) in enumerate(zip(stage.blocks(), stage.expansions, strict=True)):
        result[name] = {
            "mid": stage.mids[width, columns[column]],
            "out": out,
            "stride": stage.stride if index == 0 else 1,
            "shortcut": "identity" if index else "pool_conv",
            "here": True if index < stage.fewest else columns[stage.depth] > index - stage.fewest,
        }
    return result


def _networks(stage: StagePlace) -> int:
    """How many different ways there are to make the stage."""
    each = {int(out): len(set(mids)) for out, mids in zip(stage.channels, stage.mids.tolist(), strict=True)}
    return sum(options ** (stage.fewest + more) for options in each.values() for more in MORE_BLOCKS)
