"""What a way of sampling is told, and what it says: the passes of one step, as data."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace

# Draws n architectures with a generator; may repeat itself.
Candidates = Callable[[np.random.Generator, int], Iterable[Architecture]]


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass: through one sub-network, or several that share the batch and a picture size.

    It learns from the labels and, as a share `from_first` (0..1), from the answers of the step's first pass.
    """

    members: tuple[Architecture, ...]
    from_first: float = 0.0


class Sampling(ABC):
    """Which sub-networks each step trains; gradients of a step's passes add up.

    `candidates` draws random sub-networks, `ends` are the (largest, smallest) that the training is for, `subnets` says
    how many random ones a step has. All that it draws comes from the generator it is given, so that a training that was
    killed goes on to the same weights.
    """

    default_subnets: ClassVar[int]
    epochs_factor: ClassVar[int] = 1
    """How many times as many epochs, unless told, as of the sandwich, whose step has about four passes."""
    joins: ClassVar[bool] = False
    """Whether its passes have several members, which takes a supernet with `activate_many`."""

    def __init__(
        self,
        space: SearchSpace[Any],
        candidates: Candidates,
        ends: tuple[Architecture, Architecture],
        subnets: int | None = None,
    ) -> None:
        self.space, self.candidates = space, candidates
        self.largest, self.smallest = ends
        self.subnets = self.number(subnets)

    @classmethod
    def number(cls, asked: int | None) -> int:
        """Random sub-networks a step where `asked` are; `WrongUse` where it is for itself to say."""
        return cls.default_subnets if asked is None else asked

    @abstractmethod
    def passes(self, rng: np.random.Generator, done: float) -> list[Pass]:
        """Those of one step, when the share `done` (0..1) of the training's steps lies behind it."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What of it makes a checkpoint this training's: plain JSON values."""
