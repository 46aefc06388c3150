"""How fast networks run on this machine: images a second of a batch, milliseconds of one picture."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.core.speed_setup import SpeedSetup
from nas.training.device import random_numbers, torch_threads
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

# Each network runs once and at least so long before it counts, then in turns with the others of its group.
WARM_UP_SECONDS = 0.1
MEASURED_SECONDS = 1.0
FEWEST_REPEATS, MOST_REPEATS = 3, 50
_GROUP = 8  # networks in memory at once

Clock = Callable[[], float]


def host_speed(
    space: SearchSpace[Any],
    columns: Sequence[str],
    setup: SpeedSetup,
    population: Population,
    clock: Clock = time.perf_counter,
) -> dict[str, NDArray[np.float64]]:
    """`images_per_second` and `latency_ms` `(n,)` as asked for by `columns`, each with `<column>_batch`, `_threads`.

    Networks with random weights, in eval mode and float32 torch on the CPU, or where their architectures carry a
    quantization policy in onnxruntime at its widths; the median of repeats.
    """
    found = {column: np.zeros(len(population)) for column in columns}
    for start in range(0, len(population), _GROUP):
        rows = range(start, min(start + _GROUP, len(population)))
        architectures = [population[row] for row in rows]
        for column in columns:
            batch = setup.batch_of(column)
            if isinstance(space, WithQuantization):
                runs = _policy_runs(space, architectures, batch, setup.threads)
            else:
                runs = _float_runs(space, architectures, batch)
            with _measuring(setup.threads):
                seconds = median_seconds(runs, clock)
            found[column][rows.start : rows.stop] = [_figure(column, batch, each) for each in seconds]
    for column in columns:
        found[f"{column}_batch"] = np.full(len(population), setup.batch_of(column), dtype=np.float64)
        found[f"{column}_threads"] = np.full(len(population), setup.threads, dtype=np.float64)
    return found


def _float_runs(
    space: SearchSpace[Any], architectures: Sequence[Architecture], batch: int
) -> list[Callable[[], object]]:
    with random_numbers(0):
        networks = [space.build(architecture).eval() for architecture in architectures]
        pictures = [torch.rand(batch, *space.input_size(architecture)) for architecture in architectures]
    return [partial(_run, network, x) for network, x in zip(networks, pictures, strict=True)]


def _policy_runs(
    space: WithQuantization, architectures: Sequence[Architecture], batch: int, threads: int
) -> list[Callable[[], object]]:
    from nas.evaluation.quantized_file import random_quantized_file
    from nas.onnx_door import runner

    runs = []
    for architecture in architectures:
        with random_numbers(0):
            pictures = torch.rand(batch, *space.input_size(architecture))
        runs.append(runner(random_quantized_file(space, architecture, batch), pictures, threads))
    return runs


def median_seconds(runs: Sequence[Callable[[], object]], clock: Clock = time.perf_counter) -> list[float]:
    """Median seconds of each call. Repeats of all are taken in turns, so that a busy moment meets all alike."""
    repeats = [_repeats(_warmed_up(run, clock)) for run in runs]
    return [float(np.median(times)) for times in in_turns(runs, repeats, clock)]


def in_turns(runs: Sequence[Callable[[], object]], repeats: Sequence[int], clock: Clock) -> list[list[float]]:
    """Seconds of each call, `repeats` of each, taken in turns."""
    taken: list[list[float]] = [[] for _ in runs]
    for turn in range(max(repeats, default=0)):
        for run, times, most in zip(runs, taken, repeats, strict=True):
            if turn < most:
                began = clock()
                run()
                times.append(clock() - began)
    return taken


def _warmed_up(run: Callable[[], object], clock: Clock) -> float:
    """Seconds of the last of the calls that nobody counts."""
    began = clock()
    while True:
        before = clock()
        run()
        now = clock()
        if now - began >= WARM_UP_SECONDS:
            return now - before


def _repeats(seconds: float) -> int:
    wanted = math.ceil(MEASURED_SECONDS / seconds) if seconds > 0 else MOST_REPEATS
    return min(max(wanted, FEWEST_REPEATS), MOST_REPEATS)


def _figure(column: str, batch: int, seconds: float) -> float:
    return seconds * 1e3 / batch if column == "latency_ms" else batch / seconds


def _run(network: nn.Module, pictures: Tensor) -> Tensor:
    logits: Tensor = network(pictures)
    return logits


@contextmanager
def _measuring(threads: int) -> Iterator[None]:
    with random_numbers(0), torch.inference_mode(), torch_threads(threads):
        yield
