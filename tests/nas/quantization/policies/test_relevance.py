"""Relevance: what reaches the input is the answer, and what carries nothing has none."""

import pytest
import torch
from torch import Tensor, nn

from nas.quantization.capture import capture
from nas.quantization.policies import policy
from nas.quantization.policies.relevance import relevance
from tests.nas.quantization.policies.small_tasks import Branches, Chain, menu, pictures, task_of


def answers(network: nn.Module, batch: Tensor) -> Tensor:
    with torch.no_grad():
        return network(batch).max(dim=1).values


def test_every_layer_of_a_chain_hands_on_the_whole_answer() -> None:
    torch.manual_seed(0)
    network, batch = Chain([3, 6, 5, 4]).eval(), pictures()[0]
    names = ["first", "second", "third", "linear"]
    found = relevance(capture(network, names), batch, epsilon=1e-6)
    for name in names[:-1]:
        assert found[name].flatten(1).sum(dim=1) == pytest.approx(answers(network, batch), rel=1e-3, abs=1e-4)
    assert found["linear"].sum(dim=1) == pytest.approx(answers(network, batch), rel=1e-5)
    assert (found["linear"] != 0).sum(dim=1).tolist() == [1] * len(batch)  # the class it is taken for


def test_branches_share_the_answer_by_what_they_give() -> None:
    torch.manual_seed(0)
    network, batch = Branches(0.01).eval(), pictures()[0]
    found = relevance(capture(network, ["useless", "crucial", "linear"]), batch, epsilon=1e-6)
    parts = {name: found[name].flatten(1).sum(dim=1) for name in ("useless", "crucial")}
    assert parts["useless"] + parts["crucial"] == pytest.approx(answers(network, batch), rel=1e-3, abs=1e-4)
    share = found["useless"].abs().sum() / found["crucial"].abs().sum()
    assert 0.003 < float(share) < 0.03


class Gated(nn.Module):
    """A convolution times a gate of its own mean."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 1, bias=False), nn.Linear(4, 4, bias=False)
        self.pool, self.flatten, self.sigmoid = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Sigmoid()
        self.linear = nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(self.pool(self.conv(x)))
        return self.linear(x * self.sigmoid(self.gate(x)))


def test_two_factors_take_half_each() -> None:
    torch.manual_seed(1)
    network, batch = Gated().eval(), pictures()[0]
    found = relevance(capture(network, ["conv", "gate", "linear"]), batch, epsilon=1e-6)
    assert found["gate"].sum(dim=1) == pytest.approx(answers(network, batch) / 2, rel=1e-3, abs=1e-4)
    assert found["conv"].flatten(1).sum(dim=1) == pytest.approx(answers(network, batch), rel=1e-2, abs=1e-3)


def test_epsilon_takes_relevance_away_where_parts_cancel() -> None:
    torch.manual_seed(0)
    network, batch = Chain([3, 6, 5, 4]).eval(), pictures()[0]
    names = ["first", "second", "third", "linear"]
    free, damped = (relevance(capture(network, names), batch, epsilon=share) for share in (1e-6, 1.0))
    assert float(damped["first"].abs().sum()) < 0.5 * float(free["first"].abs().sum())


class Pooled(nn.Module):
    """Tokens weighted by a softmax over a linear score of each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.score, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 1), nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).flatten(2).transpose(1, 2)
        weights = self.score(x).softmax(dim=1).transpose(1, 2)
        return self.linear((weights @ x).squeeze(1))


def test_what_gives_weights_alone_gets_the_fewest_bits() -> None:
    torch.manual_seed(0)
    prices = {"weight_bytes": [[-100, 0], [-100, 0], [-100, 0]]}
    options = menu(["conv", "score", "linear"], "w4,int8", prices, {"weight_bytes": 900})
    assert policy("relevance")(task_of(Pooled(), options)).tolist() == [1, 0, 1]
