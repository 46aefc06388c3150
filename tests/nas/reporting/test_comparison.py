import pytest

from nas.core.pareto import Reference
from nas.reporting.comparison import common_reference, comparison
from nas.reporting.run_view import RunView
from search_spaces.core.errors import WrongUse


def test_one_box_for_all(make_run):
    first, second = make_run("a"), make_run("b", seed=1, budget="sram=32k")
    found = comparison([first, second])
    assert found["not_comparable"] == []
    box = Reference(tuple(found["reference"]["ideal"]), tuple(found["reference"]["worst"]))
    assert box == common_reference([first.reference, second.reference], RunView.of(first))
    for row, run in zip(found["runs"], (first, second), strict=True):
        assert row["front"] == len(run.pareto)
        assert row["best"]["id"] == run.best().architecture.id
        assert 0 < row["common_hypervolume"] <= 1
    assert found["differences"]["seed"] == {"a": 0, "b": 1}
    assert set(found["differences"]) == {"seed", "budget"}


def test_a_run_against_its_own_copy(make_run):
    found = comparison([make_run("a"), make_run("b")])
    assert found["coverage"] == {"a": {"b": 1.0}, "b": {"a": 1.0}}
    assert len({row["common_hypervolume"] for row in found["runs"]}) == 1
    assert found["differences"] == {}


def test_coverage_counts_what_is_dominated(make_run):
    found = comparison([make_run("small", trials=2), make_run("large", trials=40)])
    assert found["coverage"]["large"]["small"] == 1.0  # the same first two networks
    assert found["coverage"]["small"]["large"] < 1


def test_the_common_box_holds_every_box(make_run):
    view = RunView.of(make_run())
    joined = common_reference([Reference((0.9, 10), (0.1, 100)), Reference((1.0, 20), (0.2, 200))], view)
    assert joined == Reference((1.0, 10), (0.1, 200))


@pytest.mark.parametrize(
    ("options", "said"),
    [({"objectives": "accuracy,params"}, "objectives differ"), ({"data_hash": "1" * 16}, "data differ")],
)
def test_what_may_not_be_compared_is_said(make_run, options, said):
    found = comparison([make_run("a"), make_run("b", **options)])
    assert any(said in reason for reason in found["not_comparable"])
    assert found["reference"] is None
    assert found["runs"][0]["common_hypervolume"] is None


def test_an_empty_front_covers_nothing(make_run):
    found = comparison([make_run("a"), make_run("b", trials=3, failed=3)])
    assert found["coverage"] == {"a": {"b": None}, "b": {"a": 0.0}}


def test_two_different_runs_are_needed(make_run):
    run = make_run()
    for runs in ([run], [run, run]):
        with pytest.raises(WrongUse, match="two different runs"):
            comparison(runs)
