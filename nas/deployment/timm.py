"""A network for timm: a module that registers it, weights and configuration as timm's hub has them, a training recipe.

timm is imported by the exported files alone, in interpreters of their own.
"""

import inspect
import json
import pprint
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from torch import nn

from nas import torchvision_door
from nas.core.trial import Trial
from nas.deployment.artifact import model_card, open_folder, write_common
from nas.deployment.standalone import check, model_source
from nas.member import EPOCHS, network_of
from nas.run import StoredRun
from nas.storage.files import write_atomically
from nas.training.checkpoint import weights_file
from nas.training.data import DataDescription, augmentation
from nas.training.epochs import MOMENTUM
from nas.training.recipes import fine_tune_rate, fit_of
from search_spaces.combinators.recipe import recipe_of
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.space import Blueprint

_MODULE_END = '''

# From here on: the network as timm knows it.

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

# A torch for the CPU alone next to a torchvision for CUDA: two operators must be declared before torchvision, and with
# it timm, can be imported.
DECLARATIONS = {declarations!r}
_kept_alive: list[Any] = []


{shim}


import_torchvision()

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model  # noqa: E402

PRETRAINED_CFG = {pretrained_cfg}
default_cfgs = generate_default_cfgs(
    {{"{name}": {{**PRETRAINED_CFG, "file": str(Path(__file__).with_name("model.safetensors"))}}}}
)


class TimmNetwork({factory}):
    """The same network, keys and weights; other numbers of classes and channels get new first and last layers."""

    def __init__(self, num_classes: int = {classes}, in_chans: int = {channels}) -> None:
        super().__init__(**ARGUMENTS)
        self.num_features = self.head_hidden_size = self.get_submodule({classifier!r}).in_features
        self.num_classes = {classes}
        if num_classes != {classes}:
            self.reset_classifier(num_classes)
        if in_chans != {channels}:
            old = self.get_submodule({first_conv!r})
            shape = (old.kernel_size, old.stride, old.padding, old.dilation, old.groups, old.bias is not None)
            self.set_submodule({first_conv!r}, nn.Conv2d(in_chans, old.out_channels, *shape))

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.get_submodule({classifier!r})

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A new last layer; 0 classes: none, the network then gives features."""
        self.num_classes = num_classes
        new = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.set_submodule({classifier!r}, new)


@register_model
def {name}(pretrained: bool = False, **kwargs: Any) -> TimmNetwork:
    """For `timm.create_model("{name}", pretrained=True)`, once this module is imported."""
    return build_model_with_cfg(TimmNetwork, "{name}", pretrained, **kwargs)
'''

_LOAD = """\
import {name}, timm
net = timm.create_model("{source}", pretrained=True)
"""

_LOAD_LOCAL = """\
import {name}, timm
net = timm.create_model("local-dir:" + folder, pretrained=True)
"""

_USAGE = """\
```python
import {name}  # {name}.py of this folder registers the network, so it comes before create_model
import timm

net = timm.create_model("{source}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_data_config(model=net))
logits = net(transform(picture).unsqueeze(0))  # picture: PIL, {mode}
```

It also comes before timm itself: with a torch for the CPU alone it is what makes torchvision importable.{more}"""

_TRAINING = """

`train.py` trains on with timm, with the recipe in `train.yaml`; its keys are those of timm's own training script:

    python train.py -c train.yaml --data-dir ../pictures"""


def export(
    run: StoredRun, trial: Trial, folder: Path, *, force: bool = False, hub_dir: str | Path | None = None
) -> Path:
    """Writes the folder, and with `hub_dir` one to push to a model hub; loads each in a clean interpreter.

    `FitnasError` where the logits of `timm.create_model` differ by more than 1e-5.
    """
    folders = [folder] if hub_dir is None else [folder, Path(hub_dir)]
    if len({path.resolve() for path in folders}) < len(folders):
        raise WrongUse(f"--hub-dir and --out are the same folder ({folder}); give two")
    for path in folders:
        open_folder(path, force)
    network, weights = network_of(run, trial)
    export = _Export(run, trial, network)
    for path in folders:
        export.write_network(path)
    manifest = write_common(run, trial, folder, weights)
    write_atomically(folder / "train.py", (files("nas.deployment.scripts") / "timm_train.py").read_text("utf-8"))
    write_atomically(folder / "train.yaml", to_yaml(export.recipe(weights)))
    write_atomically(folder / "README.md", model_card(run, trial, manifest, export.usage(export.name, _TRAINING)))
    size = run.parts.space.input_size(trial.architecture)
    check(folder, network, size, _LOAD.format(name=export.name, source=export.name))
    if hub_dir is not None:
        text = model_card(run, trial, manifest, export.usage("local-dir:DIR", " DIR is this folder."))
        write_atomically(Path(hub_dir) / "README.md", _FRONT_MATTER + text)
        check(Path(hub_dir), network, size, _LOAD_LOCAL.format(name=export.name))
    return folder


_FRONT_MATTER = """\
---
license: apache-2.0
library_name: timm
pipeline_tag: image-classification
tags:
- image-classification
- timm
- neural-architecture-search
- fitnas
---
"""


class _Export:
    """One network's files for timm."""

    def __init__(self, run: StoredRun, trial: Trial, network: nn.Module) -> None:
        self.run, self.trial, self.network = run, trial, network
        self.name = re.sub(r"\W", "_", f"{trial.architecture.space}_{trial.architecture.id}")
        self.size = run.parts.space.input_size(trial.architecture)
        self.data = run.data_document()
        self.blueprint = run.parts.space.blueprint(trial.architecture)
        self.classes = len(self.data["class_names"])
        self.first_conv, self.classifier = _ends(network, self.size[0], self.classes)

    def write_network(self, folder: Path) -> None:
        """The module, `config.json` and `model.safetensors`."""
        write_atomically(folder / f"{self.name}.py", self.module())
        write_atomically(folder / "model.safetensors", weights_file(self.network, {"format": "pt"}))
        write_atomically(folder / "config.json", json.dumps(self.config(), indent=2) + "\n")

    def pretrained_cfg(self) -> dict[str, Any]:
        """What timm keeps of pretrained weights. Pictures are scaled to cover the input and cropped in the centre."""
        return {
            "num_classes": self.classes,
            "input_size": list(self.size),
            "fixed_input_size": False,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": list(self.data["mean"]),
            "std": list(self.data["std"]),
            "pool_size": None,
            "first_conv": self.first_conv,
            "classifier": self.classifier,
            "label_names": list(self.data["class_names"]),
            "license": "apache-2.0",
        }

    def config(self) -> dict[str, Any]:
        """`config.json` as timm's hub has it."""
        cfg = self.pretrained_cfg()
        return {
            "architecture": self.name,
            "num_classes": self.classes,
            "num_features": self.network.get_submodule(self.classifier).in_features,
            "label_names": cfg.pop("label_names"),
            "pretrained_cfg": cfg,
        }

    def module(self) -> str:
        """The network's source, followed by its entry point."""
        # the door's own words, so that the cure stands in one place
        shim = inspect.getsource(torchvision_door.import_torchvision).rstrip()
        cfg = pprint.pformat(self.pretrained_cfg(), width=110, sort_dicts=False)
        return model_source(self.blueprint) + _MODULE_END.format(
            declarations=torchvision_door.DECLARATIONS,
            shim=shim,
            pretrained_cfg=cfg,
            name=self.name,
            factory=_class_of(self.blueprint),
            classes=self.classes,
            channels=self.size[0],
            first_conv=self.first_conv,
            classifier=self.classifier,
        )

    def usage(self, source: str, more: str) -> str:
        """The card's last part."""
        return _USAGE.format(name=self.name, source=source, mode=self._mode(), more=more)

    def recipe(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """What `fit` does, in the words of timm's training script."""
        searched = recipe_of(self.trial.architecture)
        epochs = int(weights.get("epochs", searched.get("epochs", EPOCHS)))
        how = fit_of(
            searched,
            epochs=epochs,
            vary=None,
            learning_rate=fine_tune_rate(searched, self.run.parts.space.learning_rate),
        )
        recipe = how.recipe()
        return {
            "model": self.name,
            "pretrained": True,
            "initial_checkpoint": "",
            "num_classes": self.classes,
            "data_dir": None,
            "dataset": "",
            "train_split": "train",
            "val_split": "validation",
            "input_img_mode": self._mode(),
            "input_size": list(self.size),
            "mean": list(self.data["mean"]),
            "std": list(self.data["std"]),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "epochs": epochs,
            "batch_size": how.batch_size,
            "smoothing": how.label_smoothing,
            "opt": "nesterov" if how.optimizer == "sgd" else how.optimizer,
            "momentum": MOMENTUM,
            "lr": recipe.learning_rate,
            "weight_decay": how.weight_decay,
            # weight decay holds for norms and biases as well
            "opt_kwargs": {"filter_bias_and_bn": False},
            "clip_grad": recipe.clip,
            "sched": "cosine",
            "sched_on_updates": True,
            "warmup_epochs": round(recipe.warm_up * epochs, 3),
            "warmup_lr": 0.0,
            "min_lr": 0.0,
            "model_ema": True,
            "model_ema_decay": how.ema_decay,
            "model_ema_warmup": True,
            **self._augmentation(),
            "channels_last": True,
            "amp": True,
            "seed": self.run.config.seed,
            "workers": 2,
            "output": "output",
            "experiment": "",
        }

    def _augmentation(self) -> dict[str, Any]:
        """The nearest words of timm for how this data is varied."""
        vary = augmentation(_described(self.data), self.size[1:])
        shape = self.size[2] / self.size[1]
        # in timm's crop the ratio is that of the cut; "rkrr" scales, pads and shifts, so that nothing is cut out
        crop = {"train_crop_mode": "rrc", "scale": [0.7, 1.0], "ratio": [round(0.8 * shape, 4), round(1.25 * shape, 4)]}
        shift = {"train_crop_mode": "rkrr", "scale": [0.8264, 1.2346], "ratio": [1.0, 1.0]}
        return {
            "no_aug": recipe_of(self.trial.architecture).get("augmentation") == "none",
            **(crop if vary.crops else shift),
            "hflip": 0.5 if vary.flips else 0.0,
            "vflip": 0.0,
            "color_jitter": 0.2 if vary.colour else 0.0,
            "train_interpolation": "bilinear",
        }

    def _mode(self) -> str:
        return "L" if self.size[0] == 1 else "RGB"


def to_yaml(values: Mapping[str, Any]) -> str:
    """A line a key, for flat values and lists.

    >>> print(to_yaml({"lr": 1e-05, "mean": [0.5, 0.25], "data_dir": None}))
    lr: 1.0e-05
    mean: [0.5, 0.25]
    data_dir: null
    <BLANKLINE>
    """
    return "".join(f"{key}: {_yaml(value)}\n" for key, value in values.items())


def _yaml(value: Any) -> str:
    """What JSON writes is YAML, but for an exponent without a point, which YAML takes for text."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    text = json.dumps(value)
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text


def _ends(network: nn.Module, channels: int, classes: int) -> tuple[str, str]:
    """The names of the first convolution and of the classifier."""
    modules = list(network.named_modules())
    convolutions = [name for name, m in modules if isinstance(m, nn.Conv2d) and m.in_channels == channels]
    linear = [name for name, m in modules if isinstance(m, nn.Linear) and m.out_features == classes]
    if not (convolutions and linear):
        missing = "linear classifier" if convolutions else "first convolution"
        raise WrongUse(f"timm wants a {missing}, which this network lacks; export it --to pytorch")
    return convolutions[0], linear[-1]


def _class_of(blueprint: Blueprint) -> str:
    import importlib

    if not isinstance(getattr(importlib.import_module(blueprint.module), blueprint.factory), type):
        raise WrongUse(f"timm wants a class, {blueprint.factory} is a function; export the network --to pytorch")
    return blueprint.factory


def _described(data: Mapping[str, Any]) -> DataDescription:
    """The description that a run recorded, without its pictures."""
    names = tuple(data["class_names"])
    facts = InputFacts(data["channels"], data["height"], data["width"], len(names), data["pictures"])
    kind = data["source"] if data["source"] == "digits" else "folder"
    return DataDescription(data["source"], kind, facts, names, data["counts"], data["hash"])
