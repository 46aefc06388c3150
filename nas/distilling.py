"""`nas distill`: a teacher's answers, written once for any number of students."""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas import torchvision_door
from nas.prediction import Classifier, classifier_of_folder, classifier_of_run
from nas.progress import Report, Reporter, Silent
from nas.run import StoredRun
from nas.storage.run_directory import RunDirectory
from nas.timm_hub import name_and_file, pretrained
from nas.training.checkpoint import weights_file
from nas.training.data import DataDescription, Pictures, augmentation, describe, load
from nas.training.device import cores, torch_threads
from nas.training.epochs import Augmentation
from nas.training.loop import prepare
from nas.training.stored_logits import (
    Manifest,
    append_epoch,
    finished_epochs,
    records_of,
    seeds_of,
    stored_bytes,
    view,
)
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

TIMM = "timm:"
_BATCH = 64
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True)
class Teacher:
    """A network in eval mode that knows the data's classes, the size it looks at, and how its input is normalised."""

    name: str
    network: nn.Module
    class_names: tuple[str, ...]
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def hash(self) -> str:
        """64 hex digits over its weights."""
        return hashlib.sha256(weights_file(self.network)).hexdigest()

    @torch.no_grad()
    def probabilities(self, views: torch.Tensor) -> NDArray[np.float32]:
        """(n, classes) of views uint8 (n, C, H, W) of any size."""
        logits = self.network(prepare(views, self.size, self.mean, self.std))
        found: NDArray[np.float32] = logits.float().softmax(dim=1).numpy()
        return found


def teacher_of(name: str, description: DataDescription, root: Path) -> Teacher:
    """`timm:NAME`, `timm:NAME@FILE`, `RUN:ID` or an exported folder, for the classes of the data.

    `WrongUse` where it has other classes or channels, `NotFound` where it, or the network to fetch it, is missing.
    """
    if name.startswith(TIMM):
        return _of_timm(name, description)
    if Path(name).is_dir():
        known = classifier_of_folder(Path(name))
    else:
        known = classifier_of_run(_run_of(name, root), name.partition(":")[2] or None)
    return _checked(_of_classifier(name, known), description)


def _run_of(name: str, root: Path) -> StoredRun:
    run, colon, _ = name.partition(":")
    if not colon:
        raise NotFound(f"--teacher {name} is neither timm:NAME, nor RUN:ID, nor an exported folder")
    return StoredRun(RunDirectory.open(root, run))


def default_seed(teacher: str, root: Path) -> int:
    """That of the run which a teacher comes from, whose validation and test pictures it has not seen; else 0."""
    if teacher.startswith(TIMM):
        return 0
    if Path(teacher).is_dir():
        manifest = Path(teacher) / "manifest.json"
        return int(json.loads(manifest.read_text(encoding="utf-8")).get("seed", 0)) if manifest.is_file() else 0
    return _run_of(teacher, root).config.seed


def _of_classifier(name: str, known: Classifier) -> Teacher:
    mean, std = tuple(known.mean), tuple(known.std)
    return Teacher(name, known.network, tuple(known.class_names), known.reading.size, mean, std)


def _checked(teacher: Teacher, description: DataDescription) -> Teacher:
    if teacher.class_names != tuple(description.class_names):
        theirs, ours = len(teacher.class_names), len(description.class_names)
        other = next(iter(set(teacher.class_names) ^ set(description.class_names)), "their order")
        raise WrongUse(
            f"--teacher {teacher.name} knows {theirs} classes, the data have {ours}, and they differ ({other}); train "
            "a teacher on this data, for example the largest network of a run"
        )
    if len(teacher.mean) != description.facts.channels:
        raise WrongUse(
            f"--teacher {teacher.name} takes {len(teacher.mean)} channels, the data have {description.facts.channels}"
        )
    return teacher


def _of_timm(name: str, description: DataDescription) -> Teacher:
    """A timm network whose classifier has as many outputs as the data have classes, in the data's order."""
    timm = torchvision_door.import_behind("timm")
    network_name = name.removeprefix(TIMM).partition("@")[0]
    if network_name not in timm.list_models():
        raise WrongUse(f"timm knows no network '{network_name}'; timm.list_models() names them")
    _, file = name_and_file(name.removeprefix(TIMM), f"--teacher {name}")
    classes, channels = len(description.class_names), description.facts.channels
    try:
        if file:
            network = timm.create_model(network_name, num_classes=classes, in_chans=channels, checkpoint_path=file)
        else:
            network = pretrained(network_name)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise WrongUse(f"--teacher {name}: {file} does not fit {classes} classes ({reason})") from None
    except NotFound as error:
        raise NotFound(f"{error}: --teacher {TIMM}{network_name}@weights.safetensors") from error
    if network.num_classes != classes:
        raise WrongUse(
            f"--teacher {name} knows {network.num_classes} classes, the data have {classes}; fine-tune it on this data "
            f"and give its weights: {TIMM}{network_name}@weights.safetensors"
        )
    config = timm.data.resolve_model_data_config(network)
    mean, std = (tuple(map(float, config[key])) for key in ("mean", "std"))
    size = (int(config["input_size"][1]), int(config["input_size"][2]))
    return Teacher(name, network.eval(), tuple(description.class_names), size, mean, std)


@dataclass(frozen=True)
class Distillation:
    """What `distill` will write: how many bytes in all, and how many epochs are there already."""

    folder: Path
    manifest: Manifest
    epochs: int
    teacher: Teacher
    pictures: Pictures
    vary: Augmentation

    @property
    def bytes(self) -> int:
        """All epochs together."""
        manifest = self.manifest
        return stored_bytes(manifest.pictures, self.epochs, len(manifest.class_names), manifest.top_k)

    def lines(self) -> list[str]:
        """What a person reads before anything is written."""
        manifest, done = self.manifest, finished_epochs(self.folder)
        return [
            f"teacher {manifest.teacher}, looking at {self.teacher.size[0]}x{self.teacher.size[1]} pixels",
            f"{self.epochs} epochs of {manifest.pictures:,} pictures, the {manifest.top_k} largest of "
            f"{len(manifest.class_names)} probabilities: {self.bytes:,} bytes ({self.bytes / 2**20:.1f} MiB)"
            + (f"; {done} epochs are there already" if done else ""),
        ]

    def write(self, reporter: Reporter) -> None:
        """Writes what is missing. `FitnasError` where the disk has no room for it, before anything is written."""
        missing = self.bytes - finished_epochs(self.folder) * self.bytes // self.epochs
        free = shutil.disk_usage(self.folder).free
        if missing + _SPARE_BYTES > free:
            raise FitnasError(
                f"{missing:,} bytes are to be written and {free:,} are free in {self.folder}; take fewer --epochs, a "
                "smaller --top-k or another --out"
            )
        with torch_threads(cores()), reporter.progress("writing the teacher's answers") as report:
            for epoch in range(finished_epochs(self.folder), self.epochs):
                told = functools.partial(self._tell, report, epoch)
                append_epoch(self.folder, self.manifest, epoch, functools.partial(self._blocks, epoch, told))

    def _tell(self, report: Report, epoch: int, done: int) -> None:
        pictures = self.manifest.pictures
        report(epoch * pictures + done, self.epochs * pictures, f"epoch {epoch + 1}/{self.epochs}")

    def _blocks(self, epoch: int, told: Callable[[int], None], start: int) -> Iterator[NDArray[Any]]:
        manifest, images = self.manifest, self.pictures.train.images
        seeds = seeds_of(manifest.seed, epoch, manifest.pictures)
        for first in range(start, manifest.pictures, _BATCH):
            rows = range(first, min(first + _BATCH, manifest.pictures))
            views = torch.cat([view(images[row], int(seeds[row]), self.vary) for row in rows])
            yield records_of(self.teacher.probabilities(views), seeds[rows.start : rows.stop], manifest.record)
            told(rows.stop)


def prepare_distillation(
    teacher: str,
    data: str,
    folder: Path,
    *,
    top_k: int = 10,
    epochs: int = 30,
    seed: int | None = None,
    pixels: int | None = None,
    root: Path = Path("runs"),
    cache: Path | None = None,
) -> Distillation:
    """Reads data and teacher and checks that `folder` is empty or holds a part of just this.

    `seed` decides the split, as in a search (default: see `default_seed`); `pixels`: the side of the views, the
    teacher's size unless given.
    """
    if epochs < 1:
        raise WrongUse(f"--epochs is 1 or more, got {epochs}")
    seed = default_seed(teacher, root) if seed is None else seed
    description = describe(data)
    known = teacher_of(teacher, description, root)
    size = (pixels, pixels) if pixels else known.size
    pictures = load(description, size, seed, cache=cache)
    vary = augmentation(description, size)
    manifest = Manifest(
        teacher=teacher,
        teacher_hash=known.hash,
        data=description.hash,
        split=pictures.hash,
        split_seed=seed,
        pictures=len(pictures.train.labels),
        class_names=tuple(pictures.class_names),
        size=size,
        augmentation=tuple(vary.rules),
        top_k=min(top_k, len(pictures.class_names)),
        seed=seed,
    )
    _claim(folder, manifest)
    return Distillation(folder, manifest, epochs, known, pictures, vary)


def distill(teacher: str, data: str, folder: Path, reporter: Reporter | None = None, **options: Any) -> Distillation:
    """Writes a teacher's answers into `folder`, or the rest of them; see `prepare_distillation` for the options."""
    reporter = reporter or Silent()
    job = prepare_distillation(teacher, data, folder, **options)
    for line in job.lines():
        reporter.note(line)
    job.write(reporter)
    return job


def _claim(folder: Path, manifest: Manifest) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        found = Manifest.read(folder)
        differing = [name for name in manifest.__dataclass_fields__ if getattr(found, name) != getattr(manifest, name)]
        if differing:
            raise WrongUse(
                f"{folder} holds stored logits of another {', '.join(differing).replace('_', ' ')}; give another --out"
            )
        return
    if folder.exists() and not folder.is_dir():
        raise WrongUse(f"{folder} is not a folder; give another --out")
    manifest.write(folder)
