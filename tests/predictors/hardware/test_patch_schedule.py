"""What a search of patch schedules rules out is never the one to take."""

import numpy as np
import pytest

from predictors.hardware.layerwise import Layerwise
from predictors.hardware.memory import memory_rule, runtime_names
from predictors.hardware.patch_schedule import GRIDS, Chosen, PatchSchedules
from search_spaces.core.space import SearchSpace
from search_spaces.mcunetv2.space import Mcunetv2
from search_spaces.tinynet.space import Tinynet


def schedules_of(space: SearchSpace, runtime: str) -> PatchSchedules:  # type: ignore[type-arg]
    table = space.decode(space.sample(np.random.default_rng(1), 40))
    return PatchSchedules(Layerwise.of(table, memory_rule(runtime), count_input=True))


@pytest.mark.parametrize("runtime", runtime_names())
def test_no_peak_is_below_its_bounds(runtime: str) -> None:
    schedules = schedules_of(Mcunetv2.configured({"resolutions": "50,96"}, None), runtime)
    for slot in schedules.split_slots():
        rows = np.flatnonzero(schedules.splits[slot])
        stage = schedules.stage(slot, rows)
        for grid in GRIDS:
            peak = stage.peak(grid)
            assert (stage.macs_at_least(grid) <= stage.macs(grid)).all()
            assert (stage.at_least(grid) <= peak).all()
            assert (schedules.at_least(slot)[rows] <= peak).all()


def test_what_lies_behind_the_last_split_is_not_looked_at() -> None:
    """An operator that needs the whole map stands in EfficientNet's first block."""
    schedules = schedules_of(Tinynet.configured({"resolutions": "64,96"}, None), "analytic")
    assert [schedules.table.slot_names[slot] for slot in schedules.split_slots()] == ["stem"]
    assert schedules.table.slots == 1


def test_equal_schedules_are_ordered_in_whatever_order_they_come() -> None:
    """(patches, split) from the best to the worst: layer by layer, the earlier split, the smaller grid."""
    ordered = [(1, 0), (2, 1), (4, 1), (3, 2)]
    for by_macs in (False, True):
        for first, second in [(0, 1), (1, 2), (2, 3), (0, 3), (1, 3)]:
            for now, new in [(first, second), (second, first)]:
                best, candidate = (equal_figures(*ordered[place]) for place in (now, new))
                best.take_if_better(np.array([0]), candidate, by_macs)
                assert (best.patches[0], best.split[0]) == ordered[first]


def equal_figures(patches: int, split: int) -> Chosen:
    return Chosen(np.array([10.0]), np.array([20.0]), np.array([patches]), np.array([split]))
