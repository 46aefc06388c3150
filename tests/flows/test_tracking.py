"""What a search and a training leave for TensorBoard, and that nothing that happens to it stops them."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from nas.api import load
from tests.flows.warm_process import recorded, wait_until
from tests.nas.tracking.reading import scalars, texts

TINY = ("--space", "mcunetv2", "--trials", "6", "--supernet-epochs", "1", "--backend", "inline", "--seed", "3")
SEARCH = Path("runs/signs/tracking/tensorboard/search")


def test_a_search_and_a_training_are_tracked(nas, pictures, search_once):
    assert search_once(*TINY, "--run", "signs", "--quiet").err == ""
    run, found = load("runs/signs"), scalars(SEARCH)
    for column in ("top1", "macs", "peak_sram_bytes"):
        expected = [(trial.number, pytest.approx(trial.metrics[column], rel=1e-6)) for trial in run.trials]
        assert sorted(found[f"trial/{column}"]) == expected
    assert len(found["trial/seconds"]) == 6
    assert found["search/hypervolume"][-1] == (6, pytest.approx(run.pareto.hypervolume))
    assert found["search/front"][-1] == (6, len(run.pareto))
    losses = found["supernet/loss"]
    assert [step for step, _ in losses] == list(range(1, len(losses) + 1))
    assert [step for step, _ in found["supernet/learning_rate"]] == [step for step, _ in losses]
    configuration = texts(SEARCH)["configuration/text_summary"][0]
    assert 'space = "mcunetv2"' in configuration
    assert str(pictures.parent) not in configuration

    for epochs in (2, 1):
        trained = nas("train", "signs", "--epochs", str(epochs), "--json").document
        member = scalars(SEARCH.parent / f"member-{trained['id']}")
        assert member["score/test_top1"] == [(epochs, pytest.approx(trained["test_top1"]))]
        assert [step for step, _ in member["training/loss"]] == list(range(1, epochs + 1))  # one batch an epoch


def test_a_resumed_search_goes_on_without_a_step_twice(nas, warm_process, pictures):
    process = warm_process("search", *TINY, "--trials", "24", "--data", str(pictures), "--run", "signs")
    wait_until(lambda: recorded(Path("runs/signs")) >= 3, process)
    process.kill()
    process.wait()
    before = len(load("runs/signs").trials)
    result = nas("resume", "signs", "--quiet")
    assert result.code == 0, result.err
    assert 0 < before < 24
    assert len(list(SEARCH.iterdir())) == 2
    for name, points in scalars_of_whole_records(SEARCH).items():
        steps = [step for step, _ in points]
        assert len(steps) == len(set(steps)), name
        if name.startswith("trial/"):
            assert sorted(steps) == list(range(24)), name


def scalars_of_whole_records(folder):
    """As `scalars`; the killed process may have torn the last record of its file."""
    from tensorboardX.proto.event_pb2 import Event

    from nas.tracking.tensorboard import _values

    found = {}
    for file in sorted(folder.iterdir()):
        for event, value in _values(file, Event):
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_none_writes_nothing(nas, pictures):
    result = nas("search", *TINY, "--data", str(pictures), "--run", "signs", "--tracking", "none")
    assert result.code == 0, result.err
    assert not Path("runs/signs/tracking").exists()


def test_a_sink_that_fails_is_told_once_and_loses_nothing(nas, pictures, search_once):
    search_once(*TINY, "--run", "signs", "--quiet")
    shutil.rmtree("runs/signs/tracking")
    Path("runs/signs/tracking").write_text("a file where the folder would be")
    config = Path("runs/signs/config.toml")
    config.write_text(config.read_text().replace("trials = 6", "trials = 9"))
    for command in (("resume", "signs"), ("train", "signs", "--epochs", "1")):
        result = nas(*command, "--quiet")
        assert result.code == 0, result.err
        assert result.err.count("tracking by tensorboard stopped") == 1
        assert result.err.count("\n") == 1
    assert [trial.number for trial in load("runs/signs").trials] == list(range(9))
    assert len(nas("show", "signs", "--json").document["front"]["trials"]) >= 1


def test_names_are_checked_before_anything_is_written(nas, pictures):
    for text, said in (("tensorbord", "did you mean 'tensorboard'"), ("tensorboard,none", "Known: tensorboard")):
        result = nas("search", *TINY, "--data", str(pictures), "--run", "signs", "--tracking", text)
        assert result.code == 2
        assert said in result.err
    if importlib.util.find_spec("wandb") is None:
        result = nas("search", *TINY, "--data", str(pictures), "--run", "signs", "--tracking", "wandb")
        assert result.code == 2
        assert "pip install 'fitnas[wandb]'" in result.err
    assert not Path("runs/signs").exists()
