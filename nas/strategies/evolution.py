"""MCUNetV2's evolution as a steady state, for one objective or several.

The paper (arXiv 2110.15352, after arXiv 1908.09791) evolves 30 generations of 100: the best 20 are the parents, half of
the next generation are crossovers of two parents, half are mutations in which each choice changes with probability
0.1. Here a trial is proposed as soon as a worker is free, so there are no generations: the parents are the best 20 of
all trials told so far. With several objectives "best" is by non-dominated rank, then by crowding distance
(NSGA-II: Deb et al., IEEE Trans. Evolutionary Computation 6, 2002).
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas.core.objective import oriented_table
from nas.core.pareto import non_dominated
from nas.core.trial import Trial
from nas.strategies.strategy import Strategy
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population

MUTATION_PROBABILITY = 0.1
MOST_PARENTS = 20
MOST_RANDOM_TRIALS = 100
RANDOM_SHARE_AT_THE_START = 0.1
RANDOM_SHARE_LATER = 0.1


class Evolution(Strategy):
    """Crossovers and mutations of the best trials so far.

    Scaled to the number of trials: a tenth of them, at least 8 and at most the paper's 100, are random, after the
    smallest and the largest architecture of the space, which mark the ends of the front. From then on one candidate in
    ten stays random, so that the search cannot collapse to the surroundings of one architecture; the others are
    crossovers and mutations in equal parts. There are 20 parents, or half of the random trials where that is less.
    Trials that failed or break a limit are no parents as long as others are there.
    """

    @property
    def random_trials(self) -> int:
        """How many trials are told before the first crossover."""
        share = round(RANDOM_SHARE_AT_THE_START * self.trials)
        return int(np.clip(share, 8, MOST_RANDOM_TRIALS))

    @property
    def parent_count(self) -> int:
        """How many of the best trials have children."""
        return min(MOST_PARENTS, max(4, self.random_trials // 2))
