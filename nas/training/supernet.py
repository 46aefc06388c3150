"""Training a supernet: at each step the largest network and random ones, at some the smallest, on equal pictures.

Sources: sandwich rule and in-place distillation of BigNAS (arXiv 2003.11142): the largest network learns from the
labels, the others from its answers of that very step; their gradients add up to one change of the shared weights. The
smallest takes part in a quarter of the steps: in every one, as published, it comes out better than random networks of
several times its size (digits, 15 epochs: 0.97 beside a mean of 0.88), and a search ends where it began.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nas.training.checkpoint import to_arrays
from nas.training.data import Pictures
from nas.training.device import mixed_precision, pick_accelerator, random_numbers
from nas.training.epochs import Augmentation, FitReport, Progress, Recipe, Trainer
from nas.training.loop import prepare
from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace

FILE_NAME = "supernet.safetensors"
SMALLEST_SHARE = 0.25
# Draws n architectures with a generator; may repeat itself.
Candidates = Callable[[np.random.Generator, int], Iterable[Architecture]]


@dataclass(frozen=True)
class SupernetReport(FitReport):
    """What a training did, and the shared weights by name, ready for `SupernetEvaluator`."""

    weights: dict[str, NDArray[Any]]


def train_supernet(
    space: SearchSpace[Any],
    pictures: Pictures,
    *,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float | None = None,
    random_subnets: int = 3,
    seed: int = 0,
    accelerator: str = "auto",
    directory: Path | None = None,
    threads: int | None = None,
    deadline: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    augmentation: Augmentation | None = None,
    candidates: Candidates | None = None,
    largest: Architecture | None = None,
    smallest: Architecture | None = None,
) -> SupernetReport:
    """Trains the supernet of `space` on `pictures.train`, each sub-network at its own resolution.

    `candidates` draws the random sub-networks (default: `space.sample`); `largest` is also the teacher; both extremes
    default to the space's. With a `directory` its file `supernet.safetensors` is written after every epoch, and where
    it holds an earlier stand of this very training, that goes on to the same weights as without the break; `candidates`
    must then be the same function of its generator. `threads` is part of the result, so set it where that must not
    depend on the machine. See `Trainer.run` for `deadline` and errors. The losses are those of the largest network.
    """
    device = pick_accelerator(accelerator)
    with random_numbers(seed):
        supernet: Any = space.supernet()
    ends = space.extremes()
    sandwich = _Sandwich(
        space,
        supernet,
        ends=(largest or ends[1], smallest or ends[0]),
        draw=lambda rng: (candidates or space.sample)(rng, random_subnets),
        pictures=pictures,
        device=device,
    )
    identity = sandwich.identity() | {"random_subnets": random_subnets}
    path = directory / FILE_NAME if directory is not None else None
    recipe = Recipe(epochs, learning_rate or space.learning_rate, batch_size)
    trainer = Trainer(supernet, recipe, *pictures.train, device, seed, augmentation, path, identity)
    report = trainer.run(sandwich, threads, progress, deadline)
    return SupernetReport(report.epochs, report.losses, report.seconds, to_arrays(supernet))


@dataclass(frozen=True)
class _Sandwich:
    """One step's gradients: of the first of `ends` (largest, smallest), now and then the second, the drawn ones."""

    space: SearchSpace[Any]
    supernet: Any
    ends: tuple[Architecture, Architecture]
    draw: Callable[[np.random.Generator], Iterable[Architecture]]
    pictures: Pictures
    device: torch.device

    def __call__(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> float:
        """The loss of the largest network; images uint8 (n, C, H, W), labels (n,)."""
        targets, first = labels, 0.0
        ends = self.ends if rng.random() < SMALLEST_SHARE else self.ends[:1]
        for index, member in enumerate((*ends, *self.draw(rng))):
            self.supernet.activate(member)
            size = self.space.input_size(member)[1:]
            with mixed_precision(self.device):
                logits = self.supernet(prepare(images, size, self.pictures.mean, self.pictures.std))
                loss = functional.cross_entropy(logits, targets)
            torch.autograd.backward(loss)
            if index == 0:
                targets, first = logits.detach().float().softmax(dim=1), float(loss.detach())
        return first

    def identity(self) -> dict[str, Any]:
        """What makes a checkpoint this training's."""
        return {
            "training": "supernet",
            "data": self.pictures.hash,
            "size": list(self.pictures.size),
            "space": self.space.name,
            "settings": self.space.settings.model_dump(mode="json"),
            "ends": [member.id for member in self.ends],
        }
