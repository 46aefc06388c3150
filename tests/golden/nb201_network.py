"""Networks of NAS-Bench-201 (Dong and Yang, arXiv 2001.00326), for proxies to be compared with published ones.

Written from the paper: a stem of 16 channels, three stages of five cells with 16, 32 and 64 channels, a residual block
of stride 2 between stages; a cell has four nodes and six edges, each with one of five operations.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# in the order of NASLib's tables, from which the published proxies come
SKIP, ZERO, CONV_3X3, CONV_1X1, POOL = range(5)
_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_CELLS, _CHANNELS = 5, (16, 32, 64)


class _Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(outputs))


def _operation(number: int, channels: int) -> nn.Module:
    made: dict[int, nn.Module] = {
        SKIP: nn.Identity(),
        ZERO: _Zero(),
        POOL: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    }
    return made[number] if number in made else _conv(channels, channels, 3 if number == CONV_3X3 else 1)


class _Cell(nn.Module):
    def __init__(self, operations: Sequence[int], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList([_operation(number, channels) for number in operations])

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for node in range(1, 4):
            into = [(edge, start) for edge, (start, end) in zip(self.edges, _EDGES, strict=True) if end == node]
            nodes.append(torch.stack([edge(nodes[start]) for edge, start in into]).sum(dim=0))
        return nodes[-1]


class _Reduction(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(_conv(inputs, outputs, 3, 2), _conv(outputs, outputs, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + self.shortcut(x)


def nb201_network(operations: Sequence[int], classes: int = 10) -> nn.Sequential:
    """The network with these operations on the edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3."""
    parts: list[nn.Module] = [nn.Conv2d(3, _CHANNELS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(_CHANNELS[0])]
    for stage, channels in enumerate(_CHANNELS):
        if stage:
            parts.append(_Reduction(_CHANNELS[stage - 1], channels))
        parts += [_Cell(operations, channels) for _ in range(_CELLS)]
    last = _CHANNELS[-1]
    head = [nn.BatchNorm2d(last), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes)]
    return nn.Sequential(*parts, *head)
