"""SN-Net (Pan et al., arXiv 2302.06586): trained networks of one family, stitched from small to large."""

from functools import cached_property
from typing import ClassVar

from pydantic import Field

from search_spaces.core.errors import WrongUse
from search_spaces.stitching.routes import Route, snnet_routes, staged_routes
from search_spaces.stitching.space import Stitching, StitchingSettings


class SnNetSettings(StitchingSettings):
    """`kernel` blocks of a window of stitches, which moves on by `stride`; `deeper`: also stitches that go through a
    place twice, which cost more than the network they end in and are seldom better.
    """

    kernel: int = Field(default=2, ge=1, le=64)
    stride: int = Field(default=1, ge=1, le=64)
    deeper: bool = False


class SnNet(Stitching[SnNetSettings]):
    """From each anchor to the next larger one. Sliding windows pair the blocks of equally deep ones."""

    name: ClassVar[str] = "snnet"
    title: ClassVar[str] = "stitched networks, from small to large"
    source: ClassVar[str] = "SN-Net, arXiv 2302.06586; ziplab/SN-Net (Apache-2.0)"

    published_anchors: ClassVar[str] = "deit_tiny,deit_small,deit_base"
    own_settings: ClassVar[type[SnNetSettings]] = SnNetSettings

    def enumerate_routes(self) -> list[Route]:
        return [route for route in self.enumerated if self.settings.deeper or not route.deeper]

    @cached_property
    def enumerated(self) -> list[Route]:
        """All routes, in the published order."""
        settings = self.settings
        stages = [anchor.stages for anchor in settings.anchors]
        if len(stages[0]) > 1:
            return self._staged(stages)
        try:
            return snnet_routes([depth for (depth,) in stages], settings.kernel, settings.stride)
        except ValueError as error:
            names = ", ".join(f"{anchor.name} has {anchor.depth}" for anchor in settings.anchors)
            raise WrongUse(
                f"stitches lead into a network of as many or more blocks, but {error}: {names} (in order of cost); "
                "choose other anchors, or --space snnetv2"
            ) from None

    def _staged(self, stages: list[tuple[int, ...]]) -> list[Route]:
        routes = staged_routes(stages, self.settings.kernel, self.settings.stride)
        if all(route.is_anchor for route in routes):
            raise WrongUse(
                "stitches lead from a block to a later one of the same stage, the last stage left out, and no stage "
                f"but the last has two blocks: {', '.join(str(each) for each in stages)}; choose deeper anchors"
            )
        return routes

    def explain(self) -> list[str]:
        shallow = sum(not route.deeper for route in self.enumerated)
        said = "all are searched" if self.settings.deeper else "these are searched, with --set deeper=true all"
        return [
            *super().explain(),
            f"{len(self.enumerated)} routes in all, {shallow} of them no deeper than their anchors: {said}",
        ]


SPACE = SnNet
