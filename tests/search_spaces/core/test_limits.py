import numpy as np
import pytest

from predictors.core.metric import METRICS
from search_spaces.core.limits import FLOORS, between, first_within, within


def test_floors_are_the_metrics_of_which_more_is_better() -> None:
    assert {metric.column for metric in METRICS.values() if metric.better == "more"} == FLOORS


def test_ceilings_and_floors_hold_the_limit_itself_and_unknown_columns_are_left_out() -> None:
    columns = {"params": np.array([1, 2, 3]), "images_per_second": np.array([9.0, 5.0, 5.0])}
    assert within(columns, {"params": 2, "images_per_second": 5.0, "top1": 0.9}).tolist() == [True, True, False]
    assert within(columns, {"images_per_second": 6.0}).tolist() == [True, False, False]


def test_steps_between_are_in_equal_ratios() -> None:
    steps = [between(80.0, 10.0, share / 3) for share in range(4)]
    assert steps == pytest.approx([80, 40, 20, 10])


@pytest.mark.parametrize("count", [0, 1, 2, 7, 60])
def test_the_first_is_found_by_few_questions(count: int) -> None:
    for first in range(count + 1):
        asked = []
        found = first_within(count, lambda place, first=first, asked=asked: asked.append(place) or place >= first)
        assert found == first
        assert len(asked) <= 1 + count.bit_length()
