"""Accuracy of published stitches, learnt from some of them; at length in `benchmarks/stitch_predictor.py`."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.model_selection import KFold

from predictors.accuracy import accuracy_predictor
from search_spaces.snnetv2 import SnNetV2
from search_spaces.stitching.routes import snnetv2_routes


@pytest.mark.parametrize("name", ["gaussian_process", "extra_trees"])
def test_order_of_the_stitches_of_snnetv2(fitnas_data: Path, name: str) -> None:
    """ziplab/SN-Netv2 (Apache-2.0), its file of results. By multiply-accumulates alone tau is 0.443."""
    lines = (fitnas_data / "snnet" / "snnetv2_deit3_s_l_imagenet_stitches.jsonl").read_text().splitlines()
    top1 = np.array([json.loads(line)["acc1"] for line in lines]) / 100
    space = SnNetV2.configured({}, None)
    features = space.features(space.population([space.member(route.name) for route in snnetv2_routes([12, 24])]))
    taus = []
    for learnt, asked in KFold(5, shuffle=True, random_state=0).split(features):
        found = accuracy_predictor(name).fit(features[learnt], top1[learnt]).predict(features[asked])
        taus.append(kendalltau(found.mean, top1[asked]).statistic)
    assert np.mean(taus) >= 0.85
