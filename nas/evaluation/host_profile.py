"""How long single pictures or batches take on this machine, network by network.

Other processes only ever make a run slower, so a network's figure is its quickest run, as Python's timeit has it. Each
network is measured in several passes over all of them; between its passes lie those of the others. A network of which
no two passes agree gets more of them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from nas.core.measured import FP32, HOST, MIXED, Measured, Target
from nas.evaluation.host_speed import Clock, in_turns
from nas.progress import Report
from nas.training.device import cores, pinned, random_numbers, torch_threads
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

Run = Callable[[], object]
Known = list[Measured | None]

RUNTIMES = ("onnxruntime", "torch")
PASSES, MOST_PASSES = 4, 8
WARM_UP_RUNS = 2
FEWEST_RUNS, MOST_RUNS, SECONDS_A_PASS = 5, 50, 0.4
_GROUP = 4  # networks in memory at once, whose runs are taken in turns


def check_host(target: Target) -> None:
    """`WrongUse` where this machine cannot be that target, or the runtime's packages are missing."""
    if target.device != HOST:
        raise WrongUse(f"device {target.device} cannot be measured here, only {HOST}: this machine's CPU")
    if target.precision not in (FP32, MIXED):
        raise WrongUse(f"precision {target.precision} cannot be measured here, only {FP32} and {MIXED}")
    if target.runtime not in RUNTIMES:
        raise WrongUse(unknown("runtime of a profile", target.runtime, RUNTIMES))
    if target.precision == MIXED and target.runtime != "onnxruntime":
        raise WrongUse(f"--runtime {target.runtime}: networks with a width for each operator run in onnxruntime")
    if target.threads > cores():
        raise WrongUse(f"{target.threads} threads want as many processors; this process may use {cores()}")
    if target.runtime == "onnxruntime":
        from nas import onnx_door

        onnx_door.require("--runtime onnxruntime")


def host_profile(
    space: SearchSpace[Any],
    population: Population,
    target: Target,
    known: Sequence[Measured | None] = (),
    told: Callable[[Known], None] = lambda found: None,
    report: Report = lambda done, total, remark: None,
    clock: Clock = time.perf_counter,
) -> list[Measured]:
    """Measures networks with random weights, in this process on processors of its own; one figure a network.

    `known`: figures of earlier passes here, by row; only the passes that they lack are taken. `told` is given all
    figures after every few networks. `WrongUse` as `check_host`.
    """
    check_host(target)
    found: Known = list(known) or [None] * len(population)
    rows = [row for row, latency in enumerate(found) if passes_left(latency)]
    done, unprepared = 0, len(rows)

    def step(remark: str, steps: int) -> None:
        nonlocal done
        done += steps
        report(done, done + unprepared + sum(passes_left(found[row]) for row in rows), remark)

    with TemporaryDirectory(prefix="fitnas-profile-") as folder, _measuring(target.threads):
        host = _HOSTS[target.runtime](space, population, target, Path(folder))
        for row in rows:
            host.prepare(row)
            unprepared -= 1
            step("preparing", 1)
        for number in range(MOST_PASSES):
            now = [row for row in rows if _taken(found[row]) <= number and passes_left(found[row])]
            for start in range(0, len(now), _GROUP):
                group = now[start : start + _GROUP]
                for row, seconds in zip(group, _timed([host.run(row) for row in group], clock), strict=True):
                    found[row] = _joined(found[row], Measured.of_pass(seconds))
                told(found)
                step(f"pass {number + 1}", len(group))
    return [latency for latency in found if latency is not None]


def passes_left(latency: Measured | None) -> int:
    """Passes that a network still wants at least: until there are `PASSES`, then while no two agree."""
    taken = _taken(latency)
    unsure = latency is None or not latency.is_confirmed
    return max(PASSES - taken, int(unsure and taken < MOST_PASSES))


def _taken(latency: Measured | None) -> int:
    return 0 if latency is None else latency.taken


def _joined(before: Measured | None, after: Measured) -> Measured:
    return after if before is None else before.joined(after)


@contextmanager
def _measuring(threads: int) -> Iterator[None]:
    with pinned(threads), torch_threads(threads), torch.inference_mode():
        yield


def _timed(runs: Sequence[Run], clock: Clock) -> list[list[float]]:
    """Seconds of each run of some networks, taken in turns, so that a busy moment meets all alike."""
    repeats = []
    for run in runs:
        for _ in range(WARM_UP_RUNS):
            began = clock()
            run()
        seconds = max(clock() - began, 1e-9)
        repeats.append(int(np.clip(SECONDS_A_PASS / seconds, FEWEST_RUNS, MOST_RUNS)))
    return in_turns(runs, repeats, clock)


class _Torch:
    """Networks in torch, built when they are measured."""

    def __init__(self, space: SearchSpace[Any], population: Population, target: Target, folder: Path) -> None:
        self.space, self.population, self.target, self.folder = space, population, target, folder

    def prepare(self, row: int) -> None:
        """Nothing to do."""

    def network(self, row: int) -> torch.nn.Module:
        """The network of a row with random weights."""
        return random_network(self.space, self.population, row)

    def pictures(self, row: int) -> torch.Tensor:
        """A random batch for it."""
        with random_numbers(0):
            return torch.rand(self.target.batch, *self.space.input_size(self.population[row]))

    def run(self, row: int) -> Run:
        """What runs a batch once."""
        network, pictures = self.network(row), self.pictures(row)
        return lambda: network(pictures)


class _OnnxRuntime(_Torch):
    """Networks in onnxruntime, converted once."""

    def prepare(self, row: int) -> None:
        """Writes the network as a file."""
        self._file(row).write_bytes(timed_file(self.space, self.population, row, self.target.batch))

    def run(self, row: int) -> Run:
        """What runs a batch once."""
        from nas.onnx_door import runner

        return runner(self._file(row), self.pictures(row), self.target.threads)

    def _file(self, row: int) -> Path:
        return self.folder / f"{row}.onnx"


_HOSTS = {"onnxruntime": _OnnxRuntime, "torch": _Torch}


def random_network(space: SearchSpace[Any], population: Population, row: int) -> torch.nn.Module:
    """The network of a row in eval mode, with random weights that are the same every time."""
    with random_numbers(0):
        return space.build(population[row]).eval()


def timed_file(space: SearchSpace[Any], population: Population, row: int, batch: int) -> bytes:
    """The content of a .onnx file of a row for exactly `batch` pictures, widths as its policy says where it has one."""
    from nas.evaluation.quantized_file import random_quantized_file
    from nas.onnx_door import fixed_onnx_file

    architecture = population[row]
    if isinstance(space, WithQuantization):
        return random_quantized_file(space, architecture, batch)
    return fixed_onnx_file(random_network(space, population, row), space.input_size(architecture), batch)
