import numpy as np
import pytest

from nas.reporting.figures import confusion, figures, most_confused
from nas.reporting.parallel import MOST_CHOICES, parallel_axes
from nas.reporting.run_view import RunView, TrainedMember


@pytest.fixture(scope="session")
def drawn(plain_run):
    return figures(RunView.of(plain_run))


def traces(figure):
    return {trace.name.split(" (")[0]: trace for trace in figure.data}


def test_a_figure_for_each_objective_and_limited_metric(drawn):
    assert list(drawn) == [
        "front", "front peak_sram_bytes", "front flash_bytes", "hypervolume", "parallel", "resources"
    ]  # fmt: skip


def test_the_front_is_the_run_s(drawn, plain_run):
    named = traces(drawn["front"])
    front = sorted(plain_run.pareto, key=lambda trial: trial.metrics["macs"])
    assert list(named["front"].x) == [trial.metrics["macs"] for trial in front]
    assert list(named["front"].y) == [trial.metrics["top1"] for trial in front]
    assert named["best"].x == (plain_run.best().metrics["macs"],)
    assert named["knee"].y == (plain_run.knee().metrics["top1"],)
    assert len(named["dominated"].x) == 38 - len(front)


def test_failed_trials_are_hidden_until_asked_for(drawn):
    named = traces(drawn["front"])
    assert named["failed"].visible == "legendonly"
    assert len(named["failed"].x) == 2
    assert named["dominated"].visible is True


def test_limits_are_lines_at_their_place(drawn):
    (line,) = drawn["front peak_sram_bytes"].layout.shapes
    assert line.x0 == line.x1 == 64  # KiB
    assert not drawn["front"].layout.shapes


def test_a_limit_far_away_is_told_in_words(make_run):
    figure = figures(RunView.of(make_run(budget="sram=100M")))["front peak_sram_bytes"]
    assert not figure.layout.shapes
    assert "beyond the edge" in figure.layout.annotations[0].text


def test_trials_beyond_a_measured_limit_are_a_kind_of_their_own(make_run):
    run = make_run(trials=40, budget="accuracy=80%")
    named = traces(figures(RunView.of(run))["front"])
    low = sum(trial.metrics["top1"] < 0.8 for trial in run.trials)
    assert low
    assert len(named["over budget"].x) == low
    assert named["over budget"].visible == "legendonly"


def test_three_objectives_give_panels_without_a_staircase(make_run):
    drawn = figures(RunView.of(make_run(objectives="accuracy,macs,params", budget="")))
    assert {"front", "front params"} <= set(drawn)
    assert traces(drawn["front"])["front"].mode == "markers"
    assert "resources" not in drawn


def test_one_objective_is_shown_over_the_evaluations(make_run):
    run = make_run(objectives="accuracy", budget="")
    named = traces(figures(RunView.of(run))["front"])
    assert named["front"].x == (run.best().number,)


def test_shares_of_the_limits(drawn, plain_run):
    bars = {bar.name.split(",")[0]: bar for bar in drawn["resources"].data}
    best = plain_run.best()
    row = list(bars["flash"].y).index(next(name for name in bars["flash"].y if name.startswith(best.architecture.id)))
    assert bars["flash"].x[row] == best.metrics["flash_bytes"] / (512 * 1024)


def test_parallel_coordinates_stay_readable(plain_run):
    axes = parallel_axes(RunView.of(plain_run))
    assert sum(axis.options is not None for axis in axes) == MOST_CHOICES
    assert [axis.label for axis in axes if axis.options is None] == ["macs", "top1", "peak_sram_bytes", "flash_bytes"]


@pytest.mark.parametrize(("trials", "failed", "names"), [(0, 0, []), (2, 2, ["front", "hypervolume"]), (1, 0, None)])
def test_runs_with_little_to_show(make_run, trials, failed, names):
    drawn = figures(RunView.of(make_run(trials=trials, failed=failed)))
    assert "parallel" not in drawn
    if names is not None:
        assert [name for name in drawn if not name.startswith("front ")] == names


def member(names, confusion_counts):
    return TrainedMember("abc", {}, tuple(names), np.asarray(confusion_counts))


def test_class_names_are_text_in_labels():
    figure = confusion(member(["<script>alert(1)</script>", "b"], [[3, 1], [0, 4]]))
    assert figure.layout.xaxis.ticktext[0] == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert np.asarray(figure.data[0].z).tolist() == [[0.75, 0.25], [0, 1]]


def test_of_many_classes_those_with_mistakes_are_shown():
    counts = np.diag(np.full(100, 9))
    counts[90, 91] = 4
    shown = most_confused(member(map(str, range(100)), counts))
    assert len(shown) == 60
    assert {90, 91} <= set(shown.tolist())


def test_figures_and_a_report_from_python(plain_run, tmp_path):
    import nas

    run = nas.load(plain_run.path)
    assert "hypervolume" in run.figures()
    assert run.report(tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_an_axis_names_its_unit_once_and_a_small_time_is_not_a_thousandth_of_something() -> None:
    from nas.reporting.figures import _axis

    assert (_axis("latency_ms")["title"]["text"], _axis("latency_ms")["tickformat"]) == ("latency ms", ".4~g")
    assert _axis("images_per_second")["title"]["text"] == "images/s"
    assert (_axis("macs")["title"]["text"], _axis("macs")["tickformat"]) == ("MACs", "~s")
