"""What accuracy networks of a space would reach on some data, learnt from some that were measured: a folder of text.

As in `nas.device_predictor`: rows and facts are kept, and the model learns anew from them, always the same.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from nas.pricing import Pricer
from nas.storage.accuracy_rows import AccuracyRows
from nas.storage.files import os_errors_explained
from nas.storage.learnt_folder import ROWS, Facts, check_files, hash_of, read_facts, write_facts
from predictors.accuracy.interval import IntervalPredictor
from predictors.core.scores import kendall, rmse
from search_spaces.core.errors import WrongUse
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

Floats = NDArray[np.float64]

METRIC = "accuracy"
# The best on NAS-Bench-201 beside cheap scalars: benchmarks/RESULTS.md, "Accuracy predictors".
DEFAULT = "random_forest"
DEFAULT_PROXIES = ("nwot",)


@dataclass(frozen=True)
class AccuracyScores:
    """How well networks are predicted; errors are fractions, as accuracy is.

    `interval`: the median width of the 90 % interval up and down, infinite where too few networks were learnt from;
    `covered`: the share of measurements inside of it, None where it is infinite.
    """

    networks: int
    kendall: float
    rmse: float
    interval: float
    covered: float | None


class Whose(BaseModel):
    """Whose accuracy is learnt: on which data, how it was measured, and by whom.

    `data`, `data_hash` and `evaluator` are None where a file of rows does not say. `sources`: runs and files.
    `pictures` and `seed`: of the batch that the proxies looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    data: str | None = None
    data_hash: str | None = None
    evaluator: str | None = None
    sources: list[str] = []
    pictures: int = 0
    seed: int = 0


class _Facts(Facts):
    """What stands in predictor.json."""

    space: str
    whose: Whose
    proxies: list[str]
    rows_sha256: str


@dataclass(frozen=True)
class LearntAccuracy:
    """Rows of networks that were all measured, and the name of the model that learns from them."""

    rows: AccuracyRows
    model_name: str = DEFAULT
    whose: Whose = field(default_factory=Whose)

    @property
    def space_name(self) -> str:
        """The space that the networks are of."""
        return self.rows.architectures[0].space

    @property
    def told(self) -> str:
        """For people: 'accuracy on signs (supernet), from 200 networks, with nwot'."""
        data = f" on {self.whose.data}" if self.whose.data else ""
        how = f" ({self.whose.evaluator})" if self.whose.evaluator else ""
        proxies = f", with {', '.join(self.rows.proxies)}" if self.rows.proxies else ""
        return f"accuracy{data}{how}, from {len(self.rows.architectures)} networks{proxies}"

    @cached_property
    def space(self) -> SearchSpace[Any]:
        """The space, with the settings of the rows."""
        return space_class(self.space_name).restored(self.rows.architectures[0].settings)

    @cached_property
    def model(self) -> IntervalPredictor:
        """Learnt from the rows; `WrongUse` where they are too few or all alike."""
        return IntervalPredictor(self.model_name).fit(self._features(self.rows), self.rows.top1)

    def predict(self, rows: AccuracyRows) -> tuple[Floats, Floats, Floats]:
        """Mean, low and high `(n,)` of the accuracy of networks, whatever theirs is said to be.

        `WrongUse` where they are of another space or other settings, or lack a proxy that was learnt from. A network
        without a score of a proxy counts as the lowest that was learnt from.
        """
        missing = [name for name in self.rows.proxies if name not in rows.proxies]
        if missing:
            raise WrongUse(f"the predictor learnt from the proxy {missing[0]}, and these rows have no such column")
        return self.model.predict(self._features(rows))

    def cross_validated(self) -> AccuracyScores:
        """Of each row predicted from others, with the interval that these give."""
        model = self.model
        return _scores(self.rows.top1, model.left_out, model.left_out_width)

    def evaluate(self, others: AccuracyRows) -> AccuracyScores:
        """Of networks that were measured elsewhere; `WrongUse` as `predict`."""
        mean, low, high = self.predict(others)
        covered = (low <= others.top1) & (others.top1 <= high)
        return _scores(others.top1, mean, (high - low) / 2, covered)

    def save(self, folder: Path) -> AccuracyScores:
        """Writes the folder, the facts last, and gives what stands in them: the cross-validated scores."""
        scores = self.cross_validated()
        with os_errors_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.rows.write(folder / ROWS)
        facts = _Facts(
            metric=METRIC,
            model=self.model_name,
            space=self.space_name,
            whose=self.whose,
            proxies=list(self.rows.proxies),
            rows_sha256=hash_of(folder / ROWS),
            cross_validated=asdict(scores),
        )
        write_facts(folder, facts)
        return scores

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From a folder that `save` wrote; `NotFound` where there is none, `FitnasError` where it is damaged."""
        facts = read_facts(folder, _Facts, [METRIC])
        check_files(folder, {ROWS: facts.rows_sha256})
        return cls(AccuracyRows.read(folder / ROWS).with_proxies(facts.proxies), facts.model, facts.whose)

    def _features(self, rows: AccuracyRows) -> Floats:
        """`(n, f)`: the space's own, logs of parameters and multiply-accumulates, the proxies' scores."""
        population = self.space.population(rows.architectures)
        proxies = [_filled(rows.proxies[name], known) for name, known in self.rows.proxies.items()]
        return np.column_stack([self.space.features(population), *_cheap(population), *proxies])


def _cheap(population: Population) -> list[Floats]:
    priced: Mapping[str, Any] = Pricer(population.space, population.space.default_runtime, schedule="none")(population)
    return [np.log(priced[column].astype(np.float64)) for column in ("params", "macs")]


def _filled(scores: Floats, known: Floats) -> Floats:
    """`scores` with the lowest of the `known` ones for none, 0 where none is known."""
    finite = known[np.isfinite(known)]
    return np.where(np.isfinite(scores), scores, finite.min() if len(finite) else 0.0)


def _scores(
    measured: Floats, predicted: Floats, width: Floats, covered: NDArray[np.bool_] | None = None
) -> AccuracyScores:
    covered = np.abs(measured - predicted) <= width if covered is None else covered
    interval = float(np.median(width))
    share = float(np.mean(covered)) if np.isfinite(interval) else None
    return AccuracyScores(len(measured), kendall(measured, predicted), rmse(measured, predicted), interval, share)
