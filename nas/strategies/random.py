"""Random search: the baseline that every other strategy has to beat."""

import numpy as np

from nas.strategies.strategy import Strategy
from search_spaces.core.population import Population


class RandomSearch(Strategy):
    """Each genotype equally likely, whatever was told."""

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """`n` independent samples of the space."""
        return self.space.sample(rng, n)


STRATEGY = RandomSearch
