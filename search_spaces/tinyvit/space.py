"""The space: contraction factors, operator table, network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from search_spaces.blocks.tinyvit_layers import STAGES, write_tinyvit
from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, Price, PublishedMember, SearchSpace, checked_settings
from search_spaces.core.table_writer import TableWriter
from search_spaces.tinyvit.contraction import Contraction
from search_spaces.tinyvit.proportions import largest_in_proportion
from search_spaces.tinyvit.published import blueprint_of, published_members
from search_spaces.tinyvit.settings import PUBLISHED_INPUT, TinyvitSettings, resolve, windows_of


class Tinyvit(SearchSpace[TinyvitSettings]):
    """Contraction factors: channels and blocks of four stages, windows of three, MBConv and MLP ratio, head dimension.

    The first stage is convolutional, the others attend inside windows that tile their map; a width is heads times head
    dimension. The published networks differ in their channels alone. Which options a factor has is not published: ours
    contain them, and can be set.
    """

    name: ClassVar[str] = "tinyvit"
    title: ClassVar[str] = "small vision transformers contracted from a large one"
    source: ClassVar[str] = "TinyViT, arXiv 2207.10666"
    default_evaluator: ClassVar[str] = "train"
    learning_rate: ClassVar[float] = 5e-4
    rule_exceeds_budget: ClassVar[bool] = True  # the contraction comes down from larger networks

    def __init__(self, settings: TinyvitSettings) -> None:
        self.settings = settings
        stages = range(1, STAGES + 1)
        dims = [Choice(f"stage{n}.dim", getattr(settings, f"dims{n}")) for n in stages]
        depths = [Choice(f"stage{n}.depth", getattr(settings, f"depths{n}")) for n in stages]
        windows = [Choice(f"stage{n}.window", windows_of(settings.resolution, n - 1)) for n in stages[1:]]
        ratios = (Choice("stage1.expand", settings.expand), Choice("mlp_ratio", settings.mlp_ratio))
        self.choices = (*dims, *depths, *windows, *ratios, Choice("head_dim", settings.head_dim))

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Tinyvit":
        return cls(checked_settings(TinyvitSettings, resolve(dict(options), facts or PUBLISHED_INPUT)))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Tinyvit":
        return cls(checked_settings(TinyvitSettings, settings))

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return published_members()

    def explain(self) -> list[str]:
        pixels = self.settings.resolution
        windows = [choice.options for choice in self.choices if choice.name.endswith("window")]
        shown = "; ".join(f"stage {n}: {', '.join(map(str, each))}" for n, each in enumerate(windows, start=2))
        return [f"{pixels}x{pixels} pixels, channels {self.settings.channels}, windows that tile: {shown}"]

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return self.settings.channels, self.settings.resolution, self.settings.resolution

    def decode(self, population: Population) -> LayerTable:
        pixels = self.settings.resolution
        columns = population.matrix.T.astype(np.intp)
        options = {c.name: np.array(c.options)[column] for c, column in zip(self.choices, columns, strict=True)}
        writer = TableWriter(len(population), self.settings.channels, pixels, pixels)
        return write_tinyvit(writer, _stages(options), options["stage1.expand"], self.settings.classes)

    def least(self) -> LayerTable:
        """The smallest factors, but few heads: more of them have more scores and biases, and as many products."""
        smallest, _ = self.extremes()
        fewest_heads = replace(smallest, options={**smallest.options, "head_dim": self.settings.head_dim[-1]})
        return self.decode(self.population([fewest_heads]))

    def propose(
        self,
        limits: Mapping[str, float],
        price: Price,
        told: Sequence[tuple[Architecture, float]] = (),
        rng: np.random.Generator | None = None,
        trials: int = 0,
        measure: Price | None = None,
    ) -> Population:
        """Candidates of the progressive contraction; without trials, networks in the proportions of the published ones.

        The three published networks share every factor but their channels: so without training these are interpolated
        in the logarithm of the parameters, and the largest that fits is given; with measured limits only that one.
        """
        if trials:
            return Contraction(self, price, limits, trials, measure).propose(told, rng or np.random.default_rng(0))
        return largest_in_proportion(self, limits, price, measure)

    def blueprint(self, architecture: Architecture) -> Blueprint:
        row = self.population([architecture]).matrix[0]
        options = {c.name: c.options[position] for c, position in zip(self.choices, row, strict=True)}
        stages = [{name: int(value) for name, value in stage.items()} for stage in _stages(options)]
        size = self.input_size(architecture)
        return blueprint_of(size, stages, int(options["stage1.expand"]), self.settings.classes)


def _stages(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those of `TinyVitNetwork`; numbers or arrays, as the options are."""
    result = []
    for number in range(1, STAGES + 1):
        dim, depth = options[f"stage{number}.dim"], options[f"stage{number}.depth"]
        attends = number > 1
        result.append(
            {
                "dim": dim,
                "depth": depth,
                "heads": dim // options["head_dim"] if attends else 0,
                "window": options[f"stage{number}.window"] if attends else 0,
                "mlp": dim * options["mlp_ratio"] if attends else 0,
            }
        )
    return result
