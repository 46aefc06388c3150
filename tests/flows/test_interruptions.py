"""kill -9, signals, full disks and damaged files: nothing recorded is lost, and a resumed search is the same search."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from nas.run import StoredRun
from tests.flows.warm_process import PATIENCE_S, recorded, wait_until

TRIALS = 30
SEARCH = (
    "--space", "mcunetv2", "--set", "resolutions=16,24", "--budget", "sram=12k", "--trials", str(TRIALS),
    "--supernet-epochs", "4", "--backend", "inline", "--seed", "5", "--run", "r",
)  # fmt: skip


def archive(folder):
    """Every trial of run `r` without the seconds it took."""
    trials = [trial.to_dict() for trial in StoredRun.load(folder / "runs" / "r").trials]
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


def checkpointed(folder):
    """When the supernet was last saved; 0 before."""
    path = folder / "runs" / "r" / "checkpoints" / "supernet.safetensors"
    return path.stat().st_mtime_ns if path.is_file() else 0


@pytest.fixture
def arguments(pictures):
    """Of a search that takes a second or two."""
    return ("search", *SEARCH, "--data", str(pictures))


@pytest.fixture
def undisturbed(search_once, tmp_path, arguments):
    """The archive of the search that nobody interrupts, and the seconds that it took."""
    search_once(*SEARCH)
    run = StoredRun.load(tmp_path / "runs" / "r")
    seconds = sum(trial.seconds for trial in run.trials)
    found = archive(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    return found, seconds


def resumed(nas):
    result = nas("resume", "r")
    assert result.code == 0, result.err
    return archive(Path.cwd())


def test_kill_9_of_the_driver_at_random_moments(nas, warm_process, tmp_path, undisturbed, arguments):
    expected, seconds = undisturbed
    moments = random.Random(7)
    process = warm_process(*arguments)
    wait_until((tmp_path / "runs" / "r" / "config.toml").is_file, process)
    killed_during_training = killed_during_search = 0
    for number in range(10):
        before = checkpointed(tmp_path), recorded(tmp_path / "runs" / "r")
        if number % 2:  # every other one gets further than the one before
            wait_until(lambda at=before: (checkpointed(tmp_path), recorded(tmp_path / "runs" / "r")) != at, process)
        time.sleep(moments.uniform(0.0, 3 * seconds / TRIALS))
        process.kill()
        process.wait()
        assert StoredRun.load(tmp_path / "runs" / "r").state == "interrupted"
        killed_during_search += recorded(tmp_path / "runs" / "r") > 0
        killed_during_training += recorded(tmp_path / "runs" / "r") == 0
        process = warm_process("resume", "r")
    process.kill()
    process.wait()
    assert killed_during_training
    assert killed_during_search
    assert resumed(nas) == expected


def test_sigint_saves_and_exits_with_130(nas, warm_process, tmp_path, undisturbed, arguments):
    process = warm_process(*arguments)
    wait_until(lambda: recorded(tmp_path / "runs" / "r") >= 3, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors
    assert "nas resume r" in errors
    assert "Traceback" not in errors
    assert 3 <= recorded(tmp_path / "runs" / "r") < TRIALS
    assert resumed(nas) == undisturbed[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_while_the_supernet_is_trained(warm_process, tmp_path, number, code, arguments):
    process = warm_process(*arguments)
    wait_until(lambda: (tmp_path / "runs" / "r" / "data.json").is_file(), process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, errors
    assert "nas resume" in errors
    assert "Traceback" not in errors
    assert StoredRun.load(tmp_path / "runs" / "r").record.state == "interrupted"


def test_sigterm_during_the_search_exits_with_143(warm_process, tmp_path, arguments):
    process = warm_process(*arguments)
    wait_until(lambda: recorded(tmp_path / "runs" / "r") >= 1, process)
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, errors
    assert recorded(tmp_path / "runs" / "r") >= 1


def test_a_second_driver_is_refused(nas, warm_process, tmp_path, arguments):
    process = warm_process(*arguments, "--trials", "5000")  # still searching when the others come
    wait_until(lambda: recorded(tmp_path / "runs" / "r") >= 1, process)
    for command in (("resume", "r"), ("train", "r", "--epochs", "1"), (*arguments, "--force")):
        result = nas(*command)
        assert result.code == 1, result.err
        assert f"process {process.pid}" in result.err
    assert nas("show", "r", "--json").document["state"] == "searching"  # reading is not driving


@pytest.fixture
def finished(search_once):
    return search_once(*SEARCH, "--trials", "8")


def test_a_truncated_checkpoint_is_healed_from_the_one_before(nas, tmp_path, finished):
    checkpoint = Path("runs/r/checkpoints/supernet.safetensors")
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    config = Path("runs/r/config.toml")
    config.write_text(config.read_text().replace("trials = 8", "trials = 10"))
    result = nas("resume", "r")
    assert result.code == 0, result.err
    assert checkpoint.read_bytes() == whole  # the lost epoch was trained again
    assert recorded(tmp_path / "runs" / "r") == 10


def test_checkpoints_damaged_beyond_healing_are_told(nas, finished):
    for name in ("supernet.safetensors", "supernet.safetensors.previous"):
        checkpoint = Path("runs/r/checkpoints") / name
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    result = nas("train", "r", "--pick", "best", "--epochs", "1")
    assert result.code == 1, result.err
    assert "supernet.safetensors" in result.err
    assert "Traceback" not in result.err


def test_a_damaged_database_is_told(nas, tmp_path, finished):
    database = Path("runs/r/run.db")
    database.write_bytes(b"not a database at all" * 100)
    for side in ("-wal", "-shm"):
        Path(f"runs/r/run.db{side}").unlink(missing_ok=True)
    result = nas("show", "r")
    assert result.code == 1, result.err
    assert "run.db" in result.err
    assert "Traceback" not in result.err


def test_a_full_disk_loses_nothing(nas, warm_process, tmp_path, undisturbed, arguments):
    # the checkpoint and, later, the database meet the end of the disk
    process = warm_process(*arguments, largest_file=500_000)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, errors
    assert "disk is full" in errors
    assert "nas resume r" in errors
    assert "Traceback" not in errors
    assert resumed(nas) == undisturbed[0]


def test_the_archive_does_not_depend_on_workers(nas, tmp_path, ray_cluster, arguments):
    few = [argument for argument in arguments if argument not in ("--backend", "inline")]
    found = []
    for workers in ("1", "2"):
        result = nas(*few, "--trials", "16", "--workers", workers, "--ray-address", ray_cluster)
        assert result.code == 0, result.err
        found.append(archive(tmp_path))
        shutil.rmtree(tmp_path / "runs")
    assert found[0] == found[1]
    assert len(found[0]) == 16
