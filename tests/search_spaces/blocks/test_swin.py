"""Windows, shifts and maps of Swin transformers; what cannot be built."""

from typing import Any

import pytest
import torch

from search_spaces.blocks.swin import APART, SwinNetwork, distances, padded, shift_mask


def block(**more: Any) -> dict[str, Any]:
    return {"heads": 2, "head_dim": 4, "mlp": 16, "window": [2, 2], "shift": [0, 0], **more}


def network(*blocks: dict[str, Any], pixels: tuple[int, int] = (16, 16), **more: Any) -> SwinNetwork:
    patch: Any = {"out": 8, "kernel": 4}
    return SwinNetwork([3, *pixels], patch, list(blocks), 5, **more)  # type: ignore[arg-type]


def test_pairs_of_equal_distance_share_a_bias() -> None:
    """A window of 2 x 2: seen from the first token, others lie to the right, below, and across."""
    assert distances(2, 2).tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]
    assert len(set(distances(3, 2).flatten().tolist())) == 5 * 3


def test_a_shift_keeps_the_ends_of_the_map_apart() -> None:
    """A map of 1 x 4 in windows of two, shifted by one: the second window holds the last token and the first."""
    mask = shift_mask((1, 4), (1, 2), (0, 1))
    assert mask is not None
    assert mask.tolist() == [[[0, 0], [0, 0]], [[0, APART], [APART, 0]]]
    assert shift_mask((4, 4), (2, 2), (0, 0)) is None


@torch.no_grad()
def test_a_token_sees_its_own_window_alone() -> None:
    """Of 4 x 4 tokens the first one, in windows of 2 x 2, then in windows that begin a token further."""
    for shift, seen in (([0, 0], {0, 1, 4, 5}), ([1, 1], {0})):
        torch.manual_seed(0)
        (one,) = network(block(shift=shift)).blocks
        x = torch.randn(1, 16, 8)
        before = one(x)[0, 0]
        touched = set()
        for token in range(16):
            other = x.clone()
            other[0, token] = torch.randn(8)
            if not torch.allclose(one(other)[0, 0], before, atol=1e-6):
                touched.add(token)
        assert touched == seen


def test_zeros_stand_below_and_to_the_right() -> None:
    grid = padded(torch.ones(1, 3, 4, 2), (3, 4), (2, 3))
    assert grid.shape == (1, 4, 6, 2)
    assert grid[:, :3, :4].eq(1).all()
    assert grid.sum() == 3 * 4 * 2
    whole = torch.ones(1, 2, 3, 1)
    assert padded(whole, (2, 3), (2, 3)) is whole


def test_widths_and_maps() -> None:
    built = network(block(), block(merge=16), block(merge=24), pixels=(20, 12))
    assert built.widths == [8, 8, 16, 24]
    assert [each.size for each in built.blocks] == [(5, 3), (3, 2), (2, 1)]
    assert built(torch.zeros(2, 3, 20, 12)).shape == (2, 5)


@pytest.mark.parametrize(
    ("blocks", "more", "said"),
    [
        ([block(shift=[0, 2])], {}, "block 1: windows of"),
        ([block()], {"pixels": (16, 3)}, "has no patch of 4"),
        ([block()], {"stitches": [{"after": 2, "out": 8}]}, "from 1 to 1; got"),
        ([block()] * 3, {"stitches": [{"after": 2, "out": 8}, {"after": 1, "out": 8}]}, "rising blocks"),
    ],
)
def test_what_cannot_be_built(blocks: list[dict[str, Any]], more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network(*blocks, **more)
