"""NSGA-II, Optuna's (Deb, Pratap, Agarwal and Meyarivan: IEEE Transactions on Evolutionary Computation 6, 2002)."""

from typing import TYPE_CHECKING, cast

from nas.strategies.optuna_sampler import GeneticStrategy, make_quietly

if TYPE_CHECKING:
    import optuna


class NSGA2(GeneticStrategy):
    """NSGA-II (Optuna): generations of twenty, chosen by non-dominated rank and crowding distance."""

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """With a population of twenty."""
        made = make_quietly("NSGAIISampler", seed=seed, population_size=self.population)
        return cast("optuna.samplers.BaseSampler", made)


STRATEGY = NSGA2
