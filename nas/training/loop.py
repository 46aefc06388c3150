"""Training one network, and scoring it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.dlpack import from_dlpack

from nas.training.data import Pictures, resize, to_float
from nas.training.device import mixed_precision, pick_accelerator, torch_threads
from nas.training.epochs import Accumulate, Augmentation, FitReport, Progress, Recipe, Trainer
from nas.training.recalibrate import even_parts
from nas.training.stored_logits import StoredLogits
from search_spaces.core.errors import FitnasError

FINE_TUNE_RATE = 1e-3  # from inherited weights
SCRATCH_RATE = 1e-2
SCORE_BATCH = 64
Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Scores:
    """`top1` over all pictures, `balanced_top1` the mean over the classes that occur, `confusion[true, predicted]`."""

    top1: float
    balanced_top1: float
    confusion: NDArray[np.int64]


def score(predicted: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]], classes: int) -> Scores:
    """Compares predicted classes (n,) with labels (n,), both in 0..classes-1; `FitnasError` without pictures.

    >>> score(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), 3).balanced_top1
    0.8333333333333333
    """
    if len(labels) == 0:
        raise FitnasError("there are no pictures to score on; the data set needs a validation or test part")
    cells = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
    confusion = cells.reshape(classes, classes).astype(np.int64)
    hits, counts = confusion.diagonal(), confusion.sum(axis=1)
    present = counts > 0
    return Scores(float(hits.sum() / counts.sum()), float((hits[present] / counts[present]).mean()), confusion)


def prepare(images: Tensor, size: Size, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (n, C, H, W) -> float (n, C, *size), resized and normalised, channels last in memory."""
    return to_float(resize(images, size), mean, std).contiguous(memory_format=torch.channels_last)


def batches(
    images: NDArray[np.uint8],
    size: Size,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | None = None,
) -> Iterator[Tensor]:
    """uint8 pictures (n, C, H, W) in even parts, each as `prepare` gives it; none of none."""
    where = device or torch.device("cpu")
    for part in even_parts(len(images), SCORE_BATCH):
        yield prepare(from_dlpack(images[part]).to(where), size, mean, std)


@torch.no_grad()
def logits_of(
    network: nn.Module,
    images: NDArray[np.uint8],
    size: Size,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | None = None,
) -> NDArray[np.float32]:
    """Logits (n, classes) of a network in eval mode on uint8 pictures (n, C, H, W); float32 on every device."""
    network.eval()
    found = [network(batch).float().cpu().numpy() for batch in batches(images, size, mean, std, device)]
    if not found:
        raise FitnasError("there are no pictures to score on; the data set needs a validation or test part")
    return np.concatenate(found)


def evaluate(
    network: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    size: Size,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | None = None,
) -> Scores:
    """Accuracy of a network on uint8 pictures (n, C, H, W) of any resolution, resized to `size`; a tie in the logits
    counts for the class of the lower number. `FitnasError` without pictures.
    """
    logits = logits_of(network, images, size, mean, std, device)
    return score(logits.argmax(axis=1), labels, logits.shape[1])


@dataclass(frozen=True)
class Fit:
    """How one network is trained alone: everything but the network, the pictures and the place.

    `augmentation` varies training pictures. The moving averages of weights and batch-norm statistics (`ema_decay`; 0:
    none) are what a training ends with.
    """

    epochs: int
    learning_rate: float = FINE_TUNE_RATE
    batch_size: int = 64
    label_smoothing: float = 0.1
    ema_decay: float = 0.99
    weight_decay: float = 1e-4
    optimizer: str = "adamw"
    augmentation: Augmentation | None = None

    def recipe(self) -> Recipe:
        """What the trainer needs of it."""
        return Recipe(
            self.epochs,
            self.learning_rate,
            self.batch_size,
            self.weight_decay,
            ema_decay=self.ema_decay,
            optimizer=self.optimizer,
        )


def fit(
    network: nn.Module,
    pictures: Pictures,
    how: Fit,
    *,
    size: Size,
    seed: int = 0,
    accelerator: str = "auto",
    threads: int | None = None,
    deadline: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    teacher: StoredLogits | None = None,
) -> FitReport:
    """Trains `network` in place on `pictures.train` at `size` (height, width); with a `teacher` on its stored views
    and answers alone, labels and smoothing apart.

    Afterwards the network is on the CPU in eval mode and holds the moving averages. `checkpoint` is a file: where it
    holds an earlier stand of this very training, that goes on; the result is the same as without the break. See
    `Trainer.run` for `deadline` and errors.
    """
    device = pick_accelerator(accelerator)
    identity = {"training": "fit", "data": pictures.hash, "size": list(size), "label_smoothing": how.label_smoothing}
    if teacher is not None:
        teacher.check(how.epochs)
        how, identity = replace(how, label_smoothing=0.0, augmentation=None), {**identity, **teacher.identity}
    trainer = Trainer(
        network, how.recipe(), *pictures.train, device, seed, how.augmentation, checkpoint, identity, teacher
    )
    report = trainer.run(_accumulate(network, pictures, how, size, device), threads, progress, deadline)
    network.to("cpu").eval()
    return report


def fit_in_stages(
    network: nn.Module,
    pictures: Pictures,
    how: Fit,
    rungs: Sequence[int],
    *,
    size: Size,
    seed: int = 0,
    accelerator: str = "auto",
    threads: int | None = None,
) -> Iterator[tuple[int, Scores]]:
    """As `fit`, but pauses after each of the rising numbers of epochs, the last of which is `how.epochs`.

    Yields the epochs done and the scores on the validation pictures, which the network as it then stands would give.
    """
    device = pick_accelerator(accelerator)
    trainer = Trainer(network, how.recipe(), *pictures.train, device, seed, how.augmentation)
    for rung in trainer.stages(_accumulate(network, pictures, how, size, device), rungs, threads):
        images, labels = pictures.validation
        with torch_threads(threads):
            scores = evaluate(network, images, labels, size, pictures.mean, pictures.std, device)
        yield rung, scores


def _accumulate(network: nn.Module, pictures: Pictures, how: Fit, size: Size, device: torch.device) -> Accumulate:
    """One step's gradients of the cross-entropy."""

    def accumulate(batch: Tensor, targets: Tensor, _: np.random.Generator) -> float:
        with mixed_precision(device):
            logits = network(prepare(batch, size, pictures.mean, pictures.std))
            loss = functional.cross_entropy(logits, targets, label_smoothing=how.label_smoothing)
        torch.autograd.backward(loss)
        return float(loss.detach())

    return accumulate
