"""Networks in the proportions of the published ones, without any training."""

from collections.abc import Mapping

import numpy as np

from search_spaces.core.choice import Choice
from search_spaces.core.errors import Infeasible
from search_spaces.core.limits import NoneWithin, first_within, within
from search_spaces.core.population import Population
from search_spaces.core.space import Price, SearchSpace
from search_spaces.tinyvit.published import published_dims
from search_spaces.tinyvit.settings import TinyvitSettings

Space = SearchSpace[TinyvitSettings]
_SIZES = np.geomspace(2e5, 22e6, 60)  # parameters at which proportions are looked at


def largest_in_proportion(
    space: Space, limits: Mapping[str, float], price: Price, measure: Price | None = None
) -> Population:
    """Those that fit, by falling parameters; where limits are measured, only the first that is within these as well.

    `Infeasible` where none fits, or where all are smaller than a limit on the parameters.
    """
    found = in_published_proportions(space)
    order = np.argsort(-price(found)["params"], kind="stable")
    found = found[order]
    columns = price(found)
    params = columns["params"]
    ends = f"they have {params[-1]:,} to {params[0]:,} parameters"
    if limits.get("params", 0) > max(params[0], price(space.population(space.extremes()))["params"].max()):
        raise Infeasible(
            f"params <= {limits['params']:,.0f} limits no network of '{space.name}' in the published proportions: "
            f"{ends}; leave the limit away, or give one between"
        )
    fitting = found[np.flatnonzero(columns["fits"])]
    if not len(fitting):
        raise Infeasible(
            f"no network of '{space.name}' in the published proportions fits: {ends}; search without "
            "--strategy propose, or give a larger budget"
        )
    return fitting if measure is None else _fast_enough(fitting, limits, measure)


def _fast_enough(ordered: Population, limits: Mapping[str, float], measure: Price) -> Population:
    """The first of the networks, from the largest to the smallest, that is within the measured limits."""
    place = first_within(len(ordered), lambda at: bool(within(measure(ordered[at : at + 1]), limits)[0]))
    if place == len(ordered):
        raise _too_slow(ordered[place - 1 :], limits, measure)
    return ordered[place : place + 1]


def _too_slow(smallest: Population, limits: Mapping[str, float], measure: Price) -> NoneWithin:
    """The measured limits beside the figures of the smallest network that is within the exact ones."""
    who = f"the smallest that fits ({smallest[0].id})"
    return NoneWithin(
        f"no network of '{smallest.space.name}' in the published proportions is fast enough",
        limits,
        {column: {who: float(values[0])} for column, values in measure(smallest).items()},
        "give a limit that it meets, or search without --strategy propose",
    )


def in_published_proportions(space: Space) -> Population:
    """Networks of the published depths, windows, ratios and head dimension, or the nearest the space has.

    Their channels are the space's nearest to those on the line through the published networks.
    """
    fixed = {"stage1.depth": 2, "stage2.depth": 2, "stage3.depth": 6, "stage4.depth": 2}
    fixed |= {"stage2.window": 7, "stage3.window": 14, "stage4.window": 7, "stage1.expand": 4, "mlp_ratio": 4}
    fixed |= {"head_dim": 32}
    rows = []
    for dims in published_dims(_SIZES):
        wanted = fixed | {f"stage{number}.dim": dim for number, dim in enumerate(dims, start=1)}
        rows.append([_nearest(choice, wanted[choice.name]) for choice in space.choices])
    return Population(space, np.unique(np.array(rows, dtype=np.int16), axis=0))


def _nearest(choice: Choice, value: float) -> int:
    return int(np.abs(np.array(choice.options, dtype=np.float64) - value).argmin())
