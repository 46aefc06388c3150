"""Where everything of the space stands: the choices (columns of the matrix), and the channels that their options give.

Channels are those of OFA's code: multiples of 8, of the stem `make_divisible(base x width)` and half of that, of a
stage's blocks `make_divisible(base x width)`, inside a block `make_divisible(round(out x expansion))`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.choice import Choice
from search_spaces.core.layer_table import IntArray
from search_spaces.core.rounding import make_divisible
from search_spaces.resnet.settings import BASES, Base

WIDTHS = (0.65, 0.8, 1.0)
EXPANSIONS = (0.2, 0.25, 0.35)
MORE_BLOCKS = (0, 1, 2)
STEM_CONVS = (2, 3)
RESOLUTION, CONVS, STEM_MID, STEM_WIDTH, _FIRST_OF_STAGES = range(5)


@dataclass(frozen=True)
class StagePlace:
    """One stage; `depth`, `width` and, of each of its blocks, `expansions` are columns of the population's matrix.

    `channels` `(widths,)` of its blocks' outputs, `mids` `(widths, expansions)` inside them; `fewest` blocks.
    """

    name: str
    fewest: int
    stride: int
    depth: int
    width: int
    expansions: tuple[int, ...]
    channels: IntArray
    mids: IntArray

    def blocks(self) -> list[str]:
        """The names of all its blocks."""
        return [f"{self.name}.b{index + 1}" for index in range(len(self.expansions))]


class Layout:
    """All networks over one base: the choices in matrix order, the stem's channels by width, the stages in order."""

    def __init__(self, base: Base, resolutions: tuple[int, ...]) -> None:
        self.base = base
        self.stem_out = _channels(base.stem)
        self.stem_mid: IntArray = np.array([make_divisible(out // 2) for out in self.stem_out], dtype=np.int32)
        choices = [
            Choice("resolution", resolutions),
            Choice("stem.convs", STEM_CONVS),
            Choice("stem.mid_width", WIDTHS),
            Choice("stem.width", WIDTHS),
        ]
        stages = []
        for number, (channels, fewest, stride) in enumerate(
            zip(base.stages, base.depths, base.strides, strict=True), start=1
        ):
            place = _stage(f"s{number}", len(choices), fewest, stride, channels)
            choices.append(Choice(f"{place.name}.depth", tuple(fewest + more for more in MORE_BLOCKS)))
            choices.append(Choice(f"{place.name}.width", WIDTHS))
            choices += [Choice(f"{block}.expansion", EXPANSIONS) for block in place.blocks()]
            stages.append(place)
        self.choices, self.stages = tuple(choices), tuple(stages)

    def first_equal(self) -> list[tuple[int, NDArray[np.int16]]]:
        """For each width column the first option with the same channels: rounding to 8 makes some equal."""
        of_stem = ((STEM_MID, self.stem_mid), (STEM_WIDTH, self.stem_out))
        of_stages = ((stage.width, stage.channels) for stage in self.stages)
        return [(column, _first_equal(channels)) for column, channels in (*of_stem, *of_stages)]


def layout_of(base: str, resolutions: tuple[int, ...]) -> Layout:
    """The layout over the base of that name."""
    return Layout(BASES[base], resolutions)


def first_equal_mids(stage: StagePlace) -> NDArray[np.int16]:
    """`(widths, expansions)`: the first expansion with as many channels inside a block of that width."""
    return np.stack([_first_equal(mids) for mids in stage.mids])


def _stage(name: str, column: int, fewest: int, stride: int, base_channels: int) -> StagePlace:
    channels = _channels(base_channels)
    mids = [[make_divisible(round(int(out) * expansion)) for expansion in EXPANSIONS] for out in channels]
    most = fewest + MORE_BLOCKS[-1]
    expansions = tuple(range(column + 2, column + 2 + most))
    return StagePlace(name, fewest, stride, column, column + 1, expansions, channels, np.array(mids, dtype=np.int32))


def _channels(base: int) -> IntArray:
    return np.array([make_divisible(base * width) for width in WIDTHS], dtype=np.int32)


def _first_equal(channels: IntArray) -> NDArray[np.int16]:
    listed = channels.tolist()
    return np.array([listed.index(value) for value in listed], dtype=np.int16)
