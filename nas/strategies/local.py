"""Pareto local search (Paquete, Chiarandini and Stuetzle, in Metaheuristics for Multiobjective Optimisation, 2004)."""

import numpy as np

from nas.strategies.around_front import AroundFront
from search_spaces.core.population import Population

_RANDOM_TRIALS = 12


class Local(AroundFront):
    """Pareto local search: neighbours of the front at random; random networks once all of them were tried."""

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most `n` candidates that fit and were not told."""
        usable = self.usable
        if not usable:
            return self.start().concatenate(self.random(rng, n))[:n]
        if len(usable) < _RANDOM_TRIALS:
            return self.random(rng, n)
        near = self.near_front(usable, rng, n)
        return near if len(near) == n else near.concatenate(self.random(rng, n))[:n]


STRATEGY = Local
