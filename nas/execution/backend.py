"""What a backend is given, what it does, and what it tells about the time it took."""

import logging
import os
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from nas.conductor import Conductor
from search_spaces.core.architecture import Architecture

_LONGEST_ERROR = 500
_log = logging.getLogger(__name__)


class Evaluator(Protocol):
    """Measures architectures: a pure function of the architecture, whatever it evaluated before.

    One that measures in stages, each more exact and more expensive, has a method `stages` as well: an iterator over
    `Stage`. The search may end an evaluation after any stage; the figures of the last one reached count.
    """

    def evaluate(self, architecture: Architecture) -> Mapping[str, float]:
        """Figures by column, such as `top1`."""


class Stage(NamedTuple):
    """What an evaluation found so far; `last`: there is no further stage."""

    metrics: Mapping[str, float]
    last: bool


MakeEvaluator = Callable[[], Evaluator]
"""Builds the evaluator in the process that will use it.

It must be picklable, for example `functools.partial(SupernetEvaluator, space, weights=...)`. Large NumPy arrays among
its arguments are shared between workers without a copy, read-only; torch tensors would be copied.
"""


@dataclass(frozen=True)
class Settings:
    """How to run: `workers` evaluations at once, never more than the conductor's lag + 1; None means one for each
    usable core.

    `ray_address`: a Ray cluster that is up ("auto" or "host:port"); None starts a private one for the search.
    `gpus_per_worker` may be a fraction.
    """

    workers: int | None = None
    ray_address: str | None = None
    gpus_per_worker: float = 0.0


@dataclass(frozen=True)
class Accounting:
    """Where the time went. `start_seconds` runs until the first evaluation begins; `wall_seconds` includes it.

    The idle shares are 1 - evaluation / (workers x wall): what the workers could have evaluated and did not.
    """

    workers: int
    wall_seconds: float
    start_seconds: float
    evaluation_seconds: float

    @property
    def idle_share(self) -> float:
        """Share of the whole wall time not spent evaluating, 0 to 1; 0 where nothing ran."""
        return self._share(self.wall_seconds)

    @property
    def idle_share_without_start(self) -> float:
        """The same, counted from the beginning of the first evaluation."""
        return self._share(self.wall_seconds - self.start_seconds)

    def _share(self, seconds: float) -> float:
        available = self.workers * seconds
        return min(max(1.0 - self.evaluation_seconds / available, 0.0), 1.0) if available > 0 else 0.0


@dataclass
class Stopwatch:
    """Measures a backend's run."""

    began: float = field(default_factory=time.monotonic)
    first_evaluation: float | None = None

    def result(self, seconds: float) -> None:
        """A result arrived just now, after an evaluation of `seconds`."""
        if self.first_evaluation is None:
            self.first_evaluation = max(time.monotonic() - seconds, self.began)

    def accounting(self, workers: int, evaluation_seconds: float) -> Accounting:
        """The account of everything until now."""
        now = time.monotonic()
        first = now if self.first_evaluation is None else self.first_evaluation
        return Accounting(workers, now - self.began, first - self.began, evaluation_seconds)


class Backend(ABC):
    """Evaluates a conductor's proposals until there are no more."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @contextmanager
    def warming_up(self, shared_bytes: int) -> Iterator[None]:
        """While entered, `run` starts sooner: what takes seconds is begun here, in the background.

        `shared_bytes`: what the evaluator's arrays will take, about. Leaving ends what was begun. May be left out.
        """
        yield

    @abstractmethod
    def run(self, conductor: Conductor, make_evaluator: MakeEvaluator) -> Accounting:
        """Pulls, evaluates and reports, until `propose` gives None.

        The conductor is only called from this thread. SIGINT and SIGTERM stop it (see `StopOnSignals`); evaluations
        under way are then dropped, at its deadline they are finished. An evaluation that raises is reported as failed;
        one whose process dies is reported as lost. Errors of the conductor, such as a full disk, are raised. What was
        started is ended and temporary files are deleted, whatever happens.
        """


@dataclass(frozen=True)
class Outcome:
    """What an evaluation gave so far: metrics, or an error. `last`: it cannot go on."""

    metrics: Mapping[str, float]
    seconds: float
    error: str = ""
    last: bool = True

    def report_to(self, conductor: Conductor, number: int) -> None:
        """Hands it to the conductor."""
        if self.error:
            conductor.report_failure(number, self.error, seconds=self.seconds)
        else:
            conductor.report(number, self.metrics, self.seconds)


def outcomes(evaluator: Evaluator, architecture: Architecture) -> Iterator[Outcome]:
    """The evaluation stage by stage, timed; its figures as plain numbers, its exception as text. At least one."""
    seconds, start = 0.0, time.perf_counter()
    try:
        for stage in _stages(evaluator, architecture):
            metrics = {column: float(value) for column, value in stage.metrics.items()}
            seconds += time.perf_counter() - start
            yield Outcome(metrics, seconds, last=stage.last)
            if stage.last:
                return
            start = time.perf_counter()
        raise ValueError("the evaluation ended without a last stage")
    except Exception as error:  # noqa: BLE001 - an evaluator is foreign code: what it raises is the result of one trial
        _log.debug("evaluation of %s failed", architecture, exc_info=True)
        yield Outcome({}, seconds + time.perf_counter() - start, described(error))


def _stages(evaluator: Evaluator, architecture: Architecture) -> Iterator[Stage]:
    if hasattr(evaluator, "stages"):
        yield from evaluator.stages(architecture)
    else:
        yield Stage(evaluator.evaluate(architecture), last=True)


def usable_cores() -> int:
    """Processor cores that this process may use; a container or `taskset` may give fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def described(error: BaseException) -> str:
    """Type, message and place of an exception in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return (text if len(text) <= _LONGEST_ERROR else text[:_LONGEST_ERROR] + "...") + place
