"""What the stitching spaces share: one choice, which route, in order of cost."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts, refuse_what_data_decide
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, SearchSpace, checked_settings
from search_spaces.stitching.anchors import Anchor, legend, read_anchors
from search_spaces.stitching.features import route_features
from search_spaces.stitching.routes import Route

if TYPE_CHECKING:
    from search_spaces.blocks.stitched_supernet import StitchedSupernet

_ROUTE = "route"


class StitchingSettings(BaseModel):
    """Resolved settings: the anchors in order of cost, the classes of the data.

    `anchor_rate`: what the learning rate of the anchors' own weights is of that of the stitch layers; published: 1 for
    DeiT, 0.1 for Swin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    anchors: tuple[Anchor, ...] = Field(min_length=2)
    classes: int = Field(ge=2)
    anchor_rate: float = Field(default=1.0, ge=0.0, le=10.0)


S = TypeVar("S", bound=StitchingSettings)


class Stitching(SearchSpace[S]):
    """Routes through trained networks. Shared weights start from theirs, stitch layers from a least-squares fit.

    The rate: SN-Net trains on at 5e-5, a tenth of DeiT's, for 50 epochs of ImageNet. A search here takes some thousand
    steps: on hand signs (two anchors of 65 and 81 %, 25 epochs) the stitches between them end -2.4 to +1.7 points
    beside the line at 5e-5, +1.7 to +7.1 at 2e-4, and the anchors gain at both.
    """

    published_anchors: ClassVar[str]
    own_settings: ClassVar[type[Any]]
    names_trained: ClassVar[tuple[str, ...]] = ("anchors",)
    default_sampling: ClassVar[str] = "uniform"
    learning_rate: ClassVar[float] = 2e-4
    settings: S

    def __init__(self, settings: S) -> None:
        self.settings = settings
        self.family = settings.anchors[0].family
        self.anchors = [{**anchor.network, "classes": settings.classes} for anchor in settings.anchors]
        work = self.family.work
        priced = sorted((work(self._arguments(route)), route.name, route) for route in self.enumerate_routes())
        self.works = [work for work, _, _ in priced]
        self.routes = [route for _, _, route in priced]
        self.choices = (Choice(_ROUTE, tuple(name for _, name, _ in priced)),)

    @abstractmethod
    def enumerate_routes(self) -> list[Route]:
        """Those that are searched, in any order; `WrongUse` where the anchors have none."""

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> Self:
        refuse_what_data_decide(options, "classes")
        anchors = read_anchors(options.get("anchors", cls.published_anchors), facts)
        classes = facts.classes if facts else anchors[0].network["classes"]
        return cls.restored({**options, "anchors": anchors, "classes": classes})

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Self:
        return cls(checked_settings(cls.own_settings, settings))

    def explain(self) -> list[str]:
        return legend(self.settings.anchors, self.settings.classes)

    def route(self, architecture: Architecture) -> Route:
        """The route of one architecture."""
        return self.routes[self._number(architecture)]

    def decode(self, population: Population) -> LayerTable:
        return self._table.select(population.matrix[:, 0].astype(np.intp))

    @cached_property
    def _table(self) -> LayerTable:
        return self.family.table([self._arguments(route) for route in self.routes])

    def least(self) -> LayerTable:
        """Every route: they are few, and the least of each cost among them is the space's."""
        return self._table

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        channels, height, width = self.anchors[0]["input_size"]
        return channels, height, width

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return self.family.blueprint(self._arguments(self.route(architecture)))

    def supernet(self) -> "StitchedSupernet":
        from search_spaces.blocks.stitched_supernet import StitchedSupernet

        return StitchedSupernet(
            self.family.build,
            self.anchors,
            [self.route_spec(route, work) for route, work in zip(self.routes, self.works, strict=True)],
            self.rank,
            self.settings.anchor_rate,
            self._number,
            lambda architecture: self._arguments(self.route(architecture)),
        )

    @staticmethod
    def route_spec(route: Route, macs: int, score: float = 0.0) -> Any:
        """A route as `StitchedNetwork` takes it: a `RouteSpec`."""
        parts, stitches = [list(part) for part in route.parts], list(route.layers)
        return {"name": route.name, "parts": parts, "stitches": stitches, "macs": macs, "score": score}

    @property
    def rank(self) -> int:
        """Of the low-rank update beside a fitted stitch layer; 0: the layer itself is trained."""
        return 0

    def features(self, population: Population) -> NDArray[np.float64]:
        """Where a route is cut and where it lands: see `route_features`."""
        return self._features[population.matrix[:, 0].astype(np.intp)]

    @cached_property
    def _features(self) -> NDArray[np.float64]:
        return route_features(self.routes, [anchor.depth for anchor in self.settings.anchors], self.works)

    def member(self, route: str) -> Architecture:
        """The architecture of a route's name; `WrongUse` with the nearest known one where there is none."""
        return self.population([Architecture(self.name, self._own_settings, {_ROUTE: route})])[0]

    def _number(self, architecture: Architecture) -> int:
        return int(self.population([architecture]).matrix[0, 0])

    def _arguments(self, route: Route) -> dict[str, Any]:
        return self.family.route(self.anchors, route.parts)
