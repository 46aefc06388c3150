"""A joint search beside its baselines, on a real run of a few trials."""

import numpy as np
import pytest

from nas.api import Run, search
from nas.baselines import FILE_NAME, Baselines, search_baselines
from nas.reporting.report import report_html
from nas.reporting.run_view import RunView
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.policy import INT8

TRIALS = 5


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A few trials with widths, on shared weights of one epoch."""
    return search(
        "mcunetv2",
        "size=400k",
        set={"resolutions": "16"},
        quantize="fp32,int8",
        root=tmp_path_factory.mktemp("joint"),
        trials=TRIALS,
        supernet_epochs=1,
        backend="inline",
        tracking="none",
    )


def test_baselines_have_the_run_s_evaluations_and_box(joint: Run) -> None:
    found = search_baselines(joint)
    own, first, alone = found.ways
    assert [way.evaluations for way in found.ways] == [TRIALS] * 3
    assert own.hypervolume == pytest.approx(joint.pareto.hypervolume)
    assert found == Baselines.read(joint)
    space = joint.parts.space
    assert isinstance(space, WithQuantization)
    limit = joint.parts.budget.limits["weight_bytes"]
    assert all(size <= limit for way in found.ways for _, size in way.points)
    # the largest network takes all sizes between the widest and the narrowest widths, none below
    largest = space.inner.extremes()[1]
    narrowest = joint.parts.pricer.one(space.uniform(largest, INT8))["weight_bytes"]
    assert all(size >= narrowest for _, size in alone.points)
    # int8 of a network takes less than its floats, so what was searched first lies below the fp32 limit too
    assert first.points
    assert "Beside searching first" in report_html(RunView.of(joint))
    with pytest.raises(WrongUse, match="exists"):
        search_baselines(joint)


def test_without_baselines_the_report_has_no_such_section(tiny_run: Run) -> None:
    assert "Beside searching first" not in report_html(RunView.of(tiny_run))
    with pytest.raises(WrongUse, match=r"searched no widths.*--quantize"):
        search_baselines(tiny_run)


def test_a_damaged_file_says_how_to_search_anew(joint: Run) -> None:
    path = joint.path / FILE_NAME
    path.write_text('{"objectives": "int8_accuracy,size", "ways": {"x": 3}}', encoding="utf-8")
    with pytest.raises(FitnasError, match=r"baselines\.json is damaged.*--force"):
        Baselines.read(joint)
    path.unlink()


def test_policies_of_one_network_keep_its_options(joint: Run) -> None:
    space = joint.parts.space
    assert isinstance(space, WithQuantization)
    largest = space.inner.extremes()[1]
    alone = space.of_one(largest)
    found = [*alone.sample(np.random.default_rng(0), 20), *alone.beginnings(), *alone.extremes()]
    assert {alone.inner_architecture(one).id for one in found} == {largest.id}
    assert len({one.id for one in found}) > 10
    assert all(one in [*space.population([one])] for one in found)  # each is a member of the whole space
