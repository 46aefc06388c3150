"""Gaussian processes, Optuna's: expected improvement, of the hypervolume where there are several objectives.

Daulton, Balandat and Bakshy: Differentiable Expected Hypervolume Improvement, NeurIPS 2020; in the logarithm after
Ament, Daulton, Eriksson, Balandat and Bakshy, NeurIPS 2023.
"""

from typing import TYPE_CHECKING, ClassVar, cast

from nas.strategies.optuna_sampler import OptunaStrategy, make_quietly

if TYPE_CHECKING:
    import optuna


class GP(OptunaStrategy):
    """Gaussian processes (Optuna): one draw a question, which takes seconds from some hundred trials on."""

    draws: ClassVar[int] = 1

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """For figures without noise: what is proposed is never measured twice."""
        made = make_quietly("GPSampler", seed=seed, n_startup_trials=1, deterministic_objective=True)
        return cast("optuna.samplers.BaseSampler", made)


STRATEGY = GP
