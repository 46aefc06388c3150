"""A service that many watch: what an update, a first page, a thousand readers and a crash take.

`nas serve` runs over a run of 10,000 trials (accuracies made up, written one by one through the store, see
synthetic_run.py) and over a real search. The search is pinned to one processor, the service and its readers share the
other. Where the two are hardware threads of one core, whatever runs on the second slows the first: a loop that does
nothing but count, on the service's processor, tells how much of the search's loss that is.

    python benchmarks/service.py
"""

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from synthetic_run import write_run

from nas.core.pareto import ParetoFront
from nas.core.trial import Trial
from nas.reporting.history import hypervolume_history
from nas.run import StoredRun

_TRIALS, _COMING = 10_000, 400
_OBJECTIVES = "accuracy,macs,sram"
_NAS = [sys.executable, "-m", "nas"]
_SEARCH = ["--space", "mcunetv2", "--set", "resolutions=16", "--evaluator", "zero_cost", "--objectives",
           "zero_cost,macs", "--strategy", "random", "--backend", "inline", "--trials", "100000"]  # fmt: skip


@dataclass
class Served:
    """A service in a process of its own."""

    process: "subprocess.Popen[str]"
    port: int
    token: str

    @classmethod
    def start(cls, folder: Path, core: int | None = None) -> "Served":
        """`nas serve` over `folder`/runs, pinned to a processor; returns once it answers."""
        command = [*pinned(core), *_NAS, "serve", "--port", "0"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        address, _, token = process.stdout.readline().strip().partition("/#token=")
        token = token or next(folder.rglob("token")).read_text().strip()  # of an earlier start
        served = cls(process, int(address.rpartition(":")[2]), token)
        while True:
            with suppress(OSError):
                served.ask("/readyz", root="")  # asks for no run, so that the first page is the first to read one
                return served
            time.sleep(0.02)

    def ask(self, path: str, method: str = "GET", body: Any = None, root: str = "/api/v1") -> tuple[int, bytes]:
        """(status, body as sent) of a request that takes gzip."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Accept-Encoding": "gzip"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        connection.request(method, f"{root}{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def document(self, path: str) -> Any:
        """A document, decoded."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", f"/api/v1{path}")
        return json.loads(connection.getresponse().read())

    def peak_mib(self) -> float:
        """The most memory that it ever had, MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def cpu_seconds(self) -> float:
        """Seconds of a processor that it took until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self, how: int = signal.SIGTERM) -> None:
        """Ends it, and waits until it is gone."""
        self.process.send_signal(how)
        self.process.wait()


def pinned(core: int | None) -> list[str]:
    """What goes before a command that shall keep to one processor."""
    return [] if core is None else ["taskset", "-c", str(core)]


def record(run: StoredRun, trials: Sequence[Trial]) -> None:
    """As a search does: a transaction a trial."""
    with run.store() as store:
        for trial in trials:
            store.record(run.name, trial)


def prepare(folder: Path) -> tuple[StoredRun, list[Trial]]:
    """The run, and the trials that will come."""
    count = _TRIALS + _COMING
    trials = write_run(folder / "other", "big", count, objectives=_OBJECTIVES, failed=20).trials
    run = write_run(folder / "runs", "big", 0, planned=count, objectives=_OBJECTIVES, state="searching")
    record(run, trials[:_TRIALS])
    return run, trials[_TRIALS:]


def first_page(served: Served) -> tuple[float, int]:
    """Seconds and bytes of what a run's page asks for, one after the other."""
    began = time.monotonic()
    paths = ["", "/trials?limit=20000&options=true", "/front", "/history"]
    found = [served.ask(f"/runs/big{path}") for path in paths]
    assert all(status == 200 for status, _ in found)
    return time.monotonic() - began, sum(len(body) for _, body in found)


def updates(served: Served, run: StoredRun, coming: Sequence[Trial]) -> tuple[list[float], list[int]]:
    """Milliseconds and bytes of asking for what is new, once it is there: trials, and the front with them."""
    cursor = served.document("/runs/big/trials?limit=20000")["cursor"]
    waits, sizes = [], []
    for trial in coming:
        time.sleep(0.35)  # a run that was read within 0.3 s is not read again
        record(run, [trial])
        began = time.monotonic()
        status, body = served.ask(f"/runs/big/trials?after={cursor}")
        waits.append(1e3 * (time.monotonic() - began))
        sizes.append(len(body))
        found = served.document(f"/runs/big/trials?after={cursor}")
        assert status == 200
        assert len(found["rows"]) == 1, found
        cursor = found["cursor"]
    return waits, sizes


def to_events(served: Served, run: StoredRun, coming: Sequence[Trial]) -> list[float]:
    """Milliseconds from a recorded trial to its event."""
    cursor = served.document("/runs/big/trials?limit=20000")["cursor"]
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", f"/api/v1/runs/big/events?after={cursor}")
    answer, waits = connection.getresponse(), []
    for number, trial in enumerate(coming):
        time.sleep(0.3 + 0.037 * (number % 9))
        record(run, [trial])
        began = time.monotonic()
        while not answer.readline().startswith(b"event: trials"):
            pass
        waits.append(1e3 * (time.monotonic() - began))
    connection.close()
    return waits


class Search:
    """A search that goes on until it is ended, pinned to a processor."""

    def __init__(self, folder: Path, core: int) -> None:
        self.folder = folder
        log = (folder / "search.log").open("w")
        command = [*pinned(core), *_NAS, "search", *_SEARCH, "--run", "real", "--quiet"]
        self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        while self.count() < 20:
            if self.process.poll() is not None:
                raise RuntimeError((folder / "search.log").read_text())
            time.sleep(0.5)

    def count(self) -> int:
        """Trials until now."""
        with suppress(Exception), StoredRun.load(self.folder / "runs" / "real").store() as store:
            return store.count("real")
        return 0

    def speed(self, seconds: float) -> float:
        """Trials a second, in a window from now on."""
        began, first = time.monotonic(), self.count()
        time.sleep(seconds)
        return (self.count() - first) / (time.monotonic() - began)


def readers(served: Served, core: int, cursor: str, seconds: float) -> "subprocess.Popen[str]":
    """A thousand that poll and twenty that stream, in a process on that processor."""
    script = Path(__file__).with_name("service_load.py")
    command = [*pinned(core), sys.executable, str(script), "--port", str(served.port), "--run", "big"]
    command += ["--cursor", cursor, "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def beside_a_search(
    served: Served, folder: Path, run: StoredRun, coming: Sequence[Trial], seconds: float
) -> dict[str, Any]:
    """The load, and the search's speed without it, with it, and beside a loop that counts, each window twice."""
    search_core, core = 0, min(1, (os.cpu_count() or 1) - 1)
    search = Search(folder, search_core)
    alone, loaded, beside_loop, found = [], [], [], []
    cursor = served.document("/runs/big/trials?limit=20000")["cursor"]
    try:
        for turn in range(2):
            alone.append(search.speed(seconds / 2))
            load = readers(served, core, cursor, seconds)
            time.sleep(3)
            first, began, cpu = search.count(), time.monotonic(), served.cpu_seconds()
            for trial in coming[turn::2][: int(seconds - 8)]:
                record(run, [trial])
                time.sleep(1)
            loaded.append((search.count() - first) / (time.monotonic() - began))
            busy = (served.cpu_seconds() - cpu) / (time.monotonic() - began)
            found.append(json.loads(load.communicate()[0]) | {"busy": busy})
            alone.append(search.speed(seconds / 2))
            loop = subprocess.Popen([*pinned(core), sys.executable, "-c", "while True: pass"])
            beside_loop.append(search.speed(seconds / 2))
            loop.kill()
    finally:
        search.process.terminate()
        search.process.wait()
    worst = max(found, key=lambda each: each["p95_ms"])
    speeds = {"alone": np.mean(alone), "loaded": np.mean(loaded), "loop": np.mean(beside_loop)}
    return worst | {"errors": sum(each["errors"] for each in found)} | {k: float(v) for k, v in speeds.items()}


def crash(folder: Path) -> dict[str, Any]:
    """A kill -9 of the service amid a search that it started: what is lost, and how long until it is back."""
    served = Served.start(folder)
    wanted = {"space": "mcunetv2", "set": {"resolutions": "16"}, "evaluator": "zero_cost", "run": "killed",
              "objectives": "zero_cost,macs", "strategy": "random", "backend": "inline", "trials": 400}  # fmt: skip
    status, body = served.ask("/runs", "POST", wanted)
    assert status == 202, body
    job = json.loads(body)["job"]["id"]
    path = folder / "runs" / "killed"

    def numbers() -> list[int]:
        with suppress(Exception):
            return [trial.number for trial in StoredRun.load(path).trials]
        return []

    _until(lambda: len(numbers()) >= 30)
    served.end(signal.SIGKILL)
    before = len(numbers())
    began = time.monotonic()
    served = Served.start(folder)
    at_restart = served.document("/runs/killed")["trials"]
    _until(lambda: served.document("/runs/killed")["trials"] > at_restart)
    back = time.monotonic() - began
    _until(lambda: json.loads(_with_token(served, f"/jobs/{job}"))["state"] not in ("queued", "running"))
    state = served.document("/runs/killed")["state"]
    found = numbers()
    served.end()
    whole = found == list(range(wanted["trials"])) and state == "complete" and at_restart >= before  # type: ignore[call-overload]
    return {"seconds": back, "whole": whole, "before": before, "state": state}


def _with_token(served: Served, path: str) -> bytes:
    return served.ask(path)[1]


def _until(is_so: Any, longest_s: float = 180) -> None:
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > longest_s:
            raise TimeoutError("waited in vain")
        time.sleep(0.1)


def history(run: StoredRun) -> tuple[float, float]:
    """Seconds for the whole history, and the largest difference from hypervolumes of whole fronts, at twenty steps."""
    trials, parts, box = run.trials[:_TRIALS], run.parts, run.reference
    began = time.monotonic()
    found = hypervolume_history(trials, parts.objectives, box, parts.budget)
    seconds = time.monotonic() - began
    rows = np.linspace(0, len(found.evaluations) - 1, 20).astype(int)
    anew = [
        ParetoFront(trials[: int(found.evaluations[row])], parts.objectives, box, parts.budget).hypervolume
        for row in rows
    ]
    return seconds, float(np.abs(found.volumes[rows] - anew).max())


def row(what: str, asked: str, measured: str) -> dict[str, object]:
    """One line of the table, with the machine's load while it was measured."""
    print(f"{what} ({asked}): {measured}", flush=True)
    return {"what": what, "asked": asked, "measured": measured, "load before": f"{os.getloadavg()[0]:.1f}"}


def main() -> None:
    """Runs all and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load")
    parser.add_argument("--trials-to-come", type=int, default=100, help="updates and events measured, each")
    told = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, coming = prepare(folder)
        seconds, difference = history(run)
        rows.append(row("hypervolume history, 10,000 trials, 3 objectives", "< 1 s", f"{seconds:.2f} s; differs from "
                        f"whole recomputation by {difference:g}"))  # fmt: skip
        served = Served.start(folder, core=min(1, (os.cpu_count() or 1) - 1))
        served.ask("/runs/empty")  # what is imported for the first request is no part of a page
        for which in ("first page, read for the first time", "first page, in memory"):
            seconds, size = first_page(served)
            rows.append(row(which, "< 2 s, 2 MB", f"{seconds:.2f} s, {size / 1e6:.2f} MB gzipped"))
        part = told.trials_to_come
        waits, sizes = updates(served, run, coming[:part])
        rows.append(row("a new trial polled", "p95 < 100 ms, 50 kB", f"median {np.median(waits):.0f} ms, p95 "
                        f"{np.quantile(waits, 0.95):.0f} ms, at most {max(sizes) / 1e3:.1f} kB"))  # fmt: skip
        waits = to_events(served, run, coming[part : 2 * part])
        rows.append(row("a new trial to its event", "< 1 s", f"median {np.median(waits):.0f} ms, largest "
                        f"{max(waits):.0f} ms"))  # fmt: skip
        found = beside_a_search(served, folder, run, coming[2 * part :], told.seconds)
        what = f"1,000 readers every 5 s and 20 streams, {told.seconds:.0f} s, the worse of two times"
        rows.append(row(what, "p95 < 500 ms, no error", load_words(found)))
        rows.append(row("memory of the service, highest", "< 500 MB", f"{served.peak_mib() * 1.048576:.0f} MB"))
        lost, loop = (1 - found[which] / found["alone"] for which in ("loaded", "loop"))
        rows.append(row("speed that a search on the other processor loses", "<= 10 %", f"{100 * lost:.0f} % "
                        f"({found['alone']:.1f} to {found['loaded']:.1f} trials/s); beside a loop that counts "
                        f"{100 * loop:.0f} %"))  # fmt: skip
        served.end()
        killed = crash(folder)
        whole = "none lost" if killed["whole"] else f"NOT WHOLE, state {killed['state']}"
        rows.append(row("kill -9 of the service at trial " + str(killed["before"]) + ", restart", "< 10 s, none lost",
                        f"{killed['seconds']:.1f} s until the next trial is shown; {whole}"))  # fmt: skip
    write_section("A service that many watch", rows, notes())


def load_words(found: dict[str, Any]) -> str:
    """What the readers saw."""
    errors = f"{found['errors']} errors in both times" + (f" ({found['last_error']})" if found["errors"] else "")
    return (
        f"median {found['median_ms']} ms, p95 {found['p95_ms']} ms, largest {found['largest_ms']} ms; "
        f"{found['requests']:,} requests, {errors}, {found['events']:,} events; the service took "
        f"{100 * found['busy']:.0f} % of its processor"
    )


def notes() -> list[str]:
    """What to know of the figures."""
    return [
        "accuracies of the 10,000 trials are made up; architectures and prices are those of mcunetv2",
        "the two processors of this machine are hardware threads of one core, so that whatever runs on the second "
        "slows the first: the loop that counts is the measure of that",
        "load before: processes that wanted a processor in the last minute, those of the benchmark included",
    ]


if __name__ == "__main__":
    main()
