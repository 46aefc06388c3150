"""NSGA-III, Optuna's (Deb and Jain: IEEE Transactions on Evolutionary Computation 18, 2014)."""

from typing import TYPE_CHECKING, cast

from nas.strategies.optuna_sampler import GeneticStrategy, make_quietly

if TYPE_CHECKING:
    import optuna


class NSGA3(GeneticStrategy):
    """NSGA-III (Optuna): generations of twenty, spread over reference directions; for three objectives and more."""

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """With a population of twenty."""
        made = make_quietly("NSGAIIISampler", seed=seed, population_size=self.population)
        return cast("optuna.samplers.BaseSampler", made)


STRATEGY = NSGA3
