"""What a weight-sharing network offers."""

from typing import TYPE_CHECKING, Protocol

from search_spaces.core.architecture import Architecture

if TYPE_CHECKING:
    import torch


class Supernet(Protocol):
    """A `torch.nn.Module` whose sub-networks share weights.

    In `train()` mode `forward` uses batch statistics and keeps none; shapes are those of the activated
    sub-network: float (N, channels, height, width) in, logits (N, classes) out.
    """

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this sub-network."""

    def extract(self, architecture: Architecture) -> "torch.nn.Module":
        """A plain module with copies of the sub-network's weights.

        Its batch-norm statistics, where it has any, are not meaningful until recalibrated.
        """

    def forward(self, pictures: "torch.Tensor") -> "torch.Tensor":
        """Logits of the activated sub-network."""
