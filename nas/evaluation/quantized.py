"""Accuracy of a network under the quantization policy that its architecture carries."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from nas.quantization.capture import Captured, capture
from nas.quantization.quantized import Quantized, quantize_captured
from nas.quantization.ranges import Range, ranges
from nas.quantization.smoothing import is_smoothed
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.policy import quantizable_names
from search_spaces.core.space import SearchSpace

RANGE_PICTURES = 128
"""Of the calibration sample, from which ranges of activations are learnt."""

_NETWORKS_KEPT = 8  # with their ranges: a search tries several policies on a network


def is_quantized(space: SearchSpace[Any]) -> bool:
    """Whether architectures of the space carry a policy."""
    return isinstance(space, WithQuantization)


@dataclass(frozen=True)
class _Known:
    """A network whose ranges were measured: of every tensor that some policy may keep in few bits."""

    captured: Captured
    ranges: dict[str, Range]


class QuantizedNetworks:
    """Quantizes networks of a space; what was learnt of a network serves every policy of it.

    A pure function of the architecture and its network, whatever was asked before.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        if not isinstance(space, WithQuantization):
            raise TypeError(f"the space '{space.name}' has no quantization policies")
        self.space = space
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def of(
        self, architecture: Architecture, network: Callable[[], nn.Module], calibration: Callable[[], Sequence[Tensor]]
    ) -> Quantized:
        """Under its policy. `network`: in eval mode, batch norms set; asked only where it is not known. `calibration`:
        pictures (n, C, H, W), normalised as for training.
        """
        policy = self.space.policy(architecture)
        known = self._known_of(architecture, network, calibration)
        if policy.calibration != "minmax":
            return quantize_captured(_own(known.captured), policy, calibration())
        if is_smoothed(known.captured, policy):
            return quantize_captured(_own(known.captured), policy, calibration())
        return quantize_captured(known.captured, policy, (), known.ranges)

    def _known_of(
        self, architecture: Architecture, network: Callable[[], nn.Module], calibration: Callable[[], Sequence[Tensor]]
    ) -> _Known:
        key = self.space.inner_architecture(architecture).id
        if key not in self._known:
            table = self.space.decode(self.space.population([architecture]))
            captured = capture(network(), quantizable_names(table))
            nodes = [node.name for node in captured.graph.graph.nodes if node.op != "output"]
            self._known[key] = _Known(captured, ranges(captured, nodes, calibration()))
            if len(self._known) > _NETWORKS_KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def _own(captured: Captured) -> Captured:
    """A copy whose weights may be changed."""
    return replace(captured, graph=copy.deepcopy(captured.graph))
