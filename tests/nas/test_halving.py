"""Who trains on beyond a rung: known answers."""

import pytest

from nas.core.fidelity import Fidelity
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.halving import Halving
from tests.nas.toy_space import ToySpace

RUNGS = Fidelity((1, 4, 8))
SPACE = ToySpace()
ANY = SPACE.extremes()[0]


def trial(number: int, macs: int, **rungs: float) -> Trial:
    return Trial(number, ANY, "complete", {"macs": macs, **rungs})


def test_the_last_rung_ends() -> None:
    halving = Halving(RUNGS, parse_objectives("accuracy"))
    assert not halving.goes_on({"epochs": 8, "top1": 0.9, "top1_after_8": 0.9}, [], 0)


def test_with_nobody_to_be_compared_with_a_share_goes_on_by_number() -> None:
    """The ends of the front, a quarter from 1 to 4 epochs, an eighth to 8, whatever they score."""
    halving = Halving(RUNGS, parse_objectives("accuracy"))
    first = [n for n in range(17) if halving.goes_on({"epochs": 1, "top1_after_1": 0.1}, [], n)]
    second = [n for n in range(17) if halving.goes_on({"epochs": 4, "top1_after_4": 0.1}, [], n)]
    assert (first, second) == ([0, 1, 4, 8, 12, 16], [0, 1, 8, 16])


def test_a_quarter_goes_on_from_one_to_four_epochs() -> None:
    halving = Halving(RUNGS, parse_objectives("accuracy"))
    peers = [
        trial(number, 1, top1_after_1=accuracy) for number, accuracy in enumerate((0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99))
    ]
    # eight with the new one, of which two go on
    assert halving.goes_on({"epochs": 1, "top1_after_1": 0.97}, peers, 9)
    assert not halving.goes_on({"epochs": 1, "top1_after_1": 0.94}, peers, 9)


def test_cheap_networks_count_by_their_front_not_by_accuracy_alone() -> None:
    halving = Halving(RUNGS, parse_objectives("accuracy,macs"))
    peers = [trial(number, 1000, top1_after_1=0.90 + number / 1000) for number in range(6)]
    assert halving.goes_on({"epochs": 1, "top1_after_1": 0.5, "macs": 10}, peers, 9)
    assert not halving.goes_on({"epochs": 1, "top1_after_1": 0.5, "macs": 1000}, peers, 9)


def test_only_trials_that_reached_the_rung_are_compared() -> None:
    halving = Halving(RUNGS, parse_objectives("accuracy"))
    peers = [trial(0, 1, top1_after_1=0.9), trial(1, 1, top1_after_1=0.9, top1_after_4=0.5)]
    assert halving.goes_on({"epochs": 4, "top1_after_4": 0.6}, peers, 9)
    assert not halving.goes_on({"epochs": 4, "top1_after_4": 0.4}, peers, 9)


def test_no_accuracy_goes_nowhere() -> None:
    halving = Halving(RUNGS, parse_objectives("accuracy"))
    assert not halving.goes_on({"epochs": 1, "top1_after_1": float("nan")}, [trial(0, 1, top1_after_1=0.2)], 9)


@pytest.mark.parametrize("failed", [{}, {"macs": 3.0}])
def test_failed_peers_are_passed_over(failed: dict[str, float]) -> None:
    halving = Halving(RUNGS, parse_objectives("accuracy"))
    assert halving.goes_on({"epochs": 1, "top1_after_1": 0.1}, [Trial(0, ANY, "failed", failed, error="x")], 8)
