"""Bayesian optimisation with Gaussian processes, Optuna's: expected hypervolume improvement, constraints included.

It sees choices alone and takes up to seconds a question; `ehvi` knows exact prices and takes a fraction.
"""

from typing import TYPE_CHECKING, ClassVar, cast

from nas.strategies.optuna_sampler import OptunaStrategy, make_quietly

if TYPE_CHECKING:
    import optuna


class GP(OptunaStrategy):
    """Gaussian processes (Optuna): expected hypervolume improvement by choices alone; seconds a question."""

    draws: ClassVar[int] = 1

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """One that is never in its random phase."""
        return cast("optuna.samplers.BaseSampler", make_quietly("GPSampler", seed=seed, n_startup_trials=1))


STRATEGY = GP
