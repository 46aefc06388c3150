"""Several random sub-networks a step in one pass, each on its own part of the batch, which learn from the labels.

Source: multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642). There a step on 128 pictures a GPU trains two
sub-networks a GPU, and smaller options are unlocked over the first 15 of 120 epochs, the largest first.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from nas.training.sampling.sampling import Pass, Sampling
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population

UNLOCKED_AFTER = 1 / 8  # of the training
_ROUNDS = 16


class Multi(Sampling):
    """One pass a step. Its sub-networks take pictures of one size: that of the first drawn, so that each size comes as
    often as it is drawn.
    """

    default_subnets = 2
    joins = True

    def passes(self, rng: np.random.Generator, done: float) -> list[Pass]:
        """A single one, of fewer sub-networks where too few of one picture size are drawn."""
        members: list[Architecture] = []
        for _ in range(_ROUNDS):
            for drawn in self._unlocked(self.candidates(rng, self.subnets), done):
                if not members or self.space.input_size(drawn) == self.space.input_size(members[0]):
                    members.append(drawn)
            if len(members) >= self.subnets:
                break
        return [Pass(tuple(members[: self.subnets]))]

    def _unlocked(self, drawn: Iterable[Architecture], done: float) -> Iterable[Architecture]:
        """The same with each option that is still locked replaced by the smallest that is not.

        That can take them beyond a budget; the largest network's weights, trained first, hold everyone else's.
        """
        if done >= UNLOCKED_AFTER:
            return drawn
        counts = np.array([len(choice.options) for choice in self.space.choices])
        unlocked = 1 + (counts * done / UNLOCKED_AFTER).astype(np.int16)
        matrix = np.maximum(self.space.population(drawn).matrix, counts - unlocked)
        return Population(self.space, self.space.canonical(matrix.astype(np.int16)))

    def identity(self) -> dict[str, Any]:
        return {"sampling": "multi", "random_subnets": self.subnets}


SAMPLING = Multi
