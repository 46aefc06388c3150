"""What zero-cost proxies say of networks that nobody has trained: a fraction of a second each, and no accuracy."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from nas.training.data import Labelled, resize, to_float
from nas.training.device import keep_freed_memory, random_numbers, torch_threads
from predictors.zero_cost import zero_cost_proxy
from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace

PICTURES = 32  # in the one batch that is looked at, unless there are fewer


class Said(NamedTuple):
    """A proxy's score of one network, NaN where it has none, and the seconds that it took."""

    score: float
    seconds: float


def batch_of(pictures: Labelled, count: int, seed: int) -> Labelled:
    """So many of the pictures, or all of fewer, drawn by the seed, in their order."""
    chosen = np.sort(np.random.default_rng([seed, 7]).permutation(len(pictures.labels))[:count])
    return Labelled(np.asarray(pictures.images[chosen]), np.asarray(pictures.labels[chosen]))


@dataclass(frozen=True)
class Untrained:
    """Networks of a space with freshly drawn weights, and the batch that they are shown.

    `batch`: uint8 (n, C, H, W) of the space's largest resolution, n at least 2, resized to each network's own, and
    classes (n,). `mean`, `std`: per channel, as in training. `seed`: of the weights. `threads`: None for as many as
    torch has.
    """

    space: SearchSpace[Any]
    batch: Labelled
    mean: Sequence[float]
    std: Sequence[float]
    seed: int = 0
    threads: int | None = 1

    def ask(self, architecture: Architecture, proxies: Sequence[str]) -> dict[str, Said]:
        """By the proxy's name; a pure function of the architecture. `WrongUse` where a proxy cannot look at it."""
        keep_freed_memory()
        with torch_threads(self.threads):
            with random_numbers(self.seed):
                network = self.space.build(architecture)
            height, width = self.space.input_size(architecture)[1:]
            shown = to_float(resize(torch.tensor(self.batch.images), (height, width)), self.mean, self.std)
            labels = torch.tensor(self.batch.labels)
            found = {}
            for name in proxies:
                began = time.perf_counter()
                score = zero_cost_proxy(name).score(network, shown, labels)
                found[name] = Said(score, time.perf_counter() - began)
        return found


@dataclass(frozen=True)
class ZeroCostEvaluator:
    """Scores architectures with one proxy, for searches that train nothing."""

    untrained: Untrained
    proxy: str

    def evaluate(self, architecture: Architecture) -> Mapping[str, float]:
        """`zero_cost`, more is better; NaN where the proxy has no figure, which makes a failed trial."""
        return {"zero_cost": self.untrained.ask(architecture, [self.proxy])[self.proxy].score}
