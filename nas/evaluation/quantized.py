"""Accuracy of a network under the quantization policy that its architecture carries."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from nas.quantization.capture import Captured, capture
from nas.quantization.quantized import Quantized, quantize_captured
from nas.quantization.ranges import Range, ranges
from nas.quantization.smoothing import is_smoothed
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.policy import quantizable_names

RANGE_PICTURES = 128
"""Of the calibration sample, from which ranges of activations are learnt."""

_NETWORKS_KEPT = 8  # with their ranges: a search tries several policies on a network


class QuantizedNetworks:
    """Quantizes networks of a space; what was learnt of a network serves every policy of it.

    A pure function of the architecture and its network, whatever was asked before.
    """

    def __init__(self, space: WithQuantization) -> None:
        self.space = space
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def of(
        self, architecture: Architecture, network: Callable[[], nn.Module], calibration: Callable[[], Sequence[Tensor]]
    ) -> Quantized:
        """Under its policy. `network`: in eval mode, batch norms set; asked only where it is not known. `calibration`:
        pictures (n, C, H, W), normalised as for training.
        """
        policy, known = self.space.policy(architecture), self._known_of(architecture, network)
        if policy.calibration != "minmax" or is_smoothed(known.captured, policy):
            return quantize_captured(known.captured.copied(), policy, calibration())
        return quantize_captured(known.captured, policy, (), known.ranges(calibration))

    def _known_of(self, architecture: Architecture, network: Callable[[], nn.Module]) -> "_Known":
        key = self.space.inner_architecture(architecture).id
        if key not in self._known:
            table = self.space.decode(self.space.population([architecture]))
            self._known[key] = _Known(capture(network(), quantizable_names(table)))
            if len(self._known) > _NETWORKS_KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


@dataclass
class _Known:
    """A network, and the ranges of every tensor that some policy may keep in few bits, once they were asked for."""

    captured: Captured
    _ranges: dict[str, Range] | None = None

    def ranges(self, calibration: Callable[[], Sequence[Tensor]]) -> dict[str, Range]:
        """From least to largest value; measured once."""
        if self._ranges is None:
            nodes = [node.name for node in self.captured.graph.graph.nodes if node.op != "output"]
            self._ranges = ranges(self.captured, nodes, calibration())
        return self._ranges
