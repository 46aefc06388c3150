"""What a strategy expects of candidates: exact figures as they are priced, measured ones learnt from what was told.

Figures are oriented (less is better) and on a log scale: what is wrong rather than what is right of an accuracy, and
ratios of everything else. There the front is evenly spread, and a network twice as slow is as much slower at 1 ms as
at 100. A proxy's score alone, which may be negative, stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.core.budget import Budget
from nas.core.objective import Objective
from nas.core.trial import Trial
from nas.strategies.improvement import normal_cdf
from predictors.accuracy import AccuracyPredictor, accuracy_predictor
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.errors import WrongUse
from search_spaces.core.population import Population

Floats = NDArray[np.float64]
Figures = Mapping[str, NDArray[Any]]

_LEAST_ERROR = 1e-3  # of accuracy: one network in a thousand pictures' worth
_LEAST = 1e-12


def on_log_scale(objective: Objective, values: ArrayLike) -> Floats:
    """Raw figures so that less is better, and equal ratios are equally far apart. The order is kept.

    >>> [accuracy, latency] = [Objective(METRIC_OF_COLUMN[column]) for column in ("top1", "latency_ms")]
    >>> on_log_scale(accuracy, [0.5, 0.75]).round(2).tolist(), on_log_scale(latency, [1, 2]).round(2).tolist()
    ([-0.69, -1.38], [0.0, 0.69])
    """
    array = np.asarray(values, dtype=np.float64)
    if not objective.metric.ratios:
        return objective.oriented(array)
    if objective.metric.unit == "fraction" and not objective.minimise:
        return np.asarray(np.log(np.maximum(1.0 - array, 0.0) + _LEAST_ERROR))
    logarithm = np.log(np.maximum(array, _LEAST))
    return np.asarray(logarithm if objective.minimise else -logarithm)


def raw_volume(objectives: Sequence[Objective], points: Floats) -> Floats:
    """Volume of the hypervolume's own, not logarithmic box around points `(p, objectives)` of the log scale, relative.

    >>> [latency] = [Objective(METRIC_OF_COLUMN["latency_ms"])]
    >>> raw_volume([latency], np.log([[1.0], [2.0]])).tolist()
    [0.5, 1.0]
    """
    # d raw / d logarithm is the raw figure itself, or what is wrong of a fraction
    falling = [not o.minimise and o.metric.unit != "fraction" for o in objectives]
    sums = points @ np.where([not o.metric.ratios for o in objectives], 0.0, np.where(falling, -1.0, 1.0))
    return np.asarray(np.exp(sums - sums.max(initial=-np.inf)))


def descriptions(population: Population, figures: Figures) -> Floats:
    """What is learnt from, `(n, features)`: the space's features, how often each option occurs, logs of exact figures.

    Options are counted over the choices that have the same ones, such as the kernel of every block: a latency is nearly
    a sum over operators, and where each of them stands says little more.
    """
    space = population.space
    columns = [space.features(population), *_counts(population)]
    columns += [np.log1p(np.maximum(np.asarray(v, dtype=np.float64), 0.0))[:, None] for v in figures.values()]
    return np.concatenate(columns, axis=1)


def _counts(population: Population) -> list[Floats]:
    one_hot, at = population.space.encode(population), 0
    groups: dict[tuple[Any, ...], list[Floats]] = {}
    for choice in population.space.choices:
        groups.setdefault(choice.options, []).append(one_hot[:, at : at + len(choice.options)])
        at += len(choice.options)
    return [np.sum(group, axis=0) for group in groups.values() if len(group) > 1]


@dataclass(frozen=True)
class Expected:
    """Of candidates: mean and deviation `(n, objectives)` on the log scale; the chance `(n,)` to be within the
    measured limits that are no objectives.
    """

    mean: Floats
    std: Floats
    chance: Floats


class Surrogates:
    """Models of one moment of a search: one for each objective, and each limited figure, that is not priced.

    `told`: trials with a figure for every objective; `known` their exact figures by column, of which none is learnt.
    """

    def __init__(
        self,
        model: str,
        objectives: Sequence[Objective],
        budget: Budget,
        population: Population,
        told: Sequence[Trial],
        known: Figures,
    ) -> None:
        self.objectives = objectives
        self._known = known
        self._features = descriptions(population, known)
        self._models: dict[str, tuple[Objective, _Model]] = {}
        self.limits: dict[str, float] = {}
        limited = [Objective(METRIC_OF_COLUMN[column]) for column in budget.limits]
        for objective in [*objectives, *limited]:
            column = objective.column
            values = [trial.metrics.get(column, np.nan) for trial in told]
            if column not in known and column not in self._models and np.isfinite(values).any():
                model_of = _Model(model).fit(self._features, on_log_scale(objective, values))
                self._models[column] = (objective, model_of)
        inside = {objective.column for objective in objectives}
        self.limits = {c: v for c, v in budget.limits.items() if c in self._models and c not in inside}

    def expect(self, population: Population, figures: Figures) -> Expected:
        """Of candidates with these exact figures."""
        features = descriptions(population, figures)
        predicted = {column: model.predict(features) for column, (_, model) in self._models.items()}
        means, deviations = [], []
        for objective in self.objectives:
            if objective.column in self._known:
                mean = on_log_scale(objective, figures[objective.column])
                std = np.zeros(len(population))
            else:
                mean, std = predicted[objective.column]
            means.append(mean)
            deviations.append(std)
        chance = np.ones(len(population))
        for column, limit in self.limits.items():
            mean, std = predicted[column]
            chance *= normal_cdf((on_log_scale(self._models[column][0], [limit])[0] - mean) / np.maximum(std, _LEAST))
        return Expected(np.stack(means, axis=1), np.stack(deviations, axis=1), chance)


class _Model:
    """A predictor of any figure: predictors learn fractions, so figures are scaled to their extent."""

    def __init__(self, name: str) -> None:
        self._predictor: AccuracyPredictor | None = accuracy_predictor(name)

    def fit(self, features: Floats, values: Floats) -> "_Model":
        self._least, self._extent = float(np.nanmin(values)), float(np.ptp(values[np.isfinite(values)]))
        scaled = (values - self._least) / self._extent if self._extent else 0 * values
        self._mean = float(np.nanmean(values))
        try:
            if self._predictor is not None:
                self._predictor.fit(features, scaled)
        except WrongUse:  # nothing can be learnt yet: all alike, or too few
            self._predictor = None
        return self

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        if self._predictor is None:
            return np.full(len(features), self._mean), np.full(len(features), max(self._extent, _LEAST))
        found = self._predictor.predict(features)
        return self._least + self._extent * found.mean, self._extent * found.std
