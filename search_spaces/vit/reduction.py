"""Where the map of tokens is halved: ViT-ResNAS's residual spatial reduction (arXiv 2109.00642) as a choice.

The published networks have three stages of equal depth with a reduction between each two. Here each of the two places
is taken or not, so that a plain transformer stays a member. Tokens keep their channels, where the published networks
double them: in AutoFormer's spaces one width holds for all layers, and a layer's shared weights serve on both sides.

A map of h x w tokens has ceil(h / 2) x ceil(w / 2) behind a reduction. An odd side is no obstacle, one of fewer than
three tokens is: behind the first reduction it has one token, and the second would reduce nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.choice import Choice

FEWEST_TOKENS = 3
# which of the two places are taken, few tokens first: behind a third and behind two thirds of the layers, rounded down
PLACES = {"both": (True, True), "third": (True, False), "two_thirds": (False, True), "none": (False, False)}
CHOICE = Choice("reduction", tuple(PLACES))


def places_of(option: int, depth: int) -> list[int]:
    """Behind how many of `depth` layers the tokens are reduced, for the option at that index.

    >>> [places_of(option, 13) for option in range(4)]
    [[4, 8], [4], [8], []]
    """
    return [part * depth // 3 for part, taken in enumerate(PLACES[str(CHOICE.options[option])], start=1) if taken]


def reduced_behind(layer: int, option: NDArray[Any], depth: NDArray[Any]) -> NDArray[np.bool_]:
    """Which networks `(n,)` reduce their tokens behind their first `layer` layers."""
    taken = np.array(list(PLACES.values()))[option]
    first, second = ((part * depth // 3 == layer) & taken[:, part - 1] for part in (1, 2))
    result: NDArray[np.bool_] = first | second
    return result


def check_map(size: tuple[int, int], patch: int) -> None:
    """`ValueError` where a map (high, wide) in patches of so many pixels cannot be halved twice."""
    if min(size) < FEWEST_TOKENS:
        raise ValueError(
            f"reduction halves the map of tokens twice and needs at least {FEWEST_TOKENS} a side; patches of {patch} "
            f"pixels make {size[0]}x{size[1]}; take a resolution of {FEWEST_TOKENS * patch} or more, smaller patches, "
            "or reduction=false"
        )
