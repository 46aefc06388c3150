"""Small networks with a menu of widths that is told, not priced."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nas.quantization.policies.options import Options
from nas.quantization.policies.task import Task
from search_spaces.core.policy import widths


def menu(
    names: Sequence[str],
    allowed: str,
    prices: Mapping[str, Sequence[Sequence[int]]],
    limits: Mapping[str, float],
    base: int = 1000,
) -> Options:
    """Every operator is a group of its own; `prices` by column, a row an operator, few bits first."""
    priced = {name: np.array(rows, dtype=np.int64) for name, rows in prices.items()}
    groups = tuple((name,) for name in names)
    return Options(tuple(names), groups, widths(allowed), dict.fromkeys(priced, base), priced, dict(limits))


def random_menu(rng: np.random.Generator, groups: int, columns: Sequence[str], share: float) -> Options:
    """Of three widths; wider is dearer by size alone. The limits leave a share of what lies between all and nothing."""
    names = [f"operator{number}" for number in range(groups)]
    size = -np.sort(rng.integers(0, 1000, (groups, 3)), axis=1)[:, ::-1]
    prices = {name: size if name == "weight_bytes" else rng.integers(-1000, 0, (groups, 3)) for name in columns}
    options = menu(names, "w2,w4,int8", {name: rows.tolist() for name, rows in prices.items()}, {}, base=100_000)
    limits = {
        name: 100_000 + rows.min(axis=1).sum() * (1 - share) + rows.max(axis=1).sum() * share
        for name, rows in prices.items()
    }
    return menu(names, "w2,w4,int8", options.prices, limits, base=100_000)  # type: ignore[arg-type]


class Chain(nn.Module):
    """Convolutions without biases, one after the other, then a mean and a linear operator."""

    def __init__(self, channels: Sequence[int], classes: int = 3) -> None:
        super().__init__()
        pairs = itertools.pairwise(channels)
        self.convs = nn.Sequential(
            *(layer for a, b in pairs for layer in (nn.Conv2d(a, b, 3, padding=1, bias=False), nn.ReLU()))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(channels[-1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.flatten(self.pool(self.convs(x))))


class Branches(nn.Module):
    """Two convolutions side by side, whose outputs are added: one carries the answer, the other next to nothing."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.useless, self.crucial = (nn.Conv2d(3, 8, 3, padding=1, bias=False) for _ in range(2))
        self.useless.weight.data *= share
        self.relu, self.pool, self.flatten = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.linear = nn.Linear(8, 4, bias=False)
        self.linear.weight.data *= 10

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.flatten(self.pool(self.relu(self.useless(x) + self.crucial(x)))))


def pictures(seed: int = 0, count: int = 16, channels: int = 3) -> list[Tensor]:
    """Two batches."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, channels, 6, 6, generator=generator) for _ in range(2)]


def task_of(network: nn.Module, options: Options, batches: Sequence[Tensor] | None = None) -> Task:
    """With two batches of noise unless others are told."""
    return Task.of(network.eval(), options, pictures() if batches is None else batches)
