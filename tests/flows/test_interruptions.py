"""kill -9, signals, full disks and damaged files: nothing recorded is lost, and a resumed search is the same search."""

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.run import StoredRun

COMMAND = [sys.executable, "-c", "from nas.cli.main import run; run()"]
TRIALS = 60
_PATIENCE_SECONDS = 180


def archive(folder):
    """Every trial of run `r` without the seconds it took."""
    trials = [trial.to_dict() for trial in StoredRun.load(folder / "runs" / "r").trials]
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


def recorded(folder):
    """How many trials the database holds, read as another program would."""
    path = folder / "runs" / "r" / "run.db"
    if not path.is_file():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute("select count(*) from fitnas_trials").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def wait_until(condition, process):
    end = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the search did not get that far"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def command_line(shared_pictures):
    """A search that takes a few seconds."""
    return (
        "search", "--space", "mcunetv2", "--budget", "sram=24k", "--data", str(shared_pictures),
        "--trials", str(TRIALS), "--supernet-epochs", "8", "--backend", "inline", "--seed", "5", "--run", "r",
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, command_line):
    """The archive of the search that nobody interrupts."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run([*COMMAND, *command_line], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return archive(folder)


def test_kill_9_of_the_driver_at_random_moments(nas_process, tmp_path, undisturbed, command_line):
    moments = random.Random(7)
    process = nas_process(*command_line)
    killed_during_training = killed_during_search = 0
    for _ in range(10):
        target = recorded(tmp_path)
        wait_until(
            lambda at=target: (tmp_path / "runs" / "r" / "config.toml").is_file() or recorded(tmp_path) > at, process
        )
        time.sleep(moments.uniform(0.0, 3.0))
        process.kill()
        process.communicate()
        assert StoredRun.load(tmp_path / "runs" / "r").state == "interrupted"
        killed_during_search += recorded(tmp_path) > 0
        killed_during_training += recorded(tmp_path) == 0
        process = nas_process("resume", "r")
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    assert archive(tmp_path) == undisturbed


def test_sigint_saves_and_exits_with_130(nas_process, tmp_path, undisturbed, command_line):
    process = nas_process(*command_line)
    wait_until(lambda: recorded(tmp_path) >= 3, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 130, errors
    assert "nas resume r" in errors
    assert "Traceback" not in errors
    before = recorded(tmp_path)
    assert 3 <= before < TRIALS
    process = nas_process("resume", "r")
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    assert archive(tmp_path) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_while_the_supernet_is_trained(nas_process, tmp_path, number, code, command_line):
    process = nas_process(*command_line)
    wait_until(lambda: (tmp_path / "runs" / "r" / "data.json").is_file(), process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == code, errors
    assert "nas resume" in errors
    assert "Traceback" not in errors
    assert StoredRun.load(tmp_path / "runs" / "r").record.state == "interrupted"


def test_sigterm_during_the_search_exits_with_143(nas_process, tmp_path, command_line):
    process = nas_process(*command_line)
    wait_until(lambda: recorded(tmp_path) >= 1, process)
    process.terminate()
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 143, errors
    assert recorded(tmp_path) >= 1


def test_a_second_driver_is_refused(nas, nas_process, tmp_path, command_line):
    process = nas_process(*command_line, "--trials", "5000")  # still searching when the others come
    wait_until(lambda: recorded(tmp_path) >= 1, process)
    for command in (("resume", "r"), ("train", "r", "--epochs", "1"), (*command_line, "--force")):
        result = nas(*command)
        assert result.code == 1, result.err
        assert f"process {process.pid}" in result.err
    assert nas("show", "r", "--json").document["state"] == "searching"  # reading is not driving


@pytest.fixture
def finished(nas, command_line):
    result = nas(*command_line, "--trials", "8")
    assert result.code == 0, result.err
    return result


def test_a_truncated_checkpoint_is_healed_from_the_one_before(nas, tmp_path, finished):
    checkpoint = Path("runs/r/checkpoints/supernet.safetensors")
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    config = Path("runs/r/config.toml")
    config.write_text(config.read_text().replace("trials = 8", "trials = 10"))
    result = nas("resume", "r")
    assert result.code == 0, result.err
    assert checkpoint.read_bytes() == whole  # the lost epoch was trained again
    assert recorded(tmp_path) == 10


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


def test_a_full_disk_loses_nothing(nas_process, tmp_path, undisturbed, command_line):
    def no_more_than_half_a_megabyte():
        # writes beyond it fail as on a full disk; the checkpoint and, later, the database meet it
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    process = nas_process(*command_line, preexec_fn=no_more_than_half_a_megabyte)
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 1, errors
    assert "disk is full" in errors
    assert "nas resume r" in errors
    assert "Traceback" not in errors
    process = nas_process("resume", "r")
    _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    assert archive(tmp_path) == undisturbed


def test_the_archive_does_not_depend_on_workers(nas_process, tmp_path, command_line):
    arguments = [argument for argument in command_line if argument not in ("--backend", "inline", "--run", "r")]
    found = []
    for workers in ("1", "2"):
        process = nas_process(*arguments, "--trials", "16", "--workers", workers, "--run", f"w{workers}")
        _, errors = process.communicate(timeout=_PATIENCE_SECONDS)
        assert process.returncode == 0, errors
        (tmp_path / "runs" / f"w{workers}").replace(tmp_path / f"w{workers}")
        trials = [trial.to_dict() for trial in _stored(tmp_path / f"w{workers}")]
        found.append([{name: value for name, value in trial.items() if name != "seconds"} for trial in trials])
    assert found[0] == found[1]
    assert len(found[0]) == 16


def _stored(folder):
    from nas.storage.store import Store, sqlite_url

    with Store(sqlite_url(folder / "run.db"), create=False) as store:
        return store.trials(folder.name)
