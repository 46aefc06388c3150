"""One random sub-network a step, which learns from the labels.

Sources: Single-Path One-Shot (arXiv 1904.00420); AutoFormer (arXiv 2107.00651), for vision transformers.
"""

from typing import Any

import numpy as np

from nas.training.sampling.sampling import Pass, Sampling
from search_spaces.core.errors import WrongUse


class Uniform(Sampling):
    """Each candidate equally likely; nobody teaches."""

    default_subnets = 1
    epochs_factor = 3

    @classmethod
    def number(cls, asked: int | None) -> int:
        if asked not in (None, cls.default_subnets):
            raise WrongUse(
                f"--sampling uniform trains one sub-network a step, --subnets {asked} asks for more; leave it away, or "
                "choose --sampling multi or sandwich"
            )
        return cls.default_subnets

    def passes(self, rng: np.random.Generator, done: float) -> list[Pass]:
        """A single one."""
        return [Pass((member,)) for member in self.candidates(rng, self.subnets)]

    def identity(self) -> dict[str, Any]:
        return {"sampling": "uniform"}


SAMPLING = Uniform
