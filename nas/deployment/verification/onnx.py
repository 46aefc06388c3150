"""An ONNX folder: the file's bytes and answers; parameters and MACs of the network that it was made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nas import onnx_door
from nas.deployment.samples import read_samples
from nas.deployment.verification import Check
from nas.deployment.verification.counting import built_network, parameters
from nas.deployment.verification.pytorch import count_macs
from search_spaces.core.errors import WrongUse

MARK = onnx_door.FILE_NAME


def verify(folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """Checks of the file; without onnxruntime those of the network alone."""
    inputs, outputs = (torch.from_numpy(each) for each in read_samples(folder))
    network = built_network(folder)
    checks = [
        Check(
            "params", manifest["promised"]["params"], parameters(network), "counted in the network of its architecture"
        ),
        *count_macs(network, inputs[:1], manifest),
    ]
    try:
        onnx_door.require("to verify an ONNX file")
    except WrongUse as error:
        return [*checks, Check("difference of logits", onnx_door.TOLERANCE, None, str(error), at_most=True)]
    loaded = onnx_door.OnnxNetwork(folder / MARK)
    difference = float((loaded(inputs) - outputs).abs().max() / outputs.abs().max().clamp(min=1.0))
    how = f"onnxruntime, {len(inputs)} test pictures"
    return [*checks, Check("difference of logits", onnx_door.TOLERANCE, difference, how, at_most=True)]
