"""The space: resolution, depth and width of one base network."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from search_spaces.core.architecture import Architecture
from search_spaces.core.aspect import size_at
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import IntArray, LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, Price, PublishedMember, SearchSpace, checked_settings
from search_spaces.tinynet.layouts import layout_of
from search_spaces.tinynet.propose import Scaler
from search_spaces.tinynet.published import published_members
from search_spaces.tinynet.rule import Rule, tiny
from search_spaces.tinynet.settings import (
    PUBLISHED_INPUT,
    TinynetSettings,
    base_of,
    depths_of,
    resolve,
    widths_of,
)

_RESOLUTION, _DEPTH, _WIDTH = range(3)
# The paper fits its rule to about 100 networks; a shorter search keeps a fifth of its trials for what the rule gives.
_SAMPLES, _SAMPLE_SHARE = 100, 0.8
_FEWEST_TO_FIT = 20


class Tinynet(SearchSpace[TinynetSettings]):
    """Resolution, depth and width multipliers (r, d, w) of a base network, EfficientNet-B0 unless set.

    An option of depth or width stands for all multipliers that give the same network. Stem and head keep their width.
    """

    name: ClassVar[str] = "tinynet"
    title: ClassVar[str] = "one network scaled by resolution, depth and width"
    source: ClassVar[str] = "TinyNet, arXiv 2010.14819; EfficientNet, arXiv 1905.11946"
    default_evaluator: ClassVar[str] = "train"

    def __init__(self, settings: TinynetSettings) -> None:
        self.settings = settings
        base = base_of(settings)
        depths, widths = depths_of(base), widths_of(base)
        self.choices = (
            Choice("resolution", settings.resolutions),
            Choice("depth", depths),
            Choice("width", widths),
        )
        self.layout = layout_of(base, depths, widths)

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Tinynet":
        return cls(checked_settings(TinynetSettings, resolve(dict(options), facts or PUBLISHED_INPUT)))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Tinynet":
        return cls(checked_settings(TinynetSettings, settings))

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return published_members()

    def explain(self) -> list[str]:
        pixels, depths, widths = (choice.options for choice in self.choices)
        return [
            f"base {self.settings.base}, {pixels[0]} to {pixels[-1]} pixels, channels {self.settings.channels}",
            f"depth {depths[0]} to {depths[-1]} ({len(depths)} networks), width {widths[0]} to {widths[-1]} "
            f"({len(widths)})",
        ]

    def decode(self, population: Population) -> LayerTable:
        return self._table(*population.matrix.T.astype(np.intp))

    def least(self) -> LayerTable:
        """The smallest depth and width at each resolution, without residuals that a wider network may lack."""
        rows = np.arange(len(self.settings.resolutions))
        return self._table(rows, np.zeros_like(rows), np.zeros_like(rows), common_residuals=True)

    def _table(self, resolution: Any, depth: Any, width: Any, common_residuals: bool = False) -> LayerTable:
        height, wide = (sides[resolution] for sides in self._sizes)
        settings = self.settings
        return self.layout.table(depth, width, (height, wide), settings.channels, settings.classes, common_residuals)

    @cached_property
    def _sizes(self) -> tuple[IntArray, IntArray]:
        sizes = np.array([size_at(r, self.settings.aspect) for r in self.settings.resolutions], dtype=np.int32)
        return sizes[:, 0], sizes[:, 1]

    def propose(
        self,
        limits: Mapping[str, float],
        price: Price,
        told: Sequence[tuple[Architecture, float]] = (),
        rng: np.random.Generator | None = None,
        trials: int = 0,
        measure: Price | None = None,
    ) -> Population:
        """The networks of `--set rule`: the largest within the limits first, then those at a half, a quarter, ...

        With trials to spend, the rule is fitted to the user's own front: random networks first, then those of the rule.
        """
        scaler = Scaler(self, base_of(self.settings), price, limits, measure)
        if self.settings.rule == "giant":
            rows = scaler.by_giant()
        else:
            rule: Rule = tiny
            if trials >= _FEWEST_TO_FIT:
                share = min(_SAMPLES, round(trials * _SAMPLE_SHARE))
                if len(told) < share:
                    return scaler.samples(rng or np.random.default_rng(0))
                rule = scaler.rule_of(told[:share])
            rows = scaler.by_rule(rule)
        if limits.get("macs", 0) > scaler.most_macs():
            raise scaler.nothing_fits(rows[:0])
        found = scaler.ladder(rows)
        if not len(found):
            raise scaler.nothing_fits(rows)
        return found

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        height, width = size_at(int(architecture.options["resolution"]), self.settings.aspect)
        return self.settings.channels, height, width

    def blueprint(self, architecture: Architecture) -> Blueprint:
        row = self.population([architecture]).matrix[0]
        size = self.input_size(architecture)
        return self.layout.blueprint(int(row[_DEPTH]), int(row[_WIDTH]), size, self.settings.classes)
