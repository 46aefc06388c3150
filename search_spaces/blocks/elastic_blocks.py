"""What supernets of blocks in order share: which sub-network is active, or which several in one pass.

The networks themselves stand in `elastic_mbconv`, `elastic_resnet` and, for several at once, `joined_mbconv`,
`joined_resnet`.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from search_spaces.blocks.elastic_convolutions import forget_statistics, share_norms
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

Locate = Callable[[Architecture], tuple[Mapping[str, Any], Sequence[int]]]


class ElasticBlocks(nn.Module):
    """In front of a plain network class among the bases: the largest network, whose slices are all others.

    `largest` holds the arguments of the plain network. `locate` says what an architecture is: arguments of the same
    kind for its plain network, and the position of each of its blocks among those of the largest. Right after
    construction the largest is active. Parameter names and shapes are those of the plain network; `state_dict` holds
    parameters alone.

    Batch norm: scale and shift are shared. In train mode `forward` normalises by the batch and keeps no statistics,
    unless `track_running_stats` of the norm layers is set, as recalibration does. In eval mode it uses the statistics
    kept since the last `activate` (where there were none: mean 0, variance 1, as in a fresh network).
    """

    blocks: Any  # modules in order

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        super().__init__(**largest)
        self._locate = locate
        self._arguments, self._positions = largest, tuple(range(len(self.blocks)))
        self._norms = share_norms(self)

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this sub-network; kept batch-norm statistics are forgotten.

        `WrongUse` where its layers are not among those of the largest; more channels or larger kernels than there are
        are refused by `forward`.
        """
        self._arguments, self._positions = self._located(architecture)
        forget_statistics(self._norms)

    def _located(self, architecture: Architecture) -> tuple[Mapping[str, Any], tuple[int, ...]]:
        arguments, positions = self._locate(architecture)
        positions, blocks = tuple(positions), arguments["blocks"]
        if len(positions) != len(blocks) or not set(positions) <= set(range(len(self.blocks))):
            raise WrongUse(f"{len(blocks)} blocks need as many positions below {len(self.blocks)}, got {positions}")
        self._check(arguments, positions)
        return arguments, positions

    @abstractmethod
    def _check(self, arguments: Mapping[str, Any], positions: Sequence[int]) -> None:
        """`WrongUse` where the sub-network has layers that the largest lacks."""


class JoinedBlocks(ElasticBlocks):
    """In front of an elastic class among the bases: several sub-networks at once too; see `SplittingSupernet`."""

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        super().__init__(largest, locate)
        self._members: list[Mapping[str, Any]] = []
        self._specs: list[dict[int, Any]] = []  # of each member, by the position of its blocks

    def activate(self, architecture: Architecture) -> None:
        """As before, for the whole batch."""
        super().activate(architecture)
        self._members = []

    def activate_many(self, architectures: Sequence[Architecture]) -> None:
        """From now on `forward` runs all of these, as `SplittingSupernet` says.

        `WrongUse` as in `activate`; also where they differ in picture size, classes or the stem's first kernel or
        stride, or one has its blocks in another order than the largest.
        """
        located = [self._located(architecture) for architecture in architectures]
        first = located[0][0]
        for arguments, positions in located:
            if _shared(arguments) != _shared(first) or list(positions) != sorted(positions):
                raise WrongUse(
                    "sub-networks of one pass share picture size, classes, the stem's kernel and stride and the order "
                    f"of blocks; got {_shared(arguments)} beside {_shared(first)}, blocks {positions}"
                )
        self._members = [arguments for arguments, _ in located]
        self._specs = [dict(zip(positions, own["blocks"], strict=True)) for own, positions in located]


def _shared(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    stem = arguments["stem"]
    return tuple(arguments["input_size"]), arguments["classes"], stem["kernel"], stem["stride"]
