"""`nas profile`: figures of networks that span a space, measured on this machine or to be measured on another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.board_profiling import SimulatedBoard, board_profile, check_board, simulated_board
from nas.config import RunConfig
from nas.core.measured import FP32, HOST, MIXED, Measured, Target, noise
from nas.feasibility import ends_that_fit
from nas.pricing import EXACT_COLUMNS
from nas.progress import Reporter, Silent
from nas.searching import Admitted, admit, prepare
from nas.shared_weights import curriculum
from nas.spread import spread_out
from nas.storage.files import check_free, os_errors_explained, write_atomically
from nas.storage.measured_rows import MeasuredRows
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.evaluation.host_profile import Known

_POOL = 2000
_MOST_SAMPLES = 1000


@dataclass(frozen=True)
class Profile:
    """Networks of a space and where their figures are kept.

    `rows` are those of `out` at the moment; a profile that was stopped goes on from what stands there. `folder` gets an
    .onnx file of each network, where they are for another device than this machine.
    """

    space: SearchSpace[Any]
    rows: MeasuredRows
    out: Path
    folder: Path | None = None

    def lines(self, samples: int) -> list[str]:
        """What to tell before it runs: the input, what is kept, whether fewer networks were found than asked for."""
        channels, height, width = self.space.input_size(self.space.extremes()[1])
        found, kept = len(self.rows.architectures), sum(latency is not None for latency in self.rows.figures)
        lines = [f"space {self.space.name}: {channels} channels, up to {height}x{width} pixels"]
        lines += [f"{self.out} goes on: {kept} networks have figures"] if kept else []
        lines += [f"only {found} networks were found within the budget, of {samples} asked for"] * (found < samples)
        return lines

    def run(self, reporter: Reporter | None = None) -> MeasuredRows:
        """Measures what is not measured yet, or writes the networks' files; `out` is written after every few."""
        reporter = reporter or Silent()
        self.rows.write(self.out)
        population = self.space.population(self.rows.architectures)
        if self.folder is not None:
            self._write_networks(population, self.folder, reporter)
            return self.rows
        return self._measured(population, reporter)

    def _measured(self, population: Population, reporter: Reporter) -> MeasuredRows:
        on = simulated_board(self.rows.target.device)
        if on is not None:
            return self._simulated(on, population, reporter)
        from nas.evaluation.host_profile import host_profile, passes_left

        if not any(map(passes_left, self.rows.figures)):
            reporter.note(f"{self.out} is complete; nothing is left to measure")
            return self.rows

        def keep(found: "Known") -> None:
            replace(self.rows, figures=tuple(found)).write(self.out)

        with reporter.progress(f"profiling {len(population)} networks") as report:
            found = host_profile(self.space, population, self.rows.target, self.rows.figures, keep, report)
        return replace(self.rows, figures=tuple(found))

    def _simulated(self, on: SimulatedBoard, population: Population, reporter: Reporter) -> MeasuredRows:
        def keep(found: Sequence[Measured | None]) -> None:
            replace(self.rows, figures=tuple(found)).write(self.out)

        with reporter.progress(f"simulating {len(population)} networks") as report:
            found = board_profile(self.space, population, on, self.rows.figures, keep, report)
        return replace(self.rows, figures=tuple(found))

    def _write_networks(self, population: Population, folder: Path, reporter: Reporter) -> None:
        from nas.evaluation.host_profile import timed_file

        with os_errors_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with reporter.progress("writing networks") as report:
            for row, architecture in enumerate(population):
                content = timed_file(self.space, population, row, self.rows.target.batch)
                write_atomically(folder / f"{architecture.id}.onnx", content)
                report(row + 1, len(population), architecture.id)

    def noise(self, rows: MeasuredRows) -> str:
        """What to say of this machine where it was too busy; empty where it was quiet, or another is to be measured."""
        exact = self.folder is not None or simulated_board(self.rows.target.device) is not None
        return "" if exact else noise([latency for latency in rows.figures if latency])


def precision_of(config: RunConfig) -> str:
    """In which numbers the networks of a configuration run."""
    return MIXED if issubclass(space_class(config.space_name), WithQuantization) else FP32


def prepare_profile(
    config: RunConfig,
    target: Target,
    samples: int,
    out: Path,
    folder: Path | None = None,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Profile:
    """Chooses networks of a space within the exact limits of the configuration, or those that `out` holds already.

    Of the configuration count `space`, `set`, `budget`, `seed`, and `data` where it was given. `WrongUse` where the
    target cannot be measured here and no folder is named, or `out` holds rows of something else and `force` is not
    given; `Infeasible` where nothing fits.
    """
    _check(config, target, samples, folder)
    kept = _kept(out, target, force)
    with_data = "data" in config.model_fields_set
    admitted = prepare(config, reporter=reporter) if with_data else admit(config, reporter=reporter)
    space = admitted.parts.space
    known = _of_space(kept, space, out)
    chosen = space.population(kept.architectures if kept else [])
    if len(chosen) < samples:
        wanted = representatives(admitted, samples)
        new = [architecture for architecture in wanted if architecture not in set(chosen)]
        chosen = chosen.concatenate(space.population(new[: samples - len(chosen)]))
    figures = (*known, *[None] * (len(chosen) - len(known)))
    return Profile(space, MeasuredRows(target, tuple(chosen), figures), out, folder)


def representatives(admitted: Admitted, count: int) -> Population:
    """Networks within the budget that lie far apart by their operators; the ones of fewest and most MACs come first.

    Fewer than `count` where fewer are found. From `spread_out`, of a pool that the seed decides.
    """
    parts, seed = admitted.parts, admitted.config.seed
    ends = ends_that_fit(parts.pricer, admitted.feasibility)
    plan = curriculum(parts.space, parts.pricer, admitted.feasibility, seed)
    pool = ends.concatenate(plan.draw(np.random.default_rng([seed, 5]), _POOL))
    return pool[spread_out(pool, count, first=len(ends))]


def _check(config: RunConfig, target: Target, samples: int, folder: Path | None) -> None:
    if not 1 <= samples <= _MOST_SAMPLES:
        raise WrongUse(f"--samples is 1 to {_MOST_SAMPLES:,}, got {samples}")
    for column in config.limits.limits:
        if column not in EXACT_COLUMNS:
            usable = ", ".join(METRIC_OF_COLUMN[each].key for each in EXACT_COLUMNS if each in METRIC_OF_COLUMN)
            raise WrongUse(
                f"--budget {METRIC_OF_COLUMN[column].key}: networks are chosen by exact figures before any is "
                f"measured: {usable}"
            )
    if folder is not None:
        if target.device == HOST:
            raise WrongUse("--export writes networks for another device; name it, as --device my-board")
        from nas.onnx_door import require

        require("--export")
    elif simulated_board(target.device) is not None:
        check_board(target)
    elif target.device != HOST:
        raise WrongUse(
            f"--device {target.device}: {HOST}, this machine, and simulated cores such as cortex-m4 can be measured "
            "here, and devices with a calibration; add --export DIR to get the "
            "networks as .onnx files and a CSV file whose column latency_ms you fill in"
        )
    else:
        from nas.evaluation.host_profile import check_host

        check_host(target)


def _kept(out: Path, target: Target, force: bool) -> MeasuredRows | None:
    """The rows to go on from; None where `out` begins anew."""
    if force or not out.exists():
        check_free(out, force)
        return None
    if out.is_dir():
        raise WrongUse(f"{out} is a folder; give the name of a file in it")
    try:
        found = MeasuredRows.read(out)
    except FitnasError as error:
        raise WrongUse(f"{error}\nbegin anew with --force, or give another --out") from None
    if found.target != target:
        raise WrongUse(f"{out} holds rows of {found.target}, not of {target}; give another --out, or --force")
    return found


def _of_space(kept: MeasuredRows | None, space: SearchSpace[Any], out: Path) -> Sequence[Measured | None]:
    if kept is None:
        return ()
    try:
        space.population(kept.architectures)
    except WrongUse as error:
        raise WrongUse(f"{out} holds rows of something else: {error}; give another --out, or --force") from None
    return kept.figures
