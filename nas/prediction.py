"""Classes of pictures, by a run's member or an exported folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.assembly import restore_space
from nas.member import load_weights, network_of
from nas.run import StoredRun
from nas.training.data import read_picture, to_float
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, NotFound


@dataclass(frozen=True)
class Prediction:
    """One picture: the most probable class and the probability of every class, as fractions."""

    picture: str
    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode with what it expects."""

    network: nn.Module
    size: tuple[int, int, int]
    mean: Sequence[float]
    std: Sequence[float]
    class_names: Sequence[str]
    remark: str

    def predict(self, pictures: Sequence[Path]) -> list[Prediction]:
        """One prediction a file, in order; `NotFound` or `WrongUse` where one cannot be read. Ties: the lower label."""
        result = []
        for path in pictures:
            image = torch.from_numpy(read_picture(path, self.size[0], self.size[1:])[None])
            with torch.no_grad():
                shares = self.network(to_float(image, self.mean, self.std)).softmax(dim=1)[0].tolist()
            by_class = dict(zip(self.class_names, shares, strict=True))
            result.append(Prediction(str(path), self.class_names[shares.index(max(shares))], by_class))
        return result


def classifier_of_run(run: StoredRun, pick: str | None) -> Classifier:
    """A member of a run; without `pick` the one trained last, else the knee with inherited weights."""
    trial = run.pick(pick or _newest_trained(run) or "knee")
    network, weights = network_of(run, trial)
    data = run.data_document()
    size = run.parts.space.input_size(trial.architecture)
    remark = f"network {trial.architecture.id} of run '{run.name}', weights {weights['weights']}"
    return Classifier(network, size, data["mean"], data["std"], data["class_names"], remark)


def _newest_trained(run: StoredRun) -> str | None:
    reports = run.members.glob("*/report.json")
    newest = max(reports, key=lambda path: path.stat().st_mtime, default=None)
    return newest.parent.name if newest else None


def classifier_of_folder(folder: Path) -> Classifier:
    """An exported folder. Its `model.py` is not run: the network is built again from `architecture.json`."""
    try:
        architecture = Architecture.from_json((folder / "architecture.json").read_text(encoding="utf-8"))
        steps: dict[str, Any] = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
        normalise = next(step for step in steps["steps"] if step["step"] == "normalise")
        names = steps["class_names"]
    except FileNotFoundError as error:
        raise NotFound(
            f"{folder} is neither a run nor an exported folder: {Path(error.filename).name} is missing"
        ) from None
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise FitnasError(f"{folder}: preprocessing.json is damaged ({error!r}); export the network again") from None
    space = restore_space(architecture)
    network = space.build(architecture)
    load_weights(network, folder / "model.safetensors")
    size = space.input_size(architecture)
    return Classifier(network.eval(), size, normalise["mean"], normalise["std"], names, f"network {architecture.id}")
