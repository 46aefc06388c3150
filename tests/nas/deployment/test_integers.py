"""Which policy a member is exported under, and what cannot be quantized."""

import pytest
import torch
from torch import nn

from nas.api import Run
from nas.deployment.integers import IntegerMember, policy_of, uniform_policy
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.policy import QuantizationPolicy, width
from search_spaces.core.registry import space_class
from tests.contracts.conftest import FACTS


@pytest.mark.parametrize("name", ["mcunetv2+quantization", "mcunetv2+quantization+recipe"])
def test_a_network_with_a_policy_keeps_it(name: str) -> None:
    space = space_class(name).configured({"quantize": "fp32,int8"}, FACTS["digits"])
    smallest, largest = space.extremes()
    for architecture, expected in ((smallest, "int8"), (largest, "fp32")):
        policy = policy_of(space, architecture)
        assert policy is not None
        assert {each.name for each in policy.widths.values()} == {expected}


def test_a_network_without_one_gets_int8() -> None:
    space = space_class("mcunetv2").configured({}, FACTS["digits"])
    assert policy_of(space, space.extremes()[0]) is None
    policy = uniform_policy(space, space.extremes()[0])
    assert set(policy.widths.values()) == {width("int8")}


def test_statistics_of_a_fresh_network_are_refused(tiny_run: Run) -> None:
    trial, space = tiny_run.knee(), tiny_run.parts.space
    policy = uniform_policy(space, trial.architecture)
    with pytest.raises(FitnasError, match="was never trained"):
        IntegerMember.of(tiny_run, trial, space.build(trial.architecture).eval(), policy)


def test_a_policy_of_another_network_is_refused(tiny_run: Run) -> None:
    trial, space = tiny_run.knee(), tiny_run.parts.space
    other = QuantizationPolicy({"nobody": width("int8")})
    network = space.build(trial.architecture).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = torch.tensor(1)
    with pytest.raises(WrongUse, match="make one for this network with nas quantize"):
        IntegerMember.of(tiny_run, trial, network, other)


def test_another_class_for_many_pictures_is_refused(tiny_run: Run) -> None:
    from nas.member import network_of

    trial, space = tiny_run.knee(), tiny_run.parts.space
    network, _ = network_of(tiny_run, trial)
    member = IntegerMember.of(tiny_run, trial, network, uniform_policy(space, trial.architecture))
    scores = member.scores(torch=network)
    assert set(scores) == {"integer_reference", "torch", "same_class"}
    with pytest.raises(FitnasError, match="test pictures different classes, more than rounding explains"):
        member.scores(wrong=lambda pictures: -network(pictures), other=network)
