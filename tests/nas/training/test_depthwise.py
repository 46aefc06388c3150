"""Gradients of depthwise convolutions: those of torch's own, on every shape that takes the other way."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.training.depthwise import fast_depthwise, weight_gradient
from nas.training.epochs import Recipe, Trainer

CPU = torch.device("cpu")


def gradients(size: tuple[int, int], kernel: int, stride: int, padding: int, own: bool) -> tuple[Tensor, Tensor]:
    """Of pictures and weights, with torch's or our own way; float64, so that only rounding is left to differ."""
    numbers = torch.Generator().manual_seed(0)
    pictures = torch.randn(3, 4, *size, generator=numbers, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 1, kernel, kernel, generator=numbers, dtype=torch.float64, requires_grad=True)
    with fast_depthwise(CPU if own else torch.device("meta")):
        out = functional.conv2d(pictures, weight, None, stride, padding, 1, 4)
    found = torch.autograd.grad(out.square().sum(), (pictures, weight))
    return found[0], found[1]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 4), (4, 3), (6, 5), (7, 2)])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_are_those_of_torch(size: tuple[int, int], kernel: int, stride: int) -> None:
    for theirs, ours in zip(*(gradients(size, kernel, stride, kernel // 2, own) for own in (False, True)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_rows_that_a_stride_leaves_over_and_no_padding() -> None:
    for theirs, ours in zip(*(gradients((6, 6), 5, 2, 0, own) for own in (False, True)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_one_weight_sees_one_product() -> None:
    """A 1x1 map under a 3x3 kernel: only the middle weight has met the picture."""
    found = weight_gradient(torch.full((1, 1, 1, 1), 3.0), torch.full((1, 1, 1, 1), 5.0), (3, 3), (1, 1), (1, 1))
    assert found[0, 0].tolist() == [[0, 0, 0], [0, 15, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("layer", "size", "replaced"),
    [
        (nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False), 4, True),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), 4, False),  # torch is fast
        (nn.Conv2d(4, 4, 5, padding=2, groups=4), 4, False),  # a bias
        (nn.Conv2d(4, 4, 5, padding=2, groups=2, bias=False), 4, False),  # groups of two channels
        (nn.Conv2d(4, 8, 5, padding=2, groups=4, bias=False), 4, False),  # two filters a channel
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, bias=False), 2, False),
        (nn.Conv2d(4, 4, 5, padding="same", groups=4, bias=False), 4, False),
    ],
)
def test_only_convolutions_that_profit_are_replaced(layer: nn.Conv2d, size: int, replaced: bool) -> None:
    with fast_depthwise(CPU):
        out = layer(torch.randn(2, 4, size, size))
    assert (out.grad_fn is not None and out.grad_fn.name() == "_DepthwiseBackward") == replaced


def test_nothing_is_replaced_without_gradients_or_outside() -> None:
    layer = nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False)
    pictures = torch.randn(2, 4, 3, 3)
    assert layer(pictures).grad_fn.name() != "_DepthwiseBackward"
    with fast_depthwise(CPU), torch.no_grad():
        assert layer(pictures).grad_fn is None


def test_a_training_takes_this_way() -> None:
    layer, seen = nn.Conv2d(2, 2, 5, padding=2, groups=2, bias=False), []

    def accumulate(images: Tensor, labels: Tensor, rng: np.random.Generator) -> float:
        out = layer(images.float())
        seen.append(out.grad_fn.name())
        loss = out.square().mean()
        loss.backward()
        return float(loss)

    images, labels = np.ones((4, 2, 3, 3), dtype=np.uint8), np.zeros(4, dtype=np.int64)
    Trainer(layer, Recipe(1, 1e-3, batch_size=2), images, labels, CPU, 0).run(accumulate)
    assert seen == ["_DepthwiseBackward"] * 2
