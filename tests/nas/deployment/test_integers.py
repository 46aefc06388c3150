"""Which policy a member is exported under, and what cannot be quantized."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.api import Run
from nas.deployment.integers import IntegerMember
from nas.member_quantization import member_policy, table_of
from search_spaces.core.errors import FitnasError, NotFound, WrongUse
from search_spaces.core.policy import QuantizationPolicy, width


def uniform(run: Run) -> QuantizationPolicy:
    return QuantizationPolicy.uniform(table_of(run, run.knee()))


def test_a_network_without_a_policy_gets_int8_until_one_is_found(tiny_run: Run, tmp_path: Path) -> None:
    trial = tiny_run.knee()
    policy = member_policy(tiny_run, trial)
    assert policy == uniform(tiny_run)
    assert set(policy.widths.values()) == {width("int8")}
    found = QuantizationPolicy({name: width("fp32") for name in policy.widths})
    (tmp_path / "found.json").write_text(json.dumps(found.to_document()))
    assert member_policy(tiny_run, trial, tmp_path / "found.json") == found


@pytest.mark.parametrize(
    ("content", "told"), [("{", "no quantization policy"), ('{"widths": {}}', "of another network")]
)
def test_a_file_of_something_else_is_refused(tiny_run: Run, tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "policy.json").write_text(content)
    with pytest.raises(WrongUse, match=told):
        member_policy(tiny_run, tiny_run.knee(), tmp_path / "policy.json")
    with pytest.raises(NotFound, match="no policy at"):
        member_policy(tiny_run, tiny_run.knee(), tmp_path / "none.json")


def test_statistics_of_a_fresh_network_are_refused(tiny_run: Run) -> None:
    trial, space = tiny_run.knee(), tiny_run.parts.space
    policy = uniform(tiny_run)
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

    trial, _space = tiny_run.knee(), tiny_run.parts.space
    network, _ = network_of(tiny_run, trial)
    member = IntegerMember.of(tiny_run, trial, network, uniform(tiny_run))
    scores = member.scores(torch=network)
    assert set(scores) == {"integer_reference", "torch", "same_class"}
    with pytest.raises(FitnasError, match="test pictures different classes, more than rounding explains"):
        member.scores(wrong=lambda pictures: -network(pictures), other=network)
