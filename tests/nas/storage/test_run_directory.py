import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.storage.run_directory import RunDirectory, run_directory_at
from search_spaces.core.errors import FitnasError, NotFound, Refused, WrongUse


def started(root: Path, name: str | None, space: str = "mcunetv2") -> RunDirectory:
    run = RunDirectory.create(root, name, space)
    run.write(run.config, 'space = "mcunetv2"\n')
    return run


def test_unnamed_runs_are_numbered_after_their_space(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "runs"
    assert [started(root, None).name for _ in range(2)] == ["mcunetv2-001", "mcunetv2-002"]
    (root / "mcunetv2-041").mkdir()
    (root / "mcunetv2-x").mkdir()
    assert started(root, None).name == "mcunetv2-042"
    assert started(root, None, "tinynet").name == "tinynet-001"
    (root / "mcunetv2-999").mkdir()
    assert started(root, None).name == "mcunetv2-1000"


def test_paths(tmp_path: Path) -> None:
    run = started(tmp_path, "signs")
    names = [run.config, run.environment, run.database, run.front, run.trials, run.report]
    assert [path.name for path in names] == [
        "config.toml", "environment.json", "run.db", "pareto.json", "trials.parquet", "report.html",
    ]  # fmt: skip
    assert run.checkpoints.is_dir()
    assert run.export.is_dir()
    assert run.checkpoints.parent == run.path == tmp_path / "signs"


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "a\0", "x" * 10_000, "", "A"])
def test_bad_names_never_reach_the_disk(tmp_path: Path, name: str) -> None:
    root = tmp_path / "runs"
    for action in (lambda: RunDirectory.create(root, name, "mcunetv2"), lambda: RunDirectory.open(root, name)):
        with pytest.raises(WrongUse, match="run name") as caught:
            action()
        assert len(str(caught.value)) < 500
    assert not root.exists() or not any(root.iterdir())


def test_an_unknown_run_is_not_found_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are none yet"):
        RunDirectory.open(tmp_path / "none", "signs")
    started(tmp_path, "signs")
    assert RunDirectory.open(tmp_path, "signs").path == tmp_path / "signs"
    assert run_directory_at(tmp_path / "signs").name == "signs"
    with pytest.raises(NotFound, match="did you mean 'signs'"):
        RunDirectory.open(tmp_path, "sings")
    with pytest.raises(NotFound, match="nas list"):
        RunDirectory.open(tmp_path, "zzzzzzzz")
    with pytest.raises(WrongUse, match="not a path"):
        run_directory_at(Path("a\0b"))


def test_a_folder_without_a_run_is_said_to_be_so(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "signs", "mcunetv2")
    with pytest.raises(NotFound, match="holds no run"):
        RunDirectory.open(tmp_path, "signs")
    assert RunDirectory.names(tmp_path) == []
    RunDirectory.create(tmp_path, "signs", "mcunetv2")  # an empty folder is free
    (tmp_path / "file").write_text("x")
    with pytest.raises(WrongUse, match="not a folder"):
        RunDirectory.create(tmp_path, "file", "mcunetv2")


def test_names_are_sorted_and_runs_alone(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        started(tmp_path, name)
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("x")
    assert RunDirectory.names(tmp_path) == ["a", "b", "c"]
    assert RunDirectory.names(tmp_path / "none") == []


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    run = started(tmp_path, "signs")
    (run.checkpoints / "w.safetensors").write_text("w")
    with pytest.raises(WrongUse, match=r"nas resume signs.*--force"):
        RunDirectory.create(tmp_path, "signs", "mcunetv2")
    assert (run.path / "checkpoints" / "w.safetensors").read_text() == "w"
    RunDirectory.create(tmp_path, "signs", "mcunetv2", force=True)
    assert [entry.name for entry in run.path.iterdir() if entry.name != "driver.lock"] == []


def test_force_never_deletes_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").write_text("x")
    with pytest.raises(WrongUse, match="no run"):
        RunDirectory.create(tmp_path, "notes", "mcunetv2", force=True)
    with pytest.raises(WrongUse, match="nothing was deleted"):
        RunDirectory(tmp_path / "notes").delete()
    assert (tmp_path / "notes" / "thesis.tex").exists()


def test_force_and_delete_leave_what_a_link_points_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    for action in ("force", "delete"):
        run = started(tmp_path / "runs", action)
        (run.path / "link").symlink_to(outside)
        if action == "force":
            RunDirectory.create(tmp_path / "runs", action, "mcunetv2", force=True)
        else:
            run.delete()
    assert (outside / "kept").exists()
    assert not (tmp_path / "runs" / "delete").exists()


def test_a_second_driver_is_refused_by_process_and_host(tmp_path: Path) -> None:
    run = started(tmp_path, "signs")
    twin = RunDirectory.open(tmp_path, "signs")
    with run.lock():
        for action in (lambda: twin.lock().__enter__(), twin.delete):
            with pytest.raises(Refused, match=f"process {os.getpid()} on .*nas resume signs"):
                action()
        with pytest.raises(Refused, match="driven by"):
            RunDirectory.create(tmp_path, "signs", "mcunetv2", force=True)
        assert run.config.exists()
    with twin.lock():
        assert json.loads((run.path / "driver.json").read_text())["pid"] == os.getpid()
    assert not (run.path / "driver.json").exists()


def test_the_lock_is_released_when_the_driver_fails(tmp_path: Path) -> None:
    run = started(tmp_path, "signs")
    with pytest.raises(KeyError), run.lock():
        raise KeyError("x")
    with run.lock():
        pass


def test_kill_9_frees_the_lock_even_while_a_forked_child_lives(tmp_path: Path) -> None:
    run = started(tmp_path, "signs")
    script = (
        "import os, sys, time, pathlib\n"
        "from nas.storage.run_directory import RunDirectory\n"
        "with RunDirectory(pathlib.Path(sys.argv[1])).lock():\n"
        "    (pathlib.Path(sys.argv[1]) / '.tmp-left').write_text('half')\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        os.closerange(0, 3)\n"
        "    time.sleep(60)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    child = int(driver.stdout.readline())
    try:
        with pytest.raises(Refused, match=f"process {driver.pid} on "), run.lock():
            pass
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        with run.lock():
            assert json.loads((run.path / "driver.json").read_text())["pid"] == os.getpid()
        assert not (run.path / ".tmp-left").exists()
    finally:
        os.kill(child, signal.SIGKILL)
        driver.kill()
        driver.stdout.close()
        driver.wait()


def test_locking_on_a_full_disk_says_so_and_frees_the_lock(small_disk: Path, fill: Callable[[Path], Path]) -> None:
    run = started(small_disk, "signs")
    filler = fill(small_disk)
    with pytest.raises(FitnasError, match=r"disk is full.*nas resume signs"), run.lock():
        pass
    filler.unlink()
    with run.lock():
        pass


def test_the_environment_names_versions_without_importing_them(tmp_path: Path) -> None:
    run = started(tmp_path, "signs")
    run.write_environment({"seed": 3})
    document = json.loads(run.environment.read_text())
    assert document["python"].startswith("3.")
    assert document["processors"] >= document["processors_usable"] >= 1
    assert document["packages"]["numpy"]
    assert document["seed"] == 3
    code = "import sys, nas.storage.run_directory; sys.exit(any(m in sys.modules for m in ('torch', 'ray', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
