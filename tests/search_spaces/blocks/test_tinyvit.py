"""TinyViT networks that cannot be, and the numbers of distances inside a window."""

from typing import Any

import pytest
import torch

from search_spaces.blocks.tinyvit import TinyVitNetwork, WindowAttention


def network(pixels: int = 64, **changes: Any) -> TinyVitNetwork:
    first = {"dim": 8, "depth": 1, "heads": 0, "window": 0, "mlp": 0}
    rest = [{"dim": 8, "depth": 1, "heads": 2, "window": window, "mlp": 16} for window in (8, 4, 2)]
    rest[0] |= changes
    return TinyVitNetwork([3, pixels, pixels], [first, *rest], 2, classes=5)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 3}, "stage 2: 8 channels are no multiple of 3 heads"),
        ({"window": 16}, "stage 2: windows of 16 do not tile its map of 8x8"),
        ({"window": 3}, "stage 2: windows of 3 do not tile its map of 8x8"),
        ({"pixels": 72}, "stage 2: windows of 8 do not tile its map of 9x9"),
    ],
)
def test_what_does_not_divide_or_tile(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network(**changes)


def test_pairs_of_equal_distance_share_a_bias() -> None:
    """A window of 2x2: itself, beside, below, across."""
    places = WindowAttention(4, 1, 2).places
    assert places.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    assert network()(torch.zeros(1, 3, 64, 64)).shape == (1, 5)
