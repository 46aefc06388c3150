"""Tree-structured Parzen estimators for several objectives, Optuna's.

Ozaki, Tanigaki, Watanabe, Nomura and Onishi: Multiobjective Tree-Structured Parzen Estimator, JAIR 73, 2022. The
densities are over all choices at once (Falkner, Klein and Hutter: BOHB, ICML 2018), since choices act together.
"""

from typing import TYPE_CHECKING, cast

from nas.strategies.optuna_sampler import OptunaStrategy, make_quietly

if TYPE_CHECKING:
    import optuna


class TPE(OptunaStrategy):
    """Tree-structured Parzen estimators (Optuna): draws where good trials are dense and others are not."""

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """Multivariate TPE that is never in its random phase."""
        made = make_quietly("TPESampler", seed=seed, multivariate=True, n_startup_trials=1)
        return cast("optuna.samplers.BaseSampler", made)


STRATEGY = TPE
