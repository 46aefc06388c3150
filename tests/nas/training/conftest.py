"""A small real space and the embedded digits, few of them, for every test of training."""

from dataclasses import replace

import pytest
import torch

from nas.training.data import Labelled, Pictures, describe, load
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2.space import Mcunetv2


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> Pictures:
    return load(describe("digits"), (16, 16))


@pytest.fixture(scope="session")
def few(digits: Pictures) -> Pictures:
    """96 pictures: three batches of 32."""
    return replace(digits, train=Labelled(digits.train.images[:96], digits.train.labels[:96]))


@pytest.fixture(scope="session")
def space() -> Mcunetv2:
    return Mcunetv2.configured({"backbone": "micro", "resolutions": "8,16"}, InputFacts(1, 8, 8, 10, 1797))
