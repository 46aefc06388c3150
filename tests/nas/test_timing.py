"""What a dry run expects of a search."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from nas import timing
from nas.config import RunConfig
from nas.searching import prepare
from tests.tiny_run import draw_pictures


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (16, 2)])
def test_evaluations_are_expected_of_the_workers_that_a_search_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, at_once: int
) -> None:
    """Each look at the clock is a second after the one before: so three networks together take one."""
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=count().__next__))
    config = RunConfig.checked(
        space="tinynet",
        set={"resolutions": "16,32"},
        data=str(draw_pictures(tmp_path / "pictures")),
        fidelity="epochs=2",
        trials=2,
        workers=workers,
    )
    prepared = prepare(config)
    expected = timing.expected_seconds(prepared)
    each = 1 / 3 / 128 * sum(prepared.description.counts["train"]) * 2
    assert expected["evaluations"] == pytest.approx(each * 2 / at_once)
