"""What a network in torch has and does, counted on itself."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas.assembly import restore_space
from nas.member import load_weights
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError


def built_network(folder: Path) -> nn.Module:
    """The network of architecture.json in eval mode, without its weights; no code of the folder is executed."""
    try:
        architecture = Architecture.from_json((folder / "architecture.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FitnasError(f"{folder}: architecture.json is damaged ({error}); export the network again") from None
    return restore_space(architecture).build(architecture).eval()


def trained_network(folder: Path, file_name: str) -> nn.Module:
    """The same with its weights; `FitnasError` where they are another network's, or damaged."""
    network = built_network(folder)
    load_weights(network, folder / file_name)
    return network


def parameters(network: nn.Module) -> int:
    """Learned values."""
    return sum(each.numel() for each in network.parameters())


def macs(network: nn.Module, picture: Tensor) -> int:
    """Multiply-accumulates of convolutions and matrix products that torch executes for one picture (1, C, H, W)."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(picture)
    return int(counter.get_total_flops()) // 2
