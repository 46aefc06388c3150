"""A PyTorch folder: parameters and MACs of the network, its answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nas.deployment.samples import read_samples
from nas.deployment.verification import Check
from nas.deployment.verification.counting import macs, parameters, trained_network
from predictors.hardware.counts import PRODUCTS

MARK = "model.py"
_WEIGHTS = "model.safetensors"
_WITHIN = 1e-4


def verify(folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """Checks of the network that architecture.json and model.safetensors describe."""
    promised = manifest["promised"]
    network = trained_network(folder, _WEIGHTS)
    inputs, outputs = (torch.from_numpy(each) for each in read_samples(folder))
    with torch.no_grad():
        difference = float((network(inputs) - outputs).abs().max() / outputs.abs().max().clamp(min=1.0))
    return [
        Check("params", promised["params"], parameters(network), "counted in the network"),
        *count_macs(network, inputs[:1], manifest),
        Check("difference of logits", _WITHIN, difference, f"torch, {len(inputs)} test pictures", at_most=True),
    ]


def count_macs(network: torch.nn.Module, picture: torch.Tensor, manifest: Mapping[str, Any]) -> list[Check]:
    """The check of `macs_layerwise`; none where the run counted by another convention than torch's counter."""
    from predictors.hardware.counts import MAC_CONVENTIONS

    if not manifest["mac_convention"].startswith(MAC_CONVENTIONS[PRODUCTS]):
        return []
    how = "torch's own counter, one picture"
    return [Check("macs_layerwise", manifest["promised"]["macs_layerwise"], macs(network, picture), how)]
