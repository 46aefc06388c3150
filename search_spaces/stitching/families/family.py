"""The base of every kind of networks that can be stitched."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from search_spaces.core.layer_table import LayerTable
from search_spaces.core.space import Blueprint

Network = Mapping[str, Any]
Parts = Sequence[Sequence[int]]


class Family(ABC):
    """What there is to know of networks of one class, which are described by the arguments of that class.

    `module` and `factory`: where the class is. Its networks can be begun, run block by block and ended (`embed`, `run`,
    `classify`; see `StitchedNetwork`), and take `stitches`. `where`: which spaces have such, for people.
    """

    module: ClassVar[str]
    factory: ClassVar[str]
    where: ClassVar[str]

    @abstractmethod
    def traits(self, network: Network) -> dict[str, Any]:
        """What networks must have in common to be stitched, by the name that an error gives it."""

    @abstractmethod
    def unfit(self, network: Network) -> str:
        """What a network has that stitched ones may not have; empty where there is nothing."""

    @abstractmethod
    def stages(self, network: Network) -> tuple[int, ...]:
        """Blocks of each stage. Where there are several, a stitch stays within one, and none stands in the last."""

    @abstractmethod
    def widths(self, network: Network) -> str:
        """Channels of the blocks, for people."""

    @abstractmethod
    def work(self, network: Network) -> int:
        """Multiply-accumulates: what networks are ordered by."""

    @abstractmethod
    def route(self, anchors: Sequence[Network], parts: Parts) -> dict[str, Any]:
        """Arguments of the plain network of a route: begun as its first anchor, ended as its last.

        A part is an anchor, its first block, and the one behind its last.
        """

    @abstractmethod
    def table(self, networks: Sequence[Network]) -> LayerTable:
        """One row for each of some networks that have all traits in common."""

    def blueprint(self, network: Network) -> Blueprint:
        """How to build it."""
        return Blueprint(self.module, self.factory, dict(network))

    def build(self, **network: Any) -> Any:
        """The network of these arguments with random weights; loads torch."""
        return self.blueprint(network).build()
