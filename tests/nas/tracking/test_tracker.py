import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.conductor import Event
from nas.core.trial import Trial
from nas.tracking import parse_sinks, sink_class, sink_names
from nas.tracking.tracker import Tracker
from nas.training.epochs import Progress
from search_spaces.core.errors import WrongUse
from tests.nas.toy_space import ToySpace
from tests.nas.tracking.reading import scalars, texts


@pytest.fixture
def trials() -> list[Trial]:
    population = ToySpace().sample(np.random.default_rng(0), 3)
    done = [Trial(i, population[i], "complete", {"top1": i / 4, "macs": 10 + i}, seconds=0.5) for i in range(2)]
    return [*done, Trial(2, population[2], "failed", {"macs": 9}, error="no memory")]


def event_of(trial: Trial, done: int) -> Event:
    kind = "complete" if trial.state == "complete" else "failed"
    return Event(kind, trial.number, trial.architecture, done, 10, 4, 1, 0.25, trial)  # type: ignore[arg-type]


def test_names() -> None:
    assert sink_names() == ["tensorboard", "wandb"]
    assert parse_sinks("none") == ()
    for text, said in (
        ("tensorbord", "did you mean 'tensorboard'"),
        ("", "unknown --tracking"),
        ("tensorboard,tensorboard", "stands twice"),
        ("none,tensorboard", "unknown --tracking"),
    ):
        with pytest.raises(WrongUse, match=said):
            parse_sinks(text)
    assert sink_class("tensorboard").__name__ == "TensorBoard"


def test_a_search_and_a_training(tmp_path: Path, trials: list[Trial]) -> None:
    tracker = Tracker(["tensorboard"], tmp_path, "signs", "search")
    tracker.configuration("seed = 3")
    tracker.trials(trials[:1])
    assert not list(tmp_path.iterdir())  # opened by the first figure
    tracker.training("supernet", Progress(1, 10, 1, 2, 0.7, 0.1, 0.8, 0.01))
    tracker.told(event_of(trials[1], 2))
    tracker.told(event_of(trials[2], 3))
    tracker.figures({"a": float("nan"), "b": float("inf"), "c": 1.0}, 5)
    tracker.close()
    tracker.figures({"c": 2.0}, 6)  # after the end: nowhere
    found = scalars(tmp_path / "tensorboard" / "search")
    assert found["supernet/loss"] == [(1, pytest.approx(0.8))]
    assert found["supernet/epoch_mean_loss"] == [(1, pytest.approx(0.7))]
    assert found["supernet/learning_rate"] == [(1, pytest.approx(0.01))]
    assert found["trial/top1"] == [(0, 0.0), (1, 0.25)]
    assert found["trial/macs"] == [(0, 10.0), (1, 11.0), (2, 9.0)]
    assert found["trial/seconds"] == [(0, 0.5), (1, 0.5), (2, 0.0)]
    assert found["search/hypervolume"] == [(2, 0.25), (3, 0.25)]
    assert found["search/front"] == [(2, 1.0), (3, 1.0)]
    assert found["search/rejected"] == [(2, 4.0), (3, 4.0)]
    assert "a" not in found
    assert "b" not in found
    assert found["c"] == [(5, 1.0)]
    words = texts(tmp_path / "tensorboard" / "search")
    assert "seed = 3" in words["configuration/text_summary"][0]
    assert "trial 2: no memory" in words["trial/failed/text_summary"][0]


def test_what_a_killed_process_did_not_write_is_made_up_for(tmp_path: Path, trials: list[Trial]) -> None:
    for recorded in (trials[:1], trials):
        tracker = Tracker(["tensorboard"], tmp_path, "signs", "search")
        tracker.trials(recorded)
        tracker.figures({"x": 1.0}, 0)
        tracker.close()
    assert [step for step, _ in scalars(tmp_path / "tensorboard" / "search")["trial/macs"]] == [0, 1, 2]


def test_a_sink_that_cannot_be_opened_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tensorboard").write_text("a file where the folder would be")
    tracker = Tracker(["tensorboard"], tmp_path, "signs", "search")
    for step in range(5):
        tracker.figures({"x": 1.0}, step)
    tracker.close()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("nas: tracking by tensorboard stopped: ")
    assert "the work itself goes on" in err


_FULL_DISK = """\
import resource, sys
from pathlib import Path
from nas.tracking.tracker import Tracker
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
tracker = Tracker(["tensorboard"], Path(sys.argv[1]), "signs", "search")
for step in range(5_000):
    tracker.figures({"x": 1.0}, step)
tracker.close()
print("done")
"""


def test_a_full_disk_stops_the_sink_alone(tmp_path: Path) -> None:
    """A limit on the size of files fails a write as a full disk does."""
    command = [sys.executable, "-c", _FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
