"""The base of every search space: what it must say, and what it gets for that."""

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.errors import WrongUse, shown, unknown
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.supernet import Supernet

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.int16]
# Exact figures of a population by column, and `fits`: within every limit that is known before an evaluation.
Price = Callable[[Population], Mapping[str, NDArray[Any]]]
SettingsT = TypeVar("SettingsT", bound=BaseModel)


@dataclass(frozen=True)
class Blueprint:
    """How to build a plain network: `factory(**arguments)` of `module`, one file that imports torch alone."""

    module: str
    factory: str
    arguments: dict[str, Any]

    def build(self) -> "torch.nn.Module":
        """The network with random weights."""
        network: torch.nn.Module = getattr(importlib.import_module(self.module), self.factory)(**self.arguments)
        return network


@dataclass(frozen=True)
class PublishedMember:
    """A published network of a family: priced and built, even where it lies outside our space.

    `outside`: what keeps it out of the space that it was published with, a line each; none where it is a member, or
    where no such space is ours.
    """

    name: str
    source: str
    table: Callable[[], LayerTable]
    blueprint: Callable[[], Blueprint]
    outside: Callable[[], list[str]] = list


class SearchSpace(ABC, Generic[SettingsT]):
    """Which architectures exist and how one becomes a network.

    A space states its `choices`; which of them are `active` in an architecture (an inactive choice has its first
    option, so that two genotypes of one network count once); how a population becomes a `LayerTable` (`decode`); and
    how one architecture becomes a network (`blueprint`). Populations that it returns are in canonical form. Its
    settings hold at least `classes`. `docs/how_to/add_a_search_space.md` adds one step by step.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    default_runtime: ClassVar[str] = "analytic"
    default_evaluator: ClassVar[str] = "supernet"
    default_objectives: ClassVar[str] = "accuracy,macs"
    rule_exceeds_budget: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 1e-2
    """Of AdamW, from random weights; a tenth of it from trained ones.

    Small convolutional networks stand 1e-2. Transformers do not: shared weights of `vit` on digits after 6 epochs score
    0.17 on average at 1e-2, 0.21 at 1e-3, 0.26 at 5e-4, which is also what DeiT, AutoFormer and CCT were trained at.
    """

    default_sampling: ClassVar[str] = "sandwich"
    """Which sub-networks a step of its supernet's training trains, unless `--sampling` says so."""
    names_trained: ClassVar[tuple[str, ...]] = ()
    """Settings that name trained networks, which are resolved before the space is told."""

    settings: SettingsT
    choices: tuple[Choice, ...]

    # what a space must say

    @classmethod
    @abstractmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "SearchSpace[SettingsT]":
        """The space for `--set` options and data facts; without facts, for its published input."""

    @classmethod
    @abstractmethod
    def restored(cls, settings: Mapping[str, Any]) -> "SearchSpace[SettingsT]":
        """The space of resolved settings, as an architecture carries them."""

    @abstractmethod
    def decode(self, population: Population) -> LayerTable:
        """The operator table of a population, row by row."""

    @abstractmethod
    def blueprint(self, architecture: Architecture) -> Blueprint:
        """How to build the plain network of one architecture."""

    @abstractmethod
    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        """(channels, height, width) that the network expects."""

    def supernet(self) -> Supernet:
        """The weight-sharing network of the whole space, random weights."""
        raise WrongUse(f"the space '{self.name}' has no supernet; choose another --evaluator")

    @property
    def of_weights(self) -> "SearchSpace[Any]":
        """The space whose supernet has the same weights: where a combinator changes none, the one it extends."""
        return self

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        """Which choices `(n, choices)` matter in each row; all of them unless a space says otherwise."""
        return np.ones(matrix.shape, dtype=bool)

    def merged(self, matrix: Rows) -> Rows:
        """Rows in which options that give the same network are replaced by the first of them."""
        return matrix

    def least(self) -> LayerTable | None:
        """Rows by resolution, smallest first, that no architecture of that resolution can undercut.

        The least of an exact cost among a resolution's rows, each under the schedule best for it, is a lower bound of
        that cost of every architecture of the resolution: so a budget below all rows is proved to be empty. One row is
        enough; it need not be a member of the space. None: the space knows no bound, and an empty budget is only found
        empty among samples.
        """
        return None

    def smaller(self) -> "SearchSpace[SettingsT] | None":
        """The same space at the next smaller resolutions, none of which it has; None where there are none."""
        return None

    @classmethod
    def has_rule(cls) -> bool:
        """Whether the space has a way of its own to choose architectures for a budget: `propose`."""
        return cls.propose is not SearchSpace.propose

    # Where `rule_exceeds_budget`, `--strategy propose` may train networks beyond the budget on its way.
    def propose(
        self,
        limits: Mapping[str, float],
        price: Price,
        told: Sequence[tuple[Architecture, float]] = (),
        rng: np.random.Generator | None = None,
        trials: int = 0,
        measure: Price | None = None,
    ) -> Population:
        """What the space's published rule gives for `limits` by column, the preferred first.

        `told`: architectures with their accuracy, in the order in which they were measured; `trials` how many may be
        measured in all. With 0, the default, nothing will be, and the rule must do without. `measure`: figures that
        take seconds a network, such as `images_per_second`, where a limit is on one; None where none is. Of which
        columns more is better, `search_spaces.core.limits` knows. A pure function of all these. `Infeasible` where no
        architecture of the rule fits.
        """
        raise WrongUse(f"the space '{self.name}' has no rule of its own; choose another --strategy")

    @property
    def size(self) -> int:
        """Number of architectures; genotypes unless a space counts its distinct networks."""
        return math.prod(len(choice.options) for choice in self.choices)

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        """Published networks of this family by name."""
        return {}

    def explain(self) -> list[str]:
        """Lines that tell how the settings were chosen."""
        return []

    def strata(self, population: Population) -> NDArray[np.intp]:
        """A group `(n,)` for each: a supernet's training draws every group equally often, its members evenly.

        By picture size unless a space says otherwise: few networks of a large one fit a budget, and among these are the
        best.
        """
        table = self.decode(population)
        sizes = np.stack([table.in_height[:, 0], table.in_width[:, 0]], axis=1)
        strata: NDArray[np.intp] = np.unique(sizes, axis=0, return_inverse=True)[1].reshape(-1)
        return strata

    # what a space gets for that

    def canonical(self, matrix: Rows) -> Rows:
        """The canonical genotype of each row."""
        merged = self.merged(matrix)
        return np.where(self.active(merged), merged, 0).astype(np.int16)

    def architecture(self, row: Rows) -> Architecture:
        """The value of one row; inactive choices are left out."""
        row = self.canonical(row[None])
        active = self.active(row)[0]
        options = {c.name: c.options[i] for c, i, on in zip(self.choices, row[0], active, strict=True) if on}
        return Architecture(self.name, self._own_settings, options)

    def population(self, architectures: Iterable[Architecture]) -> Population:
        """The matrix form of some architectures; `WrongUse` where one is not of this space.

        Options of choices that are inactive in an architecture are ignored.
        """
        listed = list(architectures)
        rows = [self._row(architecture) for architecture in listed]
        matrix = self.canonical(np.array(rows, dtype=np.int16).reshape(len(rows), len(self.choices)))
        for architecture, active in zip(listed, self.active(matrix), strict=True):
            missing = [
                c.name for c, on in zip(self.choices, active, strict=True) if on and c.name not in architecture.options
            ]
            if missing:
                raise WrongUse(f"architecture {architecture.id} lacks an option for {', '.join(missing)}")
        return Population(self, matrix)

    def _row(self, architecture: Architecture) -> list[int]:
        if architecture.space != self.name:
            raise WrongUse(f"architecture {architecture.id} is of the space '{architecture.space}', not '{self.name}'")
        if architecture.settings != self._own_settings:
            raise WrongUse(
                f"architecture {architecture.id} is of the space '{self.name}' with other settings: "
                f"{_differences(architecture.settings, self._own_settings)}"
            )
        by_name = {choice.name: choice for choice in self.choices}
        for name in architecture.options:
            if name not in by_name:
                raise WrongUse(f"architecture {architecture.id}: {unknown('choice', name, by_name)}")
        try:
            return [
                c.index(architecture.options[c.name]) if c.name in architecture.options else 0 for c in self.choices
            ]
        except ValueError as error:
            raise WrongUse(f"architecture {architecture.id}: {error}") from None

    @cached_property
    def _own_settings(self) -> dict[str, Any]:
        return self.settings.model_dump(mode="json")

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """`n` architectures, each genotype equally likely; duplicates may occur."""
        return Population(self, self.canonical(self._draw(rng, n)))

    def _draw(self, rng: np.random.Generator, n: int) -> Rows:
        counts = np.array([len(choice.options) for choice in self.choices])
        drawn: Rows = (rng.random((n, len(counts))) * counts).astype(np.int16)
        return drawn

    def mutate(self, rng: np.random.Generator, parents: Population, probability: float) -> Population:
        """One child a parent: each choice is drawn anew with `probability`."""
        fresh = self._draw(rng, len(parents))
        changed = rng.random(fresh.shape) < probability
        return Population(self, self.canonical(np.where(changed, fresh, parents.matrix).astype(np.int16)))

    def crossover(self, rng: np.random.Generator, mothers: Population, fathers: Population) -> Population:
        """One child a pair, each choice from either parent with equal chance."""
        if len(mothers) != len(fathers):
            raise ValueError(f"expected as many mothers as fathers, got {len(mothers)} and {len(fathers)}")
        coin = rng.random(mothers.matrix.shape) < 0.5
        return Population(self, self.canonical(np.where(coin, mothers.matrix, fathers.matrix)))

    def neighbours(self, architecture: Architecture) -> Population:
        """All distinct architectures that differ by one choice from this one, without it."""
        start = self.population([architecture]).matrix[0]
        rows = [start]
        for column, choice in enumerate(self.choices):
            for option in range(len(choice.options)):
                row = start.copy()
                row[column] = option
                rows.append(row)
        unique, first = np.unique(self.canonical(np.stack(rows)), axis=0, return_index=True)
        ordered = unique[np.argsort(first)]
        return Population(self, ordered[(ordered != start).any(axis=1)])

    def encode(self, population: Population) -> NDArray[np.float64]:
        """One-hot `(n, sum of options)`; an inactive choice is all zeros."""
        active = self.active(population.matrix)
        parts = [
            (population.matrix[:, [i]] == np.arange(len(choice.options))) & active[:, [i]]
            for i, choice in enumerate(self.choices)
        ]
        return np.concatenate(parts, axis=1).astype(np.float64)

    def features(self, population: Population) -> NDArray[np.float64]:
        """What a predictor of accuracy sees `(n, features)`: `encode`, unless a space knows better."""
        return self.encode(population)

    def extremes(self) -> tuple[Architecture, Architecture]:
        """The (smallest, largest) architecture; options are ordered from small to large."""
        last = np.array([len(choice.options) - 1 for choice in self.choices], dtype=np.int16)
        return self.architecture(np.zeros_like(last)), self.architecture(last)

    def beginnings(self) -> Sequence[Architecture]:
        """Where a search may begin: its ends, and what is worth a look before all else; may repeat itself."""
        return self.extremes()

    def build(self, architecture: Architecture) -> "torch.nn.Module":
        """The plain network with random weights; logits (N, classes)."""
        return self.blueprint(architecture).build()


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """What differs, each value cut short."""
    keys = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    told = (f"{key} {shown(str(theirs.get(key, '-')))}, not {shown(str(ours.get(key, '-')))}" for key in keys)
    return "; ".join(told)


def checked_settings(model: type[SettingsT], options: Mapping[str, Any]) -> SettingsT:
    """`options` as the settings model; unknown keys and bad values become `WrongUse` with the nearest known key."""
    from pydantic import ValidationError

    for key in options:
        if key not in model.model_fields:
            raise WrongUse(unknown("setting of the space", key, model.model_fields))
    try:
        return model(**options)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise WrongUse("settings of the space: " + "; ".join(lines)) from None
