"""Ghost modules and bottlenecks: counts by hand, shapes, what is a ghost of what."""

from typing import Any

import pytest
import torch

from search_spaces.blocks.ghost import GhostBottleneck, GhostModule


def block(inside: int, out: int, **changes: Any) -> Any:
    return {"in": inside, "mid": 12, "out": out, "kernel": 5, "stride": 1, "squeeze": 0, **changes}


def parameters(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def ghost(inside: int, out: int) -> int:
    return (inside * out // 2 + out) + (9 * out // 2 + out)


def test_parameters_counted_by_hand() -> None:
    assert parameters(GhostModule(4, 10)) == ghost(4, 10)
    assert parameters(GhostBottleneck(block(8, 8))) == ghost(8, 12) + ghost(12, 8)
    around = (8 * 25 + 2 * 8) + (8 * 6 + 2 * 6)
    assert parameters(GhostBottleneck(block(8, 6))) == ghost(8, 12) + ghost(12, 6) + around
    inside = (12 * 25 + 2 * 12) + (12 * 3 + 3) + (3 * 12 + 12)
    strided = block(8, 6, stride=2, squeeze=3)
    assert parameters(GhostBottleneck(strided)) == ghost(8, 12) + inside + ghost(12, 6) + around


def test_the_second_half_are_ghosts_of_the_first() -> None:
    module = GhostModule(3, 8).eval()
    x = torch.randn(2, 3, 5, 7)
    with torch.no_grad():
        y = module(x)
        assert torch.equal(y[:, :4], module.primary(x))
        assert torch.equal(y[:, 4:], module.cheap(y[:, :4]))
        assert (y >= 0).all()
        assert (GhostModule(3, 8, linear=True).eval()(x) < 0).any()


def test_where_shapes_allow_the_input_is_added_as_it_is() -> None:
    part = GhostBottleneck(block(8, 8)).eval()
    for module in (part.narrow.primary[0], part.narrow.cheap[0]):
        torch.nn.init.zeros_(module.weight)
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(part(x), x)


@pytest.mark.parametrize("side", [6, 7])
def test_a_stride_halves_the_side_rounded_up(side: int) -> None:
    part = GhostBottleneck(block(8, 6, stride=2)).eval()
    assert part(torch.zeros(1, 8, side, side)).shape == (1, 6, -(-side // 2), -(-side // 2))


def test_an_odd_number_of_channels_has_no_half() -> None:
    with pytest.raises(ValueError, match="even; got 7"):
        GhostModule(4, 7)
