"""kill -9 at random moments, of the driver and of its workers: is the archive that of a search nobody disturbed?

A search on scikit-learn's digits through Ray Tune is killed twenty times: ten times its driver, which is then resumed,
ten times one of its worker processes. A trial that is missing, stands twice or differs in anything but the seconds it
took ends the script with an error. It reads /proc, so it needs Linux.

    python benchmarks/kill_moments.py --moments 20
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from results import write_section

from nas.run import StoredRun

_COMMAND = [sys.executable, "-c", "from nas.cli.main import run; run()"]
_LONGEST_WAIT_S = 120.0
_PAUSE_S = 3.0


def archive(folder: Path) -> list[dict[str, Any]]:
    """Every trial of run `r` without the seconds it took."""
    trials = [trial.to_dict() for trial in StoredRun.load(folder / "runs" / "r").trials]
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """The command `nas` in `folder`, its output in `log`."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*_COMMAND, *arguments, "--quiet"], cwd=folder, stdout=log, stderr=log)


def recorded(folder: Path) -> int:
    """How many trials the database holds, read as another program would."""
    path = folder / "runs" / "r" / "run.db"
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return int(connection.execute("select count(*) from fitnas_trials").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return 0


def workers_of(driver: int) -> list[int]:
    """The evaluating processes among the descendants of a driver."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                names[int(entry.name)] = (entry / "cmdline").read_text()
            except OSError:
                continue  # it ended while we looked
    family = {driver}
    while found := {child for child, parent in parents.items() if parent in family} - family:
        family |= found
    return sorted(pid for pid in family if "_Worker" in names.get(pid, ""))


def kill_a_worker(driver: "subprocess.Popen[bytes]", rng: random.Random) -> bool:
    """Kills one; False where none came up before the driver ended."""
    end = time.monotonic() + _LONGEST_WAIT_S
    while time.monotonic() < end and driver.poll() is None:
        workers = workers_of(driver.pid)
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
            return True
        time.sleep(0.05)
    return False


def disturbed(folder: Path, command: list[str], moments: int, rng: random.Random) -> dict[str, int]:
    """Runs the search through all kills to its end; how often which process died, and in which phase."""
    victims = ["driver", "worker"] * (moments // 2) + ["driver"] * (moments % 2)
    rng.shuffle(victims)
    counts = {"driver, supernet training": 0, "driver, search": 0, "worker": 0}
    process = start(folder, *command)
    for victim in victims:
        time.sleep(rng.uniform(0.0, _PAUSE_S))
        if process.poll() is not None:
            break
        if victim == "worker":
            counts["worker"] += kill_a_worker(process, rng)
            continue
        while not (folder / "runs" / "r" / "run.db").is_file() and process.poll() is None:
            time.sleep(0.01)
        counts["driver, search" if recorded(folder) else "driver, supernet training"] += 1
        process.kill()
        process.wait()
        process = start(folder, "resume", "r")
    if process.wait() != 0:
        raise SystemExit((folder / "log").read_text())
    return counts


def main() -> None:
    """Compares both archives and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    command = ["search", "--space", "mcunetv2", "--budget", "sram=16k", "--run", "r", "--supernet-epochs", "2"]
    command += ["--trials", str(arguments.trials), "--seed", str(arguments.seed)]
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        if start(Path(calm), *command).wait() != 0:
            raise SystemExit((Path(calm) / "log").read_text())
        counts = disturbed(Path(rough), command, arguments.moments, random.Random(arguments.seed))
        one, other = archive(Path(calm)), archive(Path(rough))
    if one != other:
        raise SystemExit(f"the archives differ: {len(one)} and {len(other)} trials")
    if sum(counts.values()) < arguments.moments:
        raise SystemExit(f"the search ended after {counts}; give more --trials")
    row = {**{f"killed: {name}": count for name, count in counts.items()}, "trials": len(other), "archive": "equal"}
    write_section("kill -9 at random moments", [row], ["asked: no trial lost or doubled, archive equal"])


if __name__ == "__main__":
    main()
