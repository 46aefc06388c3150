"""SN-Netv2 (Pan et al., arXiv 2307.00154): two trained networks, stitched both ways, up to twice."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from search_spaces.core.errors import WrongUse
from search_spaces.core.population import Population
from search_spaces.stitching.routes import Route, snnetv2_routes
from search_spaces.stitching.space import Stitching, StitchingSettings

# Published: 1 G multiply-accumulates, between anchors 57.0 G apart.
_GROUPS_BETWEEN_ANCHORS = 57


class SnNetV2Settings(StitchingSettings):
    """`rank` of the update that each fitted stitch layer learns; published: 64 for ImageNet, 16 for smaller data."""

    rank: int = Field(default=16, ge=1, le=1024)


class SnNetV2(Stitching[SnNetV2Settings]):
    """Small and large network, each alone, one into the other, and there and back again."""

    name: ClassVar[str] = "snnetv2"
    title: ClassVar[str] = "stitched networks, both ways"
    source: ClassVar[str] = "SN-Netv2, arXiv 2307.00154; ziplab/SN-Netv2 (Apache-2.0)"

    published_anchors: ClassVar[str] = "deit3_small,deit3_large"
    own_settings: ClassVar[type[SnNetV2Settings]] = SnNetV2Settings

    def enumerate_routes(self) -> list[Route]:
        anchors = self.settings.anchors
        if len(anchors) != 2:
            raise WrongUse(f"snnetv2 stitches two networks, got {len(anchors)}; for more: --space snnet")
        if len(anchors[0].stages) > 1:
            raise WrongUse(
                f"snnetv2 stitches networks of one width from end to end, {anchors[0].name} has "
                f"{len(anchors[0].stages)} stages; choose --space snnet"
            )
        try:
            return snnetv2_routes([anchor.depth for anchor in anchors])
        except ValueError as error:
            raise WrongUse(f"{error} blocks; choose other anchors") from None

    def explain(self) -> list[str]:
        return [*super().explain(), f"{len(self.routes)} routes: A, B, A-B, B-A, B-A-B, A-B-A"]

    @property
    def rank(self) -> int:
        return self.settings.rank

    def strata(self, population: Population) -> NDArray[np.intp]:
        """Groups of about equal cost: a new one begins where a route costs so much more than its group's first.

        Source: "resource-constrained sampling", which gives each range of cost an equal part of the training.
        """
        works = np.array(self.works)
        step = (works.max() - works.min()) / _GROUPS_BETWEEN_ANCHORS
        groups, first = np.zeros(len(works), np.intp), works[0]
        for number, work in enumerate(works):
            new = work - first > step
            groups[number] = groups[number - 1] + new if number else 0
            first = work if new else first
        return groups[population.matrix[:, 0]]


SPACE = SnNetV2
