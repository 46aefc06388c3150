"""Hands figures to the sinks; whatever goes wrong with a sink, the work that is tracked goes on."""

import contextlib
import functools
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.core.trial import Trial
from nas.tracking import sink_class
from nas.tracking.sink import Sink

if TYPE_CHECKING:
    from nas.conductor import Event
    from nas.training.epochs import Progress


class Tracker:
    """The sinks of one part of a run, opened with the first figure. No method raises.

    Names: `supernet/...` and `training/...` by step of the optimizer, `trial/<column>` by the trial's number,
    `search/...` by the number of trials that are done.
    """

    def __init__(self, names: Sequence[str], folder: Path, run: str, part: str, fresh: bool = False) -> None:
        self._names, self._folder, self._run, self._part, self._fresh = tuple(names), folder, run, part, fresh
        self._sinks: dict[str, Sink] | None = None
        self._first: list[Callable[[Sink], object]] = []

    def configuration(self, text: str) -> None:
        """The configuration, written before the first figure."""
        self._first.append(lambda sink: sink.event("configuration", text, 0))

    def trials(self, recorded: Iterable[Trial]) -> None:
        """Trials of an earlier part of the same search: what a killed process did not write is made up for."""
        known = list(recorded)
        self._first.append(functools.partial(_tell_trials, trials=known))

    def training(self, what: str, at: "Progress") -> None:
        """A step of a training: its loss, the epoch's mean so far, the learning rate."""
        figures = {"loss": at.step_loss, "epoch_mean_loss": at.loss, "learning_rate": at.learning_rate}
        self.figures({f"{what}/{name}": value for name, value in figures.items()}, at.step)

    def figures(self, values: Mapping[str, float], step: int) -> None:
        """Figures of one step by name; those that are no finite number are left out."""
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self._each(lambda sink: [sink.scalar(name, value, step) for name, value in finite.items()])

    def told(self, event: "Event") -> None:
        """Something that happened in a search."""
        if event.kind == "lost":
            self._each(lambda sink: sink.event("search/lost", f"trial {event.number}: {event.error}", event.done))
        if event.trial is None:
            return
        self._each(functools.partial(_tell_trials, trials=[event.trial]))
        volume = {} if event.hypervolume is None else {"search/hypervolume": event.hypervolume}
        self.figures({**volume, "search/front": event.front, "search/rejected": event.rejected}, event.done)

    def close(self) -> None:
        """Closes what was opened."""
        if self._sinks:
            self._each(lambda sink: sink.close())
        self._sinks = {}

    def _each(self, do: Callable[[Sink], object]) -> None:
        if self._sinks is None:
            self._sinks = {}
            for name in self._names:
                self._guarded(name, functools.partial(self._open, name))
        for name, sink in list(self._sinks.items()):
            self._guarded(name, functools.partial(do, sink))

    def _open(self, name: str) -> None:
        sink = sink_class(name)(self._folder / name, self._run, self._part, self._fresh)
        self._sinks = {**(self._sinks or {}), name: sink}
        for tell in self._first:
            tell(sink)

    def _guarded(self, name: str, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, what it reports on matters more
            self._drop(name, error)

    def _drop(self, name: str, error: Exception) -> None:
        """Says once that a sink is lost, and goes on without it."""
        sink = (self._sinks or {}).pop(name, None)
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        sys.stderr.write(f"nas: tracking by {name} stopped: {what}; the work itself goes on\n")
        if sink is not None:
            with contextlib.suppress(Exception):
                sink.close()


def _tell_trials(sink: Sink, trials: Iterable[Trial]) -> None:
    for trial in trials:
        if trial.state == "failed":
            sink.event("trial/failed", f"trial {trial.number}: {trial.error}", trial.number)
        for column, value in {**trial.metrics, "seconds": trial.seconds}.items():
            sink.scalar(f"trial/{column}", value, trial.number)
