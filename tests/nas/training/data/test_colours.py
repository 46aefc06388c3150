import itertools

import pytest
import torch

from nas.torchvision_door import v2
from nas.training.data.colours import blended, flipped, varied_colours


def pictures(count: int = 6) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 9, 7), dtype=torch.uint8, generator=numbers)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_each_picture_comes_out_as_from_torchvision(order: tuple[int, ...]) -> None:
    """Ours rounds once, torchvision after each of the three: a unit each way and step."""
    images = pictures()
    factors = torch.linspace(0.8, 1.2, 18).reshape(3, 6, 1, 1, 1)
    adjust = (v2.functional.adjust_brightness, v2.functional.adjust_contrast, v2.functional.adjust_saturation)
    for index, found in enumerate(blended(images, factors, list(order))):
        expected = images[index]
        for which in order:
            expected = adjust[which](expected, float(factors[which, index]))
        assert (found.int() - expected.int()).abs().max() <= 3


def test_a_factor_of_one_changes_nothing_but_rounding() -> None:
    images = pictures()
    assert (blended(images, torch.ones(3, 6, 1, 1, 1), [2, 0, 1]).int() - images.int()).abs().max() <= 1


def test_brightness_within_a_fifth() -> None:
    torch.manual_seed(0)
    flat = torch.full((500, 3, 4, 4), 100, dtype=torch.uint8)
    found = varied_colours(flat).float().mean(dim=(1, 2, 3))
    assert 79 <= found.min() < 84
    assert 116 < found.max() <= 120


def test_half_of_the_pictures_are_turned_round() -> None:
    torch.manual_seed(0)
    images = pictures(400)
    turned = (flipped(images) == images.flip(3)).flatten(1).all(dim=1)
    kept = (flipped(images) == images).flatten(1).all(dim=1)
    assert 0.4 < turned.float().mean() < 0.6
    assert 0.4 < kept.float().mean() < 0.6
