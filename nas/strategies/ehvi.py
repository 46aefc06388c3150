"""Expected hypervolume improvement, by models of what was measured, of the front's neighbours and random networks."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from nas.core.pareto import non_dominated
from nas.core.trial import Trial
from nas.strategies.evolution import best_rows
from nas.strategies.improvement import best_together
from nas.strategies.moves import distinct, neighbourhood, within_limits, without
from nas.strategies.planning import Planning
from nas.strategies.surrogates import raw_volume
from search_spaces.core.population import Population

MANY_CHOICES = 60  # beyond which all networks are about equally far apart for a Gaussian process
_NEIGHBOURS, _RANDOM = 600, 200
_MOST_LEARNT = 600  # trials: the work of a Gaussian process grows with their cube


class EHVI(Planning):
    """Expected hypervolume improvement: what a Gaussian process expects to add most to the front; batches of five.

    Candidates are neighbours of the front and random networks, all of which fit. Models learn on a log scale; what is
    added is the volume of the front as searches report it. Objectives that are exact are priced;
    of each measured one a model learns (a Gaussian process; above 60 choices boosted trees). The deviation of a model
    holds its error too: what is left over is a network's own luck, which a front keeps.
    """

    def plan(self, told: Sequence[Trial], rng: np.random.Generator) -> Population:
        """The candidates that are expected to add most together."""
        candidates, figures = within_limits(self._candidates(told, rng), self.price, self.budget)
        if not len(candidates):
            return candidates
        models = self.models(self._model, [told[row] for row in self._rows_to_learn(told)])
        expected = models.expect(candidates, figures)
        values, worst = self.values(told), self.worst(told)
        inside = self.admitted(told) & (values <= worst).all(axis=1)
        front = values[inside][non_dominated(values[inside])]
        volume = partial(raw_volume, self.objectives)
        chosen = best_together(expected.mean, expected.std, front, worst, self.length, expected.chance, volume)
        return candidates[np.array(chosen, dtype=np.intp)]

    @property
    def _model(self) -> str:
        return "linear_matern" if len(self.space.choices) <= MANY_CHOICES else "boosted_trees"

    def _candidates(self, told: Sequence[Trial], rng: np.random.Generator) -> Population:
        seen = {key for key in self.space.population([trial.architecture for trial in told]).keys()}  # noqa: C416, SIM118
        near = neighbourhood(self.space, self.front(told))
        near = near[rng.permutation(len(near))[:_NEIGHBOURS]]
        return without(distinct(near.concatenate(self.space.sample(rng, _RANDOM))), seen)

    def _rows_to_learn(self, told: Sequence[Trial]) -> list[int]:
        """All trials; of very many the nearest to the front half, and of the others the latest."""
        if len(told) <= _MOST_LEARNT:
            return list(range(len(told)))
        best = set(best_rows(self.values(told), self.admitted(told), _MOST_LEARNT // 2))
        others = [row for row in range(len(told)) if row not in best]
        return sorted([*best, *others[-(_MOST_LEARNT - len(best)) :]])


STRATEGY = EHVI
