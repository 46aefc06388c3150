"""Zero-cost proxies beside those that NASLib published for NAS-Bench-201 (White et al., arXiv 2104.01177).

Their pictures were CIFAR-10's and their weights drawn otherwise, so scores differ a little; the order should not.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from predictors.zero_cost import zero_cost_proxy
from tests.golden.nb201_network import nb201_network

NETWORKS, PICTURES = 8, 32
PUBLISHED = {"nwot": "nwot", "synflow": "synflow", "jacob_cov": "jacov", "grad_norm": "grad_norm", "snip": "snip"}


@pytest.fixture(scope="module")
def published(fitnas_data: Path) -> pd.DataFrame:
    table = pd.read_parquet(fitnas_data / "bench" / "zc_proxies_nb201_nb301_subset.parquet")
    cifar10 = table[(table.space == "nasbench201") & (table.dataset == "cifar10")]
    return cifar10.sample(NETWORKS, random_state=0).reset_index(drop=True)


@pytest.fixture(scope="module")
def ours(published: pd.DataFrame, fitnas_data: Path) -> pd.DataFrame:
    with np.load(fitnas_data / "vision" / "person32_cifar100.npz") as arrays:
        pictures = torch.tensor(arrays["x_train"][:PICTURES]).permute(0, 3, 1, 2) / 255
    pictures = (pictures - pictures.mean((0, 2, 3), keepdim=True)) / pictures.std((0, 2, 3), keepdim=True)
    labels = torch.arange(PICTURES) % 10
    rows = []
    for row, operations in enumerate(published.arch):
        torch.manual_seed(row)
        network = nb201_network([int(number) for number in operations.strip("()").split(",")])
        scores = {name: zero_cost_proxy(name).score(network, pictures, labels) for name in PUBLISHED}
        rows.append({"params": sum(each.numel() for each in network.parameters()) / 1e6, **scores})
    return pd.DataFrame(rows)


def test_the_networks_are_theirs(ours: pd.DataFrame, published: pd.DataFrame) -> None:
    np.testing.assert_allclose(ours.params, published.params, atol=1e-9)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_order_is_theirs(name: str, ours: pd.DataFrame, published: pd.DataFrame) -> None:
    assert spearmanr(ours[name], published[PUBLISHED[name]])[0] > 0.8


def test_synflow_is_nearly_the_same_number(ours: pd.DataFrame, published: pd.DataFrame) -> None:
    """It sees no pictures, and sums over so many weights that their draw hardly matters."""
    np.testing.assert_allclose(ours.synflow, published.synflow, atol=0.3)
