"""Costs of every published stitch: ziplab/SN-Net and ziplab/SN-Netv2 (Apache-2.0), their files of results.

Their multiply-accumulates are those of fvcore, normalisation included.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from nas.pricing import Pricer
from search_spaces.snnet import SnNet
from search_spaces.snnetv2 import SnNetV2
from search_spaces.stitching.routes import Route, snnetv2_routes

TOKENS, NORM_MACS = 197, 5  # of an element of a layer norm
DIMS = (192, 384, 768)


def published(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "snnet" / f"snnet{name}.jsonl").read_text().splitlines()]


def priced(space: Any, routes: list[Route]) -> tuple[list[int], list[int]]:
    """MACs as fvcore counts them, and parameters, of the routes in this order."""
    population = space.population([space.member(route.name) for route in routes])
    columns = Pricer(space, "analytic", schedule="none", mac_convention="fvcore")(population)
    return columns["macs_layerwise"].tolist(), columns["params"].tolist()


def test_all_71_of_snnet(fitnas_data: Path) -> None:
    """Two things the file leaves out of stitched networks: the last norm's work, and the parameters of class token and
    position embedding. Both are there in the network itself, and in ours.
    """
    space = SnNet.configured({"deeper": "true"}, None)
    rows = published(fitnas_data, "_deit_ti_s_b_stitches")
    macs, params = priced(space, space.enumerated)
    assert len(rows) == len(macs) == 71
    for row, route, own_macs, own_params in zip(rows, space.enumerated, macs, params, strict=True):
        stitched = not route.is_anchor
        first, last = DIMS[route.parts[0].anchor], DIMS[route.parts[-1].anchor]
        assert own_macs - stitched * NORM_MACS * TOKENS * last == row["flops"], route.name
        assert own_params - stitched * (TOKENS + 1) * first == row["params"], route.name


def test_all_134_of_snnetv2(fitnas_data: Path) -> None:
    """Here the file counts the last norm everywhere. Its number 13 does not exist."""
    rows = published(fitnas_data, "v2_deit3_s_l_imagenet_stitches")
    macs, _ = priced(SnNetV2.configured({}, None), snnetv2_routes([12, 24]))
    assert [row["flops"] for row in rows] == macs
    assert [row["cfg_id"] for row in rows] == [number for number in range(135) if number != 13]


def test_groups_of_equal_cost_are_those_of_the_paper() -> None:
    """1 G apart: the small anchor, eleven groups of twelve, the large anchor."""
    space = SnNetV2.configured({}, None)
    everyone = space.population([space.member(route.name) for route in space.routes])
    assert np.bincount(space.strata(everyone)).tolist() == [1, *[12] * 11, 1]
