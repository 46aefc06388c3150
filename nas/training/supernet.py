"""Training a supernet: which sub-networks a step trains is for `nas.training.sampling`, how they learn stands here."""

from collections.abc import Callable
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
from nas.training.loop import Size, prepare
from nas.training.sampling import DEFAULT, sampling_class
from nas.training.sampling.sampling import Candidates, Pass, Sampling
from nas.training.stored_logits import StoredLogits
from search_spaces.core.architecture import Architecture
from search_spaces.core.space import SearchSpace

FILE_NAME = "supernet.safetensors"
_FEWEST_ROWS = 2  # of a sub-network's part of the batch: one picture has no variance


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
    sampling: str = DEFAULT,
    random_subnets: int | None = None,
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
    begin: Callable[[Any], None] | None = None,
    teacher: StoredLogits | None = None,
) -> SupernetReport:
    """Trains the supernet of `space` on `pictures.train`, each sub-network at its own resolution.

    `sampling` names the way, which also knows how many `random_subnets` a step has unless they are given. `candidates`
    draws these (default: `space.sample`); `largest` and `smallest` default to the space's. With a `directory` its file
    `supernet.safetensors` is written after every epoch, and where it holds an earlier stand of this very training, that
    goes on to the same weights as without the break; `candidates` must then be the same function of its generator.
    `begin` is given the new supernet before its first step, to start from something better than random weights.
    A `teacher`'s stored answers take the place of labels, on its stored views.
    `threads` is part of the result, so set it where that must not depend on the machine. See `Trainer.run` for
    `deadline` and errors. The losses are those of each step's first pass.
    """
    device = pick_accelerator(accelerator)
    with random_numbers(seed):
        supernet: Any = space.supernet()
    path = directory / FILE_NAME if directory is not None else None
    if begin is not None and not (path and path.is_file()):
        begin(supernet)
    ends = space.extremes()
    way = sampling_class(sampling)(
        space, candidates or space.sample, (largest or ends[1], smallest or ends[0]), random_subnets
    )
    recipe = Recipe(epochs, learning_rate or space.learning_rate, batch_size)
    identity = _identity(way, pictures)
    if teacher is not None:
        teacher.check(epochs)
        augmentation, identity = None, {**identity, **teacher.identity}
    trainer = Trainer(supernet, recipe, *pictures.train, device, seed, augmentation, path, identity, teacher)
    step = _Step(way, supernet, pictures, device)
    report = trainer.run(
        lambda images, labels, rng: step(images, labels, rng, trainer.done), threads, progress, deadline
    )
    return SupernetReport(report.epochs, report.losses, report.seconds, to_arrays(supernet))


@dataclass(frozen=True)
class _Step:
    """One step's gradients: forward and backward through each pass that `way` asks for."""

    way: Sampling
    supernet: Any
    pictures: Pictures
    device: torch.device

    def __call__(self, images: Tensor, labels: Tensor, rng: np.random.Generator, done: float) -> float:
        """The loss of the first pass; images uint8 (n, C, H, W), labels (n,), or a teacher's (n, classes); `done` the
        share of steps behind.
        """
        answers, first = labels, 0.0
        for index, one in enumerate(self.way.passes(rng, done)):
            size = self._activate(one, len(images))
            with mixed_precision(self.device):
                logits = self.supernet(prepare(images, size, self.pictures.mean, self.pictures.std))
                loss = _loss(logits, labels, answers, one.from_first)
            torch.autograd.backward(loss)
            if index == 0:
                answers, first = logits.detach().float().softmax(dim=1), float(loss.detach())
        return first

    def _activate(self, one: Pass, rows: int) -> Size:
        """Returns the size of the pictures that the pass takes."""
        members = one.members[: max(1, rows // _FEWEST_ROWS)]
        if len(members) > 1:
            self.supernet.activate_many(members)
        else:
            self.supernet.activate(members[0])
        return self.way.space.input_size(members[0])[1:]


def _loss(logits: Tensor, labels: Tensor, answers: Tensor, share: float) -> Tensor:
    """Cross-entropy of logits (n, classes) to labels (n,) or (n, classes) and, as a `share`, to the answers alike."""
    if share == 0.0:
        return functional.cross_entropy(logits, labels)
    taught = share * functional.cross_entropy(logits, answers)
    return taught if share == 1.0 else taught + (1.0 - share) * functional.cross_entropy(logits, labels)


def _identity(way: Sampling, pictures: Pictures) -> dict[str, Any]:
    """What makes a checkpoint this training's."""
    return {
        "training": "supernet",
        "data": pictures.hash,
        "size": list(pictures.size),
        "space": way.space.name,
        "settings": way.space.settings.model_dump(mode="json"),
        "ends": [way.largest.id, way.smallest.id],
        **way.identity(),
    }
