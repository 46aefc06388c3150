"""MCUNetV2's evolution as a steady state, for one objective or several.

The paper (arXiv 2110.15352; settings from arXiv 2007.10319) evolves 30 generations of 100: the best 20 are parents,
half of the next generation are crossovers of two parents, half are mutations in which each choice is drawn anew with
probability 0.1. Here a proposal is due as soon as a worker is free, so there are no generations: the parents are the
best of all trials told so far. With several objectives "best" is by non-dominated rank, then by crowding distance
(NSGA-II: Deb et al., IEEE Transactions on Evolutionary Computation 6, 2002).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.core.budget import Budget
from nas.core.objective import Objective, oriented_table
from nas.core.pareto import Reference, non_dominated
from nas.core.trial import Trial
from nas.strategies.strategy import Strategy
from search_spaces.core.population import Population
from search_spaces.core.space import Price, SearchSpace

MUTATION_PROBABILITY = 0.1
RANDOM_SHARE = 0.05
SCALE = 20  # random trials and parents are this fraction of all trials, within the limits below
FEWEST = 8
MOST_RANDOM_TRIALS = 100
MOST_PARENTS = 20


class Evolution(Strategy):
    """Crossovers and mutations of the best trials so far.

    The first trials are the smallest and the largest architecture, which mark the ends of the front, or what the
    space's own rule gives where it has one, then random ones until a twentieth of all trials is told: at least 8, at
    most the paper's 100. From then on a candidate is random with probability 0.05, so that the search cannot collapse
    to the surroundings of one architecture; else it is a crossover or a mutation with equal chance. The parents are as
    many as the random trials, at most the paper's 20; fewer parents than 20 pay in a search of 200 trials, since the
    front is reached sooner.

    Trials that break a limit of the budget are parents only where others are missing; failed ones never are.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        objectives: Sequence[Objective],
        trials: int,
        budget: Budget | None = None,
        price: Price | None = None,
        measure: Price | None = None,
        reference: Reference | None = None,
    ) -> None:
        super().__init__(space, objectives, trials, budget, price, measure, reference)
        share = trials // SCALE
        self.random_trials = min(max(share, FEWEST), MOST_RANDOM_TRIALS)
        self.parent_count = min(max(share, FEWEST), MOST_PARENTS)
        self._values: list[list[float]] = []
        self._parents: Population | None = None

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keeps those with a figure for every objective."""
        columns = [objective.column for objective in self.objectives]
        usable = [t for t in trials if t.state == "complete" and all(column in t.metrics for column in columns)]
        self._told += usable
        self._values += [[trial.metrics[column] for column in columns] for trial in usable]
        self._parents = None

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """`n` candidates, each random, a crossover or a mutation by its own coin."""
        samples = self.space.sample(rng, n)
        if not self._told:
            return self.start().concatenate(samples)[:n]
        if len(self._told) < self.random_trials:
            return samples
        parents = self.parents()
        mothers = parents[rng.integers(len(parents), size=n)]
        fathers = parents[rng.integers(len(parents), size=n)]
        crossed = self.space.crossover(rng, mothers, fathers)
        mutated = self.space.mutate(rng, mothers, MUTATION_PROBABILITY)
        coin = rng.random((n, 1))
        children = np.where(coin < RANDOM_SHARE + (1 - RANDOM_SHARE) / 2, crossed.matrix, mutated.matrix)
        return Population(self.space, np.where(coin < RANDOM_SHARE, samples.matrix, children))

    def parents(self) -> Population:
        """The best trials told so far, the best first; empty where nothing was told."""
        if self._parents is None:
            table = oriented_table(self._values, self.objectives)
            chosen = best_rows(table, self._within_budget(), self.parent_count)
            self._parents = self.space.population([self._told[row].architecture for row in chosen])
        return self._parents

    def _within_budget(self) -> NDArray[np.bool_]:
        limits = self.budget.limits
        if not limits or not self._told:
            return np.ones(len(self._told), dtype=bool)
        return self.budget.admits({c: [trial.metrics.get(c, np.nan) for trial in self._told] for c in limits})


def best_rows(table: NDArray[np.float64], feasible: NDArray[np.bool_], count: int) -> list[int]:
    """The best `count` rows of `table` `(n, objectives)`, less is better: feasible ones first, then by non-dominated
    rank, then by crowding distance, then by position. Rows with a NaN or an infinity are never chosen.
    """
    chosen: list[int] = []
    for group in (feasible, ~feasible):
        left = np.flatnonzero(group)
        while len(chosen) < count and len(left):
            on_front = non_dominated(table[left])
            if not on_front.any():
                break
            front, left = left[on_front], left[~on_front]
            order = np.argsort(-crowding_distance(table[front]), kind="stable")
            chosen += front[order][: count - len(chosen)].tolist()
    return chosen


def crowding_distance(values: ArrayLike) -> NDArray[np.float64]:
    """How far apart the neighbours of each row of `values` `(n, objectives)` are, as a share of the extent, summed
    over the objectives; infinite for the ends. An objective in which all rows are equal adds nothing.
    """
    table = np.asarray(values, dtype=np.float64)
    distance = np.zeros(len(table))
    for column in table.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        if not len(ordered) or ordered[0] == ordered[-1]:
            continue
        gaps = np.full(len(ordered), np.inf)
        gaps[1:-1] = (ordered[2:] - ordered[:-2]) / (ordered[-1] - ordered[0])
        distance[order] += gaps
    return distance


STRATEGY = Evolution
