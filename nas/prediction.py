"""Classes of pictures and sounds, by a run's member or an exported folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas.assembly import restore_space
from nas.member import load_weights, network_of
from nas.onnx_door import FILE_NAME, OnnxNetwork
from nas.run import StoredRun
from nas.training.data import Reading, to_float
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, NotFound


@dataclass(frozen=True)
class Prediction:
    """One picture, sound or row of an array: its most probable class, and every class's probability as a fraction."""

    picture: str
    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode with what it expects."""

    network: nn.Module
    reading: Reading
    mean: Sequence[float]
    std: Sequence[float]
    class_names: Sequence[str]
    remark: str

    def predict(self, pictures: Sequence[Path]) -> list[Prediction]:
        """One prediction a file or row, in order; `NotFound` or `WrongUse` where one cannot be read.

        Of equal probabilities the lower label's counts.
        """
        return [self._one(name, image) for path in pictures for name, image in self.reading.inputs(path)]

    def _one(self, name: str, image: NDArray[np.uint8]) -> Prediction:
        with torch.no_grad():
            logits = self.network(to_float(torch.from_numpy(image[None]), self.mean, self.std))
        shares = logits.softmax(dim=1)[0].tolist()
        by_class = dict(zip(self.class_names, shares, strict=True))
        return Prediction(name, self.class_names[shares.index(max(shares))], by_class)


def classifier_of_run(run: StoredRun, pick: str | None) -> Classifier:
    """A member of a run; without `pick` the one trained last, else the knee with inherited weights."""
    trial = run.pick(pick or _newest_trained(run) or "knee")
    network, weights = network_of(run, trial)
    data = run.data_document()
    channels, height, width = run.parts.space.input_size(trial.architecture)
    reading = Reading.from_document({**data, "trained_at": run.picture_size}, channels, (height, width))
    remark = f"network {trial.architecture.id} of run '{run.name}', weights {weights['weights']}"
    return Classifier(network, reading, data["mean"], data["std"], data["class_names"], remark)


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
        space = restore_space(architecture)
        channels, height, width = space.input_size(architecture)
        reading = Reading.from_document(steps, channels, (height, width))
    except FileNotFoundError as error:
        raise NotFound(
            f"{folder} is neither a run nor an exported folder: {Path(error.filename).name} is missing"
        ) from None
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise FitnasError(f"{folder}: preprocessing.json is damaged ({error!r}); export the network again") from None
    network = _network_of_folder(folder, space.build(architecture))
    remark = f"network {architecture.id}"
    return Classifier(network.eval(), reading, normalise["mean"], normalise["std"], names, remark)


def _network_of_folder(folder: Path, network: nn.Module) -> nn.Module:
    """The network with the folder's weights; where they are an ONNX or a TensorFlow Lite file alone, that file."""
    weights, onnx, tflite = folder / "model.safetensors", folder / FILE_NAME, folder / "model.tflite"
    if tflite.is_file() and not weights.is_file():
        from nas.tflite_door.network import TfliteNetwork

        return TfliteNetwork(tflite)
    if onnx.is_file() and not weights.is_file():
        return OnnxNetwork(onnx)
    load_weights(network, weights)
    return network
