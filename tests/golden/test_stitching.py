"""Costs of every published stitch: ziplab/SN-Net and ziplab/SN-Netv2 (Apache-2.0), their files of results.

Their multiply-accumulates are those of fvcore, normalisation included.
"""

import csv
import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas import torchvision_door
from nas.anchors.timm import described
from nas.pricing import Pricer
from predictors.hardware.price import price_table
from search_spaces.snnet import SnNet
from search_spaces.snnetv2 import SnNetV2
from search_spaces.stitching.anchors import published_anchor
from search_spaces.stitching.families import family_of
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


def test_all_41_of_swin(fitnas_data: Path) -> None:
    """Multiply-accumulates as they are. Of a stitched network's parameters the file leaves out the patch mergings that
    the front runs: `get_model_size_util` of stitching_swin/models/swin_transformer.py sums blocks alone.
    """
    space = SnNet.configured({"anchors": "swin_base,swin_small,swin_tiny"}, None)
    rows = published(fitnas_data, "_swin_ti_s_b_stitches")
    macs, params = priced(space, space.enumerated)
    assert [row["flops"] for row in rows] == macs
    assert len(macs) == 41
    for row, route, own in zip(rows, space.enumerated, params, strict=True):
        front = route.parts[0]
        starts = list(accumulate(space.settings.anchors[front.anchor].stages))
        dims = [(96, 96, 128)[front.anchor] * 2**stage for stage, start in enumerate(starts) if start < front.end]
        mergings = sum(2 * 4 * dim + 4 * dim * 2 * dim for dim in dims)
        assert own - (not route.is_anchor) * mergings == row["params"], route.name


@pytest.mark.parametrize("name", ["swin_tiny", "swin_base"])
def test_published_swins(fitnas_data: Path, name: str) -> None:
    """Counted on timm's networks with fvcore."""
    anchor = published_anchor(name)
    document = json.loads((fitnas_data / "reference_models.json").read_text())
    entries = document["models"] if isinstance(document, dict) else document
    (row,) = (entry for entry in entries if entry["name"] == f"{name}_patch4_window7_224")
    table = anchor.family.table([anchor.network])
    for convention, key in (("products", "macs"), ("conv-linear", "macs_conv_linear"), ("fvcore", "macs_fvcore_total")):
        found = price_table(table, "analytic", schedule="none", mac_convention=convention)
        assert int(found["macs_layerwise"][0]) == row[key]
        assert int(found["params"][0]) == row["params"]


def test_all_swins_of_timm_have_their_published_parameters(fitnas_data: Path) -> None:
    timm = torchvision_door.import_behind("timm")
    with (fitnas_data / "timm" / "results-imagenet.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["model"].startswith("swin_")]
    counts = {row["model"].partition(".")[0]: row["param_count"] for row in rows}
    assert len(counts) >= 8
    for name, millions in counts.items():
        with torch.device("meta"):
            factory, network = described(timm.create_model(name), name)
        priced = price_table(family_of(factory, name).table([network]), "analytic", schedule="none")
        assert f"{int(priced['params'][0]) / 1e6:.2f}" == millions, name


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
