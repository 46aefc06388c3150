import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest

from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.pareto import ParetoFront, Reference, non_dominated
from nas.core.trial import Trial
from search_spaces.core.errors import FitnasError, NotFound

MakeTrial = Callable[..., Trial]
TWO = parse_objectives("accuracy,macs")
KEYS = ["accuracy", "macs", "params", "sram", "flash"]


def brute_force(values: np.ndarray) -> list[bool]:
    """By the definition: no other row at least as good everywhere and better somewhere, no equal row before."""
    kept = []
    for i, row in enumerate(values):
        dominated = any((other <= row).all() and (other < row).any() for other in values)
        kept.append(not dominated and not any((other == row).all() for other in values[:i]))
    return kept


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5])
def test_non_dominated_equals_brute_force(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    for levels in (2, 4, 1000):  # few levels give ties and equal rows
        values = rng.integers(0, levels, (60, dimensions)).astype(float)
        assert non_dominated(values).tolist() == brute_force(values)


def test_nan_and_infinities_are_never_kept_and_dominate_nothing() -> None:
    values = np.array([[np.nan, 0], [-np.inf, -np.inf], [1, 1], [np.inf, 0], [0, 2]])
    assert non_dominated(values).tolist() == [False, False, True, False, True]
    assert non_dominated([[np.nan]]).tolist() == [False]


def test_no_rows_give_no_mask() -> None:
    assert non_dominated(np.empty((0, 2))).shape == (0,)
    with pytest.raises(ValueError, match="shape"):
        non_dominated([1.0, 2.0])


def test_a_front_is_sorted_best_first_and_keeps_the_lowest_number_of_equals(make_trial: MakeTrial) -> None:
    trials = [
        make_trial(4, top1=0.9, macs=9),
        make_trial(3, top1=0.9, macs=9),
        make_trial(2, top1=0.5, macs=1),
        make_trial(1, top1=0.7, macs=9),
        make_trial(0, "failed", top1=1.0, macs=0),
    ]
    front = ParetoFront(trials, TWO)
    assert [t.number for t in front] == [3, 2]
    assert len(front) == 2
    np.testing.assert_array_equal(front.values, [[0.9, 9], [0.5, 1]])
    assert front.best().number == 3


def test_the_front_equals_brute_force_on_random_trials(make_trial: MakeTrial) -> None:
    rng = np.random.default_rng(1)
    table = rng.integers(0, 6, (80, 2))
    trials = [make_trial(i, top1=a / 5, macs=int(b)) for i, (a, b) in enumerate(table)]
    expected = {i for i, kept in enumerate(brute_force(table * [-1, 1])) if kept}
    order = rng.permutation(len(trials))
    assert {t.number for t in ParetoFront([trials[i] for i in order], TWO)} == expected


def test_trials_over_budget_or_without_a_metric_are_left_out(make_trial: MakeTrial) -> None:
    trials = [
        make_trial(0, top1=0.9, macs=100, peak_sram_bytes=2000),
        make_trial(1, top1=0.8, macs=100, peak_sram_bytes=1024),
        make_trial(2, top1=0.95, macs=100),
        make_trial(3, macs=1, peak_sram_bytes=1),
        make_trial(4, top1=0.1, macs=1, peak_sram_bytes=1),
    ]
    budget = Budget.parse("sram=1k,accuracy=50%")
    assert [t.number for t in ParetoFront(trials, TWO, budget=budget)] == [1]


def test_hypervolume_by_hand(make_trial: MakeTrial) -> None:
    box = Reference(ideal=(1.0, 0.0), worst=(0.0, 100.0))
    half = make_trial(0, top1=0.5, macs=50)
    good = make_trial(1, top1=0.8, macs=80)
    assert ParetoFront([half], TWO, box).hypervolume == pytest.approx(0.25)
    assert ParetoFront([half, good], TWO, box).hypervolume == pytest.approx(0.25 + 0.16 - 0.10)
    assert ParetoFront([make_trial(2, top1=1.0, macs=0)], TWO, box).hypervolume == 1.0
    assert ParetoFront([], TWO, box).hypervolume == 0.0


def test_the_hypervolume_ignores_units_and_stays_within_0_and_1(make_trial: MakeTrial) -> None:
    box = Reference(ideal=(1.0, 1e6), worst=(0.1, 3e6))
    beyond = make_trial(0, top1=0.9, macs=3_000_001)
    chance = make_trial(1, top1=0.05, macs=1e6)
    better = make_trial(2, top1=1.0, macs=5)
    inside = make_trial(3, top1=0.55, macs=2e6)
    assert ParetoFront([beyond, chance], TWO, box).hypervolume == 0.0
    assert ParetoFront([beyond, chance, inside], TWO, box).hypervolume == pytest.approx(0.25)
    assert ParetoFront([better], TWO, box).hypervolume == 1.0


def test_an_objective_without_room_takes_no_part(make_trial: MakeTrial) -> None:
    box = Reference(ideal=(1.0, 7.0), worst=(0.0, 7.0))
    assert ParetoFront([make_trial(0, top1=0.5, macs=7)], TWO, box).hypervolume == 0.5
    assert ParetoFront([make_trial(0, top1=0.5, macs=8)], TWO, box).hypervolume == 0.0


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5])
def test_hypervolume_equals_inclusion_and_exclusion(dimensions: int, make_trial: MakeTrial) -> None:
    rng = np.random.default_rng(dimensions)
    objectives = parse_objectives(",".join(KEYS[:dimensions]))
    points = rng.random((6, dimensions))  # normalised: 0 is ideal
    raw = points.copy()
    raw[:, 0] = 1 - raw[:, 0]
    trials = [
        make_trial(i, **{o.column: float(v) for o, v in zip(objectives, row, strict=True)}) for i, row in enumerate(raw)
    ]
    box = Reference((1.0, *[0.0] * (dimensions - 1)), (0.0, *[1.0] * (dimensions - 1)))
    expected = 0.0
    for size in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, size):
            expected -= (-1) ** size * np.prod(1 - np.max(chosen, axis=0))
    assert ParetoFront(trials, objectives, box).hypervolume == pytest.approx(expected, rel=1e-12)


def test_the_knee_is_the_farthest_from_the_line_between_the_ends(make_trial: MakeTrial) -> None:
    # Scaled to the front's own range, (1 - top1, macs): (0, 1), (0.1, 0.3), (0.5, 0.2), (1, 0).
    points = [(0.9, 1000), (0.86, 300), (0.7, 200), (0.5, 0)]
    trials = [make_trial(i, top1=a, macs=m) for i, (a, m) in enumerate(points)]
    assert ParetoFront(trials, TWO).knee().number == 1
    stretched = [make_trial(i, top1=a, macs=m * 1000 + 7) for i, (a, m) in enumerate(points)]
    assert ParetoFront(stretched, TWO).knee().number == 1


def test_the_knee_of_small_straight_and_hollow_fronts_is_the_best_first_objective(make_trial: MakeTrial) -> None:
    for points in ([(0.9, 5)], [(0.9, 5), (0.5, 1)], [(0.9, 3), (0.6, 2), (0.3, 1)], [(0.9, 3), (0.4, 2.9), (0.3, 1)]):
        trials = [make_trial(i, top1=a, macs=m) for i, (a, m) in enumerate(points)]
        assert ParetoFront(trials, TWO).knee().number == 0


def test_the_knee_of_three_objectives(make_trial: MakeTrial) -> None:
    objectives = parse_objectives("accuracy,macs,sram")
    corners = [(1.0, 10, 10), (0.0, 0, 10), (0.0, 10, 0), (0.7, 3, 3)]
    trials = [make_trial(i, top1=a, macs=m, peak_sram_bytes=s) for i, (a, m, s) in enumerate(corners)]
    assert ParetoFront(trials, objectives).knee().number == 3


def test_best_breaks_ties_by_the_other_objectives(make_trial: MakeTrial) -> None:
    trials = [make_trial(0, top1=0.9, macs=5), make_trial(1, top1=0.9, macs=4), make_trial(2, top1=0.9, macs=4)]
    assert ParetoFront(trials, TWO).best().number == 1
    one = parse_objectives("accuracy")
    assert [t.number for t in ParetoFront(trials, one)] == [0]


def test_an_empty_front_says_so() -> None:
    front = ParetoFront([], TWO)
    assert len(front) == 0
    assert front.values.shape == (0, 2)
    for pick in (front.best, front.knee):
        with pytest.raises(NotFound, match="front is empty"):
            pick()


def test_wrong_references_are_refused() -> None:
    with pytest.raises(ValueError, match="reference has 1"):
        ParetoFront([], TWO, Reference((1.0,), (0.0,)))
    with pytest.raises(ValueError, match="worse than its worst"):
        ParetoFront([], TWO, Reference((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(ValueError, match="finite"):
        Reference((1.0,), (float("nan"),))
    with pytest.raises(ValueError, match="finite"):
        Reference((1.0,), (0.0, 1.0))
    with pytest.raises(ValueError, match="reference box"):
        _ = ParetoFront([], TWO).hypervolume
    with pytest.raises(ValueError, match="one objective"):
        ParetoFront([], [])


def test_a_reference_survives_json() -> None:
    box = Reference((1, 0.1 + 0.2), (0.0, 1e30))
    assert Reference.from_json(box.to_json()) == box
    for text in ("", "{}", "[1]", '{"ideal": 3, "worst": 4}', '{"ideal": ["x"], "worst": [1]}'):
        with pytest.raises(FitnasError, match="damaged"):
            Reference.from_json(text)


def test_to_dict_is_plain_json(make_trial: MakeTrial) -> None:
    box = Reference((1.0, 0.0), (0.0, 10.0))
    trials = [make_trial(0, top1=0.5, macs=5), make_trial(1, top1=0.9, macs=10)]
    document = json.loads(json.dumps(ParetoFront(trials, TWO, box).to_dict(), allow_nan=False))
    assert [o["metric"] for o in document["objectives"]] == ["accuracy", "macs"]
    assert document["reference"] == {"ideal": [1, 0], "worst": [0, 10]}
    assert document["hypervolume"] == pytest.approx(0.25)
    assert (document["best"], document["knee"]) == (1, 1)
    assert [Trial.from_dict(t) for t in document["trials"]] == [trials[1], trials[0]]
    empty = ParetoFront([], TWO).to_dict()
    assert (empty["hypervolume"], empty["best"], empty["trials"]) == (None, None, [])
