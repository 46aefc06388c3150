"""What is proposed where nobody names a strategy."""

from typing import ClassVar

import numpy as np

from nas.strategies.ehvi import EHVI
from search_spaces.core.population import Population


class Auto(EHVI):
    """The space's own networks and random ones, then neighbours of the front, then expected hypervolume improvement."""

    startup: ClassVar[int] = 8
    first_plan: ClassVar[int] = 12
    """Trials from which a model is trusted; until then neighbours of the front are proposed."""

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most `n` candidates."""
        usable = self.usable
        if not self.startup <= len(usable) < self.first_plan:
            return super().ask(n, rng)
        near = self.near_front(usable, rng, n)
        return near.concatenate(self.random(rng, n))[:n]


STRATEGY = Auto
