"""The space's own published rule, and nothing that it does not give."""

from typing import ClassVar

import numpy as np

from nas.strategies.strategy import Strategy
from search_spaces.core.errors import WrongUse
from search_spaces.core.population import Population


class Propose(Strategy):
    """What `SearchSpace.propose` gives for the budget and the accuracies told so far.

    The search ends where that is nothing new. `WrongUse` for a space without a rule.
    """

    only_its_own: ClassVar[bool] = True

    @property
    def may_exceed_budget(self) -> bool:
        """A rule that contracts a large network trains larger ones on its way."""
        return self.space.rule_exceeds_budget

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most `n` networks of the rule."""
        if self.price is None:
            raise WrongUse("the strategy 'propose' needs exact prices, and this search has none")
        measured = [(t.architecture, t.metrics["top1"]) for t in self._told if "top1" in t.metrics]
        return self.space.propose(self.budget.limits, self.price, measured, rng, self.trials, self.measure)[:n]


STRATEGY = Propose
