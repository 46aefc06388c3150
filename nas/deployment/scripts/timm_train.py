"""Trains the exported network with timm on a folder of pictures, one sub-folder a class.

    python train.py -c train.yaml --data-dir ../pictures --epochs 5

The configuration's keys are those of timm's own training script; a flag of the same name goes over each. Where the
folder has train/ and val/ (or test/) these are the parts, else every fifth picture of a class is kept for validation,
the same ones for the same seed. The best weights by validation accuracy go to OUTPUT/EXPERIMENT/model_best.safetensors;
`--initial-checkpoint` takes them again.
"""

import argparse
import importlib
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

HERE = Path(__file__).resolve().parent
VALIDATION_SHARE = 0.2
# every key of the configuration, with what holds where it is left away; its type is the flag's
OPTIONS: dict[str, Any] = {
    "model": "", "pretrained": True, "initial_checkpoint": "", "num_classes": 0,
    "data_dir": "", "dataset": "", "train_split": "train", "val_split": "validation", "input_img_mode": "RGB",
    "input_size": [3, 224, 224], "mean": [0.5], "std": [0.5], "interpolation": "bilinear", "crop_pct": 1.0,
    "epochs": 25, "batch_size": 64, "smoothing": 0.1, "clip_grad": 0.0, "channels_last": False,
    "opt": "adamw", "lr": 1e-3, "momentum": 0.9, "weight_decay": 0.0, "opt_kwargs": {},
    "sched": "cosine", "sched_on_updates": True, "warmup_epochs": 0.0, "warmup_lr": 0.0, "min_lr": 0.0,
    "no_aug": False, "train_crop_mode": "rrc", "scale": [0.7, 1.0], "ratio": [0.8, 1.25], "hflip": 0.5, "vflip": 0.0,
    "color_jitter": 0.0, "train_interpolation": "bilinear",
    "model_ema": False, "model_ema_decay": 0.99, "model_ema_warmup": False,
    "amp": False, "seed": 0, "workers": 0, "output": "output", "experiment": "",
}  # fmt: skip


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The configuration file's values with the flags over them."""
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("-c", "--config", metavar="FILE", help="YAML with the keys below")
    given, rest = first.parse_known_args(arguments)
    values = dict(OPTIONS)
    if given.config:
        found = yaml.safe_load(Path(given.config).read_text(encoding="utf-8")) or {}
        unknown = sorted(found.keys() - OPTIONS.keys())
        if unknown:
            sys.exit(f"{given.config}: unknown key '{unknown[0]}'. Known: {', '.join(OPTIONS)}")
        values |= {key: value for key, value in found.items() if value is not None}
    parser = argparse.ArgumentParser(parents=[first], description=(__doc__ or "").splitlines()[0])
    for key, default in OPTIONS.items():
        flag, kind = "--" + key.replace("_", "-"), type(default)
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction)
        elif kind is list:
            parser.add_argument(flag, nargs="+", type=type(default[0]))
        elif kind is not dict:
            parser.add_argument(flag, type=kind)
    parser.set_defaults(**values)
    args = parser.parse_args(rest)
    if not args.data_dir:
        sys.exit("where are the pictures? Give --data-dir FOLDER, with a sub-folder for each class")
    return args


def label_names() -> list[str]:
    """The classes that the exported weights know, by label."""
    names: list[str] = json.loads((HERE / "config.json").read_text(encoding="utf-8"))["label_names"]
    return names


def part_folder(root: Path, names: Sequence[str]) -> Path | None:
    """The first of the named sub-folders that exists, whatever the case of its letters."""
    folders = {entry.name.lower(): entry for entry in sorted(root.iterdir()) if entry.is_dir()}
    return next((folders[name.lower()] for name in names if name.lower() in folders), None)


def datasets(args: argparse.Namespace) -> tuple[Any, Any]:
    """Data sets of timm for training and validation."""
    from timm.data import create_dataset

    def folder(path: Path | str, split: str, **more: Any) -> Any:
        mode = args.input_img_mode
        return create_dataset(args.dataset, root=str(path), split=split, input_img_mode=mode, **more)

    if args.dataset:
        train = folder(args.data_dir, args.train_split, is_training=True, batch_size=args.batch_size)
        return train, folder(args.data_dir, args.val_split, batch_size=args.batch_size)
    root = Path(args.data_dir)
    if not root.is_dir():
        sys.exit(f"--data-dir {root} is not a folder")
    train_root = part_folder(root, (args.train_split, "train", "training")) or root
    others = (args.val_split, "validation", "val", "valid", "test", "testing")
    validation_root = part_folder(root, others) if train_root != root else None
    classes = class_map(args, folder(train_root, "", search_split=False).reader.class_to_idx)
    train = folder(train_root, "", search_split=False, class_map=classes)
    validation = folder(validation_root or train_root, "", search_split=False, class_map=classes)
    if validation_root is None:
        train.reader.samples, validation.reader.samples = split(train.reader.samples, args.seed)
    return train, validation


def class_map(args: argparse.Namespace, found: dict[str, int]) -> dict[str, int]:
    """Class to label: as the exported weights have it, or the folder's own order for other classes."""
    names = label_names()
    if args.num_classes == len(names) and set(found) <= set(names):
        return {name: label for label, name in enumerate(names)}
    strange = ", ".join(sorted(set(found) - set(names))[:5])
    if args.num_classes != len(found):
        sys.exit(
            f"the folder has {len(found)} classes (unknown to the weights: {strange}), the network "
            f"{args.num_classes}; to train for the folder's give --num-classes {len(found)}"
        )
    sys.stderr.write(f"classes that the weights do not know ({strange}): labels are the folder's own\n")
    return found


def split(samples: Sequence[tuple[str, int]], seed: int) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Training and validation pictures: of each class the same share, the same ones for the same seed and names."""
    by_label: dict[int, list[tuple[str, int]]] = {}
    for sample in sorted(samples):
        by_label.setdefault(sample[1], []).append(sample)
    train, validation = [], []
    for label, members in sorted(by_label.items()):
        random.Random(f"{seed}/{label}").shuffle(members)
        count = max(1, round(VALIDATION_SHARE * len(members))) if len(members) > 1 else 0
        validation += members[:count]
        train += members[count:]
    return train, validation


def loaders(args: argparse.Namespace, device: torch.device) -> tuple[Any, Any]:
    """Loaders of timm; the exported preprocessing on both sides, variations on the training side."""
    from timm.data import create_loader

    train, validation = datasets(args)
    common: dict[str, Any] = {
        "input_size": tuple(args.input_size), "mean": tuple(args.mean), "std": tuple(args.std),
        "num_workers": args.workers, "device": device, "use_prefetcher": device.type == "cuda",
    }  # fmt: skip
    # an incomplete batch is dropped in training, so that a small folder needs smaller batches
    batch = min(args.batch_size, len(train))
    training = create_loader(
        train, batch_size=batch, is_training=True, no_aug=args.no_aug, train_crop_mode=args.train_crop_mode,
        scale=tuple(args.scale), ratio=tuple(args.ratio), hflip=args.hflip, vflip=args.vflip,
        color_jitter=args.color_jitter, interpolation=args.train_interpolation, **common,
    )  # fmt: skip
    evaluation = create_loader(
        validation, batch_size=args.batch_size, interpolation=args.interpolation, crop_pct=args.crop_pct, **common
    )
    return training, evaluation


class Training:
    """The network, its optimizer, schedule and moving average."""

    def __init__(self, args: argparse.Namespace, device: torch.device, updates: int) -> None:
        import timm
        from timm.optim import create_optimizer_v2
        from timm.scheduler import create_scheduler_v2
        from timm.utils import ModelEmaV3

        self.args, self.device, self.updates, self.done = args, device, updates, 0
        memory = torch.channels_last if args.channels_last else torch.contiguous_format
        self.network: nn.Module = timm.create_model(
            args.model, pretrained=args.pretrained, num_classes=args.num_classes, in_chans=args.input_size[0],
            checkpoint_path=args.initial_checkpoint or None,
        )  # fmt: skip
        self.network.to(device, memory_format=memory)
        self.loss = nn.CrossEntropyLoss(label_smoothing=args.smoothing)
        self.optimizer = create_optimizer_v2(
            self.network,
            opt=args.opt,
            lr=args.lr,
            momentum=args.momentum,
            weight_decay=args.weight_decay,
            **args.opt_kwargs,
        )
        # a short run would else end before its warm-up does
        warm_up = min(args.warmup_epochs, args.epochs / 4)
        self.schedule, _ = create_scheduler_v2(
            self.optimizer, sched=args.sched, num_epochs=args.epochs, warmup_epochs=warm_up, warmup_lr=args.warmup_lr,
            min_lr=args.min_lr, step_on_epochs=not args.sched_on_updates, updates_per_epoch=updates,
        )  # fmt: skip
        average = {"decay": args.model_ema_decay, "use_warmup": args.model_ema_warmup}
        self.average = ModelEmaV3(self.network, **average) if args.model_ema else None

    @property
    def judged(self) -> nn.Module:
        """What is validated and kept: the moving average, where there is one."""
        kept: nn.Module = self.network if self.average is None else self.average.module
        return kept

    def precision(self) -> torch.autocast:
        """bfloat16 where a GPU is asked for mixed precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.args.amp and self.device.type == "cuda")

    def epoch(self, batches: Any) -> float:
        """One pass over the training pictures; the mean loss."""
        self.network.train()
        total = 0.0
        for images, labels in batches:
            with self.precision():
                loss = self.loss(self.network(images.to(self.device)), labels.to(self.device))
            self.optimizer.zero_grad()
            loss.backward()
            if self.args.clip_grad:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.args.clip_grad)
            self.optimizer.step()
            self.done += 1
            if self.average is not None:
                self.average.update(self.network, step=self.done)
            self.schedule.step_update(num_updates=self.done)
            total += float(loss.detach())
        self.schedule.step(self.done // self.updates)
        return total / self.updates

    @torch.no_grad()
    def accuracy(self, batches: Any) -> float:
        """Share of validation pictures whose class is right."""
        self.judged.eval()
        hits = count = 0
        for images, labels in batches:
            with self.precision():
                predicted = self.judged(images.to(self.device)).argmax(dim=1)
            hits += int((predicted == labels.to(self.device)).sum())
            count += len(labels)
        return hits / max(1, count)


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, prints a line of JSON an epoch, keeps the best weights."""
    args = options(arguments)
    importlib.import_module(args.model)  # registers the network; makes torchvision importable before timm wants it
    from safetensors.torch import save_file
    from timm.utils import random_seed

    random_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, validation = loaders(args, device)
    training = Training(args, device, len(train))
    folder = Path(args.output) / (args.experiment or args.model)
    folder.mkdir(parents=True, exist_ok=True)
    best = -1.0
    for epoch in range(args.epochs):
        loss, top1 = training.epoch(train), training.accuracy(validation)
        if top1 > best:
            best = top1
            state = {name: value.contiguous() for name, value in training.judged.state_dict().items()}
            save_file(state, folder / "model_best.safetensors", metadata={"format": "pt"})
        line = json.dumps(
            {"epoch": epoch, "train_loss": round(loss, 5), "top1": round(top1, 5), "best": round(best, 5)}
        )
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    sys.stderr.write(f"best weights: {folder / 'model_best.safetensors'}\n")


if __name__ == "__main__":
    main()
