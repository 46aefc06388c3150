"""The space: choices, canonical form, operator table, network and supernet."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.architecture import Architecture
from search_spaces.core.aspect import size_at
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.resolutions import smaller_resolutions
from search_spaces.core.space import Blueprint, PublishedMember, Rows, SearchSpace, checked_settings
from search_spaces.mcunetv2.decode import decode
from search_spaces.mcunetv2.layout import DEPTHS, EXPANSIONS, BlockPlace, make_layout
from search_spaces.mcunetv2.published import published_members
from search_spaces.mcunetv2.settings import PUBLISHED_INPUT, Mcunetv2Settings, resolve

if TYPE_CHECKING:
    from search_spaces.blocks.joined_mbconv import JoinedMbconv

NETWORK_MODULE = "search_spaces.blocks.mbconv"


class Mcunetv2(SearchSpace[Mcunetv2Settings]):
    """Per block kernel {3,5,7} and expansion {3,4,6}, stage depth {2,3,4}, width {0.5,0.75,1}, input resolution.

    In the leading stages a stride-1 block may drop its depthwise convolution (kernel 1, MCUNetV2's fused block): that
    redistributes the receptive field to where patches do not overlap. The patch schedule is not a choice: for each
    architecture every schedule is priced, as in the paper. Width is per stage by default, so that residuals keep their
    shape; `width=per_block` is the paper's.
    """

    name: ClassVar[str] = "mcunetv2"
    title: ClassVar[str] = "MBConv networks for microcontrollers, searched with their patch schedule"
    source: ClassVar[str] = "MCUNetV2, arXiv 2110.15352; backbone of MCUNet, arXiv 2007.10319"
    default_runtime: ClassVar[str] = "tinyengine"

    def __init__(self, settings: Mcunetv2Settings) -> None:
        self.settings = settings
        self.layout = make_layout(settings)
        self.choices = self.layout.choices
        self._column = {choice.name: i for i, choice in enumerate(self.choices)}

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Mcunetv2":
        settings = resolve(dict(options), facts or PUBLISHED_INPUT)
        return cls(checked_settings(Mcunetv2Settings, settings))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Mcunetv2":
        return cls(checked_settings(Mcunetv2Settings, settings))

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return published_members()

    def explain(self) -> list[str]:
        chosen = self.settings
        sizes = [size_at(r, chosen.aspect) for r in chosen.resolutions]
        pixels = ", ".join(f"{h}x{w}" for h, w in sizes)
        return [
            f"backbone {chosen.backbone}, width {chosen.width}",
            f"resolutions {pixels}, channels {chosen.channels}",
        ]

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        result = np.ones(matrix.shape, dtype=bool)
        for place in self.layout.blocks:
            if place.optional:
                here = np.array(DEPTHS)[matrix[:, place.depth]] >= place.needed_depth
                own = (place.kernel, place.expand, *((place.width,) if self.settings.width == "per_block" else ()))
                result[:, own] = here[:, None]
        return result

    @cached_property
    def _first_equal_width(self) -> dict[int, NDArray[np.int16]]:
        """For each width column: the first option with the same channels (rounding to 8 makes some equal)."""
        channels = {place.width: place.channels for place in self.layout.blocks}
        channels[self.layout.stem_width] = self.layout.stem_channels
        return {column: np.array([c.index(v) for v in c], dtype=np.int16) for column, c in channels.items()}

    def merged(self, matrix: Rows) -> Rows:
        result = matrix.copy()
        for column, first in self._first_equal_width.items():
            result[:, column] = first[matrix[:, column]]
        return result

    def least(self) -> LayerTable:
        """The smallest options everywhere, less residual additions that not every architecture has.

        Every operator of the row has a counterpart in each architecture that is no smaller, reads and writes no less,
        and runs while no less is held; a residual that only some have adds bytes, so it may not stand in a bound.
        """
        smallest, _ = self.extremes()
        rows = []
        for resolution in self.settings.resolutions:
            architecture = replace(smallest, options={**smallest.options, "resolution": resolution})
            arguments, positions = self.locate(architecture)
            places = [self.layout.blocks[position] for position in positions]
            for block, place, before in zip(arguments["blocks"][1:], places[1:], places, strict=False):
                # one width for both: its channels in and out are equal whatever it is
                block["residual"] &= place.width == before.width
            rows.append(mbconv_layers(arguments))
        return LayerTable.stack(rows)

    def smaller(self) -> "Mcunetv2 | None":
        resolutions = smaller_resolutions(min(self.settings.resolutions))
        return Mcunetv2(self.settings.model_copy(update={"resolutions": resolutions})) if resolutions else None

    @property
    def size(self) -> int:
        """Number of distinct networks: inactive choices and widths of equal channels count once."""
        total = len(self.settings.resolutions) * len(set(self.layout.stem_channels))
        per_block = self.settings.width == "per_block"
        stages: dict[int, list[BlockPlace]] = {}
        for place in self.layout.blocks:
            if place.depth < 0:
                total *= self._options(place) * len(set(place.channels))
            else:
                stages.setdefault(place.depth, []).append(place)
        for blocks in stages.values():
            options = [self._options(b) * (len(set(b.channels)) if per_block else 1) for b in blocks]
            ways = sum(int(np.prod(options[:depth], dtype=object)) for depth in DEPTHS)
            total *= ways * (1 if per_block else len(set(blocks[0].channels)))
        return total

    @staticmethod
    def _options(place: BlockPlace) -> int:
        return len(place.kernels) * (len(EXPANSIONS) if place.expand >= 0 else 1)

    def decode(self, population: Population) -> LayerTable:
        return decode(self.layout, self.settings, population.matrix)

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        height, width = size_at(int(architecture.options["resolution"]), self.settings.aspect)
        return self.settings.channels, height, width

    def locate(self, architecture: Architecture) -> tuple[dict[str, Any], list[int]]:
        """The arguments of the plain network, and the elastic position of each of its blocks."""
        row = self.population([architecture]).matrix[0]
        inside = self.layout.stem_channels[row[self.layout.stem_width]]
        stem = {"out": inside, "kernel": 3, "stride": 2}
        blocks, positions = [], []
        for position, place in enumerate(self.layout.blocks):
            if place.depth >= 0 and DEPTHS[row[place.depth]] < place.needed_depth:
                continue
            out = place.channels[row[place.width]]
            block = {
                "in": inside,
                "mid": inside * EXPANSIONS[row[place.expand]] if place.expand >= 0 else 0,
                "out": out,
                "kernel": place.kernels[row[place.kernel]],
                "stride": place.stride,
                "residual": place.residual and inside == out,
                "squeeze": 0,
            }
            blocks.append(block)
            positions.append(position)
            inside = out
        size = list(self.input_size(architecture))
        return {
            "input_size": size,
            "stem": stem,
            "blocks": blocks,
            "mix": 0,
            "classes": self.settings.classes,
        }, positions

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return Blueprint(NETWORK_MODULE, "MbconvNetwork", self.locate(architecture)[0])

    def supernet(self) -> "JoinedMbconv":
        from search_spaces.blocks.joined_mbconv import JoinedMbconv

        largest, _ = self.locate(self.extremes()[1])
        return JoinedMbconv(largest, self.locate)
