"""Latency of a search's front, measured on this machine once the search is over: what was promised beside what is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nas.core.measured import HOST, Measured
from nas.pricing import promised
from nas.progress import Reporter
from nas.run import StoredRun
from nas.storage.measured_rows import MeasuredRows
from nas.storage.sheet import LATENCY


@dataclass(frozen=True)
class Promise:
    """A member of the front: milliseconds as predicted, as held to a limit (the upper end of the interval, where one is
    known), and as measured.
    """

    id: str
    predicted: float
    promised: float
    measured: float

    @property
    def is_kept(self) -> bool:
        """Whether what was measured is within what was promised."""
        return self.measured <= self.promised


def measure_front(run: StoredRun, reporter: Reporter) -> None:
    """Measures what is not measured yet; nothing where latency was not predicted, or for another device.

    Stopped in between, it goes on with the next `nas resume`.
    """
    of_latency = (each.target for each in run.parts.predictors if each.column == LATENCY)
    target = next((target for target in of_latency if target.device == HOST), None)
    if target is None:
        return
    from nas.evaluation.host_profile import host_profile, passes_left

    population = run.parts.space.population([trial.architecture for trial in run.pareto])
    known = measured_front(run)
    figures = tuple(known.get(architecture.id) for architecture in population)
    if not any(map(passes_left, figures)):
        return
    rows = MeasuredRows(target, tuple(population), figures)

    def keep(found: list[Measured | None]) -> None:
        replace(rows, figures=tuple(found)).write(run.directory.front_latency)

    with reporter.progress("measuring the front") as report:
        host_profile(run.parts.space, population, target, figures, keep, report)


def measured_front(run: StoredRun) -> Mapping[str, Measured]:
    """By id, what was measured; empty where nothing was."""
    if not run.directory.front_latency.is_file():
        return {}
    rows = MeasuredRows.read(run.directory.front_latency)
    pairs = zip(rows.architectures, rows.figures, strict=True)
    return {architecture.id: latency for architecture, latency in pairs if latency is not None}


def promises(run: StoredRun) -> list[Promise]:
    """Of the members of the front that were measured, in its order."""
    known = measured_front(run)
    return [
        Promise(
            trial.architecture.id,
            trial.metrics[LATENCY],
            trial.metrics[promised(LATENCY, trial.metrics)],
            known[trial.architecture.id].value,
        )
        for trial in run.pareto
        if trial.architecture.id in known
    ]


def promise_line(run: StoredRun) -> str:
    """How the promises came out, in a sentence; empty where none was measured."""
    found = promises(run)
    if not found:
        return ""
    errors = sorted(abs(each.predicted / each.measured - 1) for each in found)
    broken = [each for each in found if not each.is_kept]
    median, most = (f"{100 * error:.1f} %" for error in (errors[len(errors) // 2], errors[-1]))
    line = (
        f"latency of {len(found)} networks of the front measured here: predicted to {median} (median; at most {most})"
    )
    if not broken:
        return f"{line}, every promise kept"
    told = ", ".join(f"{each.id} {each.measured:.4g} ms instead of at most {each.promised:.4g}" for each in broken)
    return f"{line}; beyond what was promised: {told}"
