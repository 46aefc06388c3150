"""What every zero-cost proxy does: asks a copy of a network, with gradients on, and answers with one number."""

import copy
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor, nn


class ZeroCostProxy(ABC):
    """Scores an untrained network: more is better."""

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def _score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        """The score of a network that may be changed."""

    def score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        """Of a network with freshly drawn weights, on float pictures `(n, channels, height, width)`, labels `(n,)`.

        The network stays as it is. NaN where the arithmetic gives no finite number. `ValueError` for fewer than two
        pictures.
        """
        import torch

        if len(pictures) < 2:
            raise ValueError(f"a zero-cost proxy compares at least 2 pictures, got {len(pictures)}")
        copied = copy.deepcopy(network).train()  # in eval mode fresh batch norms would let everything through
        with torch.enable_grad():
            found = self._score(copied, pictures, labels)
        return found if math.isfinite(found) else math.nan
