import numpy as np
import pytest

from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.reporting.history import hypervolume_history
from search_spaces.core.architecture import Architecture

OBJECTIVES = parse_objectives("accuracy,macs")
BOX = Reference((1.0, 0.0), (0.0, 100.0))


def trial(number, top1, macs, state="complete", seconds=2.0):
    metrics = {"macs": macs} if top1 is None else {"top1": top1, "macs": macs}
    return Trial(number, Architecture("toy", {}, {"number": number}), state, metrics, seconds=seconds)


def test_steps_of_a_known_run():
    trials = [
        trial(0, None, 10, "failed"),
        trial(1, 0.5, 50),  # 0.5 x 0.5
        trial(2, 0.4, 60),  # dominated
        trial(3, 0.9, 200),  # over budget
        trial(4, 1.0, 50),  # 1.0 x 0.5
        trial(5, 0.1, 99),
    ]
    grown = hypervolume_history(trials, OBJECTIVES, BOX, Budget.parse("macs=100"))
    assert grown.evaluations.tolist() == [0, 2, 5, 6]
    assert grown.volumes.tolist() == pytest.approx([0, 0.25, 0.5, 0.5])
    assert grown.seconds.tolist() == [0, 4, 10, 12]


def test_the_last_volume_is_that_of_the_front():
    rng = np.random.default_rng(0)
    trials = [trial(n, float(rng.uniform()), float(rng.uniform(1, 100))) for n in range(300)]
    grown = hypervolume_history(trials, OBJECTIVES, BOX, Budget())
    assert grown.volumes[-1] == ParetoFront(trials, OBJECTIVES, BOX).hypervolume
    assert (np.diff(grown.volumes) >= 0).all()


def test_very_many_changes_are_thinned_out():
    trials = [trial(n, 0.1 + n / 1000, 50) for n in range(800)]
    grown = hypervolume_history(trials, OBJECTIVES, BOX, Budget())
    assert len(grown.evaluations) <= 402
    assert grown.volumes[-1] == ParetoFront(trials, OBJECTIVES, BOX).hypervolume


def test_no_trials():
    assert hypervolume_history([], OBJECTIVES, BOX, Budget()).volumes.tolist() == [0.0]
