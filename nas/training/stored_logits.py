"""A teacher's answers on augmented pictures, kept on disk: written once, replayed for any number of students.

Source: TinyViT's fast pretraining distillation (arXiv 2207.10666). For each picture of an epoch the seed of its
augmented view is kept with the teacher's K largest probabilities; the rest is spread evenly over the other classes.

Format, version 1: a folder with `manifest.json` and a file an epoch, `epoch-0000.logits`, ... An epoch holds a record a
training picture, in the order of the loaded training part:

    seed           uint32, little-endian: the view is `augmentation(picture, Generator(seed))`
    classes        K x uint8 up to 256 classes, uint16 up to 65,536, else uint32: largest probability first
    probabilities  K x float16: after the softmax, temperature 1

`epoch-0000.part` is an epoch under way. The manifest says for which data, split, picture size, augmentation (rules and
version) and classes the records hold, and whose answers they are.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.storage.files import os_errors_explained, write_atomically
from nas.training.data import DataDescription, Pictures, augmentation
from nas.training.data.augmenting import AUGMENTATION_VERSION
from nas.training.epochs import Augmentation
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

VERSION = 1
MANIFEST = "manifest.json"
_LARGEST_SEED = 2**32


@dataclass(frozen=True)
class Manifest:
    """What the records of a folder are of. `data` and `split`: hashes; `size`: (height, width) of the views."""

    teacher: str
    teacher_hash: str
    data: str
    split: str
    split_seed: int
    pictures: int
    class_names: tuple[str, ...]
    size: tuple[int, int]
    augmentation: tuple[str, ...]
    top_k: int
    seed: int
    augmentation_version: int = AUGMENTATION_VERSION
    version: int = VERSION

    def __post_init__(self) -> None:
        if not 1 <= self.top_k <= len(self.class_names):
            raise WrongUse(f"--top-k is 1 to the number of classes ({len(self.class_names)}), got {self.top_k}")

    @property
    def record(self) -> np.dtype[Any]:
        """One picture's record."""
        return record_type(len(self.class_names), self.top_k)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """`NotFound` or `FitnasError` where the folder holds none, `WrongUse` for another version."""
        path = folder / MANIFEST
        if not path.is_file():
            raise NotFound(f"{folder} holds no stored logits ({MANIFEST} is missing); write them with nas distill")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["version"] != VERSION:
                raise WrongUse(
                    f"{folder} holds stored logits of version {document['version']}, this program reads version "
                    f"{VERSION}; write them again with nas distill"
                )
            lists = {name: tuple(document[name]) for name in ("class_names", "size", "augmentation")}
            return cls(**{**document, **lists})
        except (ValueError, KeyError, TypeError) as error:
            raise FitnasError(f"{path} is damaged ({error}); write the logits again with nas distill") from None

    def write(self, folder: Path) -> None:
        """Writes it into the folder, which is made."""
        with os_errors_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / MANIFEST, json.dumps(asdict(self), indent=2) + "\n")


def record_type(classes: int, top_k: int) -> np.dtype[Any]:
    """The record of so many classes: 4 bytes of seed, then an index and two bytes of probability for each of the K.

    >>> record_type(1000, 10).itemsize, record_type(21_841, 100).itemsize, record_type(10, 3).itemsize
    (44, 404, 13)
    """
    index = "u1" if classes <= 2**8 else "<u2" if classes <= 2**16 else "<u4"
    return np.dtype([("seed", "<u4"), ("classes", index, (top_k,)), ("probabilities", "<f2", (top_k,))])


def stored_bytes(pictures: int, epochs: int, classes: int, top_k: int) -> int:
    """What so many epochs take on disk, without the manifest.

    TinyViT publishes 16 GB for ImageNet-1k (300 epochs, K = 10) and 481 GB for ImageNet-21k (90 epochs, K = 100):

    >>> round(stored_bytes(1_281_167, 300, 1000, 10) / 2**30, 2)
    15.75
    >>> round(stored_bytes(14_197_122, 90, 21_841, 100) / 2**30, 1)
    480.8
    """
    return pictures * epochs * record_type(classes, top_k).itemsize


def view(image: NDArray[np.uint8], seed: int, vary: Augmentation) -> Tensor:
    """The augmented view (1, C, H, W) of one picture (C, H, W); the same bytes for the same seed, whoever asks."""
    return vary(torch.from_numpy(np.ascontiguousarray(image))[None], torch.Generator().manual_seed(int(seed)))


def seeds_of(seed: int, epoch: int, pictures: int) -> NDArray[np.uint32]:
    """The seeds of an epoch's views, by picture."""
    return np.random.default_rng([seed, epoch]).integers(_LARGEST_SEED, size=pictures, dtype=np.uint32)


def records_of(
    probabilities: NDArray[np.floating[Any]], seeds: NDArray[np.uint32], kind: np.dtype[Any]
) -> NDArray[Any]:
    """The records `(n,)` of probabilities (n, classes); of equal ones the lower class comes first."""
    top_k = kind["classes"].shape[0]
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    records = np.zeros(len(seeds), dtype=kind)
    records["seed"], records["classes"] = seeds, order
    records["probabilities"] = np.take_along_axis(probabilities, order, axis=1)
    return records


def targets_of(records: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Probabilities (n, classes) of records: what the K leave of 1 lies evenly on all other classes."""
    known = records["probabilities"].astype(np.float32)
    top_k = known.shape[1]
    rest = np.clip(1.0 - known.sum(axis=1, keepdims=True), 0.0, 1.0)
    targets = np.repeat(rest / max(1, classes - top_k), classes, axis=1).astype(np.float32)
    np.put_along_axis(targets, records["classes"].astype(np.int64), known, axis=1)
    result: NDArray[np.float32] = targets / targets.sum(axis=1, keepdims=True)
    return result


def epoch_file(folder: Path, epoch: int, part: bool = False) -> Path:
    """Where an epoch's records lie; with `part` those of an epoch under way."""
    return folder / f"epoch-{epoch:04d}.{'part' if part else 'logits'}"


def finished_epochs(folder: Path) -> int:
    """How many epochs, from the first on, are there."""
    epoch = 0
    while epoch_file(folder, epoch).is_file():
        epoch += 1
    return epoch


def append_epoch(folder: Path, manifest: Manifest, epoch: int, blocks: Callable[[int], Iterable[NDArray[Any]]]) -> None:
    """Writes an epoch, or the rest of one that was broken off; it counts once it is whole on the disk.

    `blocks(start)` gives the records from picture `start` on, piece by piece.
    """
    path, kind = epoch_file(folder, epoch, part=True), manifest.record
    with os_errors_explained(path), path.open("ab") as file:
        whole = file.tell() // kind.itemsize
        file.truncate(whole * kind.itemsize)
        for records in blocks(whole):
            file.write(records.tobytes())
            file.flush()
        if file.tell() != manifest.pictures * kind.itemsize:
            raise FitnasError(f"{path}: expected records of {manifest.pictures:,} pictures; type the command again")
        os.fsync(file.fileno())
    with os_errors_explained(path):
        path.replace(epoch_file(folder, epoch))


@dataclass
class StoredLogits:
    """A folder of stored logits, opened for a training on `pictures`, which are at the manifest's size.

    Calling it gives the views and targets of some pictures in an epoch. Reads are memory-mapped.
    """

    folder: Path
    manifest: Manifest
    pictures: Pictures
    vary: Augmentation

    @classmethod
    def open(cls, folder: Path, pictures: Pictures, description: DataDescription) -> "StoredLogits":
        """`WrongUse` where the records are of other data, another split, size or augmentation; it says which."""
        manifest = Manifest.read(folder)
        vary = augmentation(description, pictures.size)
        found: dict[str, Any] = {
            "class_names": tuple(pictures.class_names),  # first: the words that a person knows
            "data": description.hash,
            "split": pictures.hash,
            "size": tuple(pictures.size),
            "augmentation": tuple(vary.rules),
            "augmentation_version": AUGMENTATION_VERSION,
            "pictures": len(pictures.train.labels),
        }
        for name, value in found.items():
            stored = getattr(manifest, name)
            if stored != value:
                raise WrongUse(
                    f"{folder}: stored logits of other {name.replace('_', ' ')} ({stored}, this training has {value}); "
                    "write them for this run's data and seed with nas distill"
                )
        return cls(folder, manifest, pictures, vary)

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a training with these answers another than one without."""
        return {"teacher": self.manifest.teacher_hash, "views": self.manifest.seed, "top_k": self.manifest.top_k}

    @cached_property
    def epochs(self) -> int:
        """How many epochs are stored."""
        return finished_epochs(self.folder)

    def check(self, epochs: int) -> None:
        """`WrongUse` where fewer are stored than a training takes, `FitnasError` where a file is cut short."""
        if epochs > self.epochs:
            raise WrongUse(
                f"{self.folder} holds {self.epochs} epochs, and the training takes {epochs}; give --epochs "
                f"{self.epochs}, or go on with nas distill --epochs {epochs} and the same teacher"
            )
        expected = self.manifest.pictures * self.manifest.record.itemsize
        for epoch in range(epochs):
            path = epoch_file(self.folder, epoch)
            size = path.stat().st_size
            if size != expected:
                raise FitnasError(
                    f"{path} is cut short or damaged: it has {size:,} bytes, {self.manifest.pictures:,} records are "
                    f"{expected:,}; delete it and type the nas distill command again"
                )

    def __call__(self, epoch: int, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Views uint8 (n, C, H, W) and targets float (n, classes) of pictures in an epoch."""
        records = self._records(epoch)[chosen]
        images = self.pictures.train.images
        views = [view(images[index], record["seed"], self.vary) for index, record in zip(chosen, records, strict=True)]
        targets = targets_of(records, len(self.manifest.class_names))
        return torch.cat(views), torch.from_numpy(targets)

    def _records(self, epoch: int) -> NDArray[Any]:
        return np.memmap(epoch_file(self.folder, epoch), dtype=self.manifest.record, mode="r")
