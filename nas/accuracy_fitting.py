"""`nas predictor fit RUN --metric accuracy`: from runs, or a file of rows, to a folder; and its judgement by others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.accuracy_predictor import DEFAULT, DEFAULT_PROXIES, AccuracyScores, LearntAccuracy, Whose
from nas.assembly import RUNS, restore_space
from nas.progress import Reporter, Silent
from nas.proxies import chosen_proxies
from nas.run import StoredRun
from nas.storage.accuracy_rows import AccuracyRows
from nas.storage.files import check_free_folder
from nas.storage.run_directory import RunDirectory
from nas.training.data import DataDescription, describe, load
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]

NO_PROXIES = "none"
_PICTURES, _SEED = 32, 0  # of the batch that proxies look at, the same for all runs of some data


@dataclass(frozen=True)
class _Data:
    """What networks were measured on; `described` reads it anew, `WrongUse` where it has changed since."""

    source: str
    hash: str
    described: Callable[[], DataDescription]
    cache: Path | None = None

    def __str__(self) -> str:
        return f"{Path(self.source).name}, hash {self.hash[:12]}"


@dataclass(frozen=True)
class _Measured:
    """One run or file: its rows, and whose they are, where that is known."""

    name: str
    rows: AccuracyRows
    evaluator: str | None = None
    data: _Data | None = None


@dataclass(frozen=True)
class Judgement:
    """What `evaluate_accuracy` found, and `remarks` on what to take with care."""

    predictor: LearntAccuracy
    scores: AccuracyScores
    remarks: Sequence[str]


def fit_accuracy(
    sources: Sequence[str | Path],
    out: Path,
    model: str | None = None,
    proxies: str | None = None,
    data: str | None = None,
    force: bool = False,
    root: Path = RUNS,
    reporter: Reporter | None = None,
) -> tuple[LearntAccuracy, AccuracyScores]:
    """Learns and writes; gives the predictor and how well each network is predicted from the others.

    `sources`: names or folders of runs of one space, data and evaluator, and CSV files of rows. A network that several
    evaluated counts once, with its mean accuracy. `proxies`: names with commas between, or none; default nwot. They
    look at the runs' data, else at `data`; without either, a file has to have a column of each. `WrongUse` where
    sources do not belong together or teach nothing; nothing is written then.
    """
    check_free_folder(out, force)
    names = () if proxies == NO_PROXIES else chosen_proxies(proxies) if proxies else DEFAULT_PROXIES
    parts = [_measured(source, root) for source in sources]
    seen = _one_data(parts, data)
    how = _one_evaluator(parts)
    rows = _joined(parts)
    whose = Whose(
        data=Path(seen.source).name if seen else None,
        data_hash=seen.hash if seen else None,
        evaluator=how,
        sources=[part.name for part in parts],
        pictures=_PICTURES if names else 0,
        seed=_SEED,
    )
    rows = _with_proxies(rows, names, whose, seen, reporter or Silent())
    made = LearntAccuracy(rows, model or DEFAULT, whose)
    return made, made.save(out)


def evaluate_accuracy(
    folder: Path,
    source: str | Path,
    data: str | None = None,
    root: Path = RUNS,
    reporter: Reporter | None = None,
) -> Judgement:
    """How well a folder's predictor knows the networks of another run, or of a file of rows.

    `WrongUse` where these are of another space, other settings or other data.
    """
    known = LearntAccuracy.load(folder)
    part = _measured(source, root)
    seen = _one_data([part], data)
    ours, theirs = known.rows.architectures[0], part.rows.architectures[0]
    if (theirs.space, theirs.settings) != (ours.space, ours.settings):
        what = f"the space '{theirs.space}'" if theirs.space != ours.space else f"'{theirs.space}' with other settings"
        raise WrongUse(f"{part.name} is of {what}, the predictor of '{ours.space}'; compare like with like")
    if seen is not None and known.whose.data_hash not in (None, seen.hash):
        raise WrongUse(
            f"{part.name} is of the data {seen}, the predictor of {known.whose.data}, hash "
            f"{(known.whose.data_hash or '')[:12]}; compare like with like"
        )
    rows = _with_proxies(part.rows, tuple(known.rows.proxies), known.whose, seen, reporter or Silent())
    return Judgement(known, known.evaluate(rows), _remarks(known, part))


def _remarks(known: LearntAccuracy, part: _Measured) -> list[str]:
    remarks = []
    learnt = len(set(known.rows.architectures) & set(part.rows.architectures))
    if learnt:
        remarks.append(f"{learnt} of these networks were learnt from, which flatters the figures")
    if known.whose.evaluator and part.evaluator and known.whose.evaluator != part.evaluator:
        remarks.append(
            f"accuracy of {part.name} comes from {part.evaluator}, what was learnt from {known.whose.evaluator}: their "
            "order can be compared, not their height"
        )
    return remarks


def _measured(source: str | Path, root: Path) -> _Measured:
    path = Path(source)
    if path.suffix.lower() == ".csv" or path.is_file():
        return _Measured(path.name, AccuracyRows.read(path))
    run = StoredRun(RunDirectory.open(root, path.name)) if path.name == str(path) else StoredRun.load(path)
    known = [(t.architecture, t.metrics["top1"]) for t in run.trials if t.state == "complete" and "top1" in t.metrics]
    if not known:
        raise WrongUse(
            f"run '{run.name}' knows no network's accuracy (evaluator {run.parts.evaluator}); name a run of "
            "--evaluator supernet or train that has evaluated some"
        )
    rows = AccuracyRows(tuple(one for one, _ in known), np.array([top1 for _, top1 in known]), {})
    fidelity = f", {run.config.fidelity}" if run.config.fidelity else ""
    data = _Data(run.config.data, run.record.data_hash, run.described_data, run.cache)
    return _Measured(run.name, rows, f"{run.parts.evaluator}{fidelity}", data)


def _one_data(parts: Sequence[_Measured], data: str | None) -> _Data | None:
    """The data of all runs, else what `--data` names; `WrongUse` where runs have different ones."""
    known = [(part.name, part.data) for part in parts if part.data is not None]
    if known and data:
        raise WrongUse("--data is for files of rows; a run has its own data: leave --data away")
    if not known:
        return _named(data) if data else None
    (first, ours), *others = known
    for name, theirs in others:
        if theirs.hash != ours.hash:
            raise WrongUse(
                f"run '{name}' has other data ({theirs}) than run '{first}' ({ours}): their accuracies cannot be "
                "learnt together"
            )
    return ours


def _named(data: str) -> _Data:
    found = describe(data)
    return _Data(found.source, found.hash, lambda: found)


def _one_evaluator(parts: Sequence[_Measured]) -> str | None:
    """How accuracy was measured; None where no run says; `WrongUse` where runs differ."""
    told = {part.evaluator: part.name for part in parts if part.evaluator}
    if len(told) > 1:
        each = "; ".join(f"{name} has {how}" for how, name in told.items())
        raise WrongUse(f"runs measured accuracy in different ways ({each}), which cannot be learnt together")
    return next(iter(told), None)


def _joined(parts: Sequence[_Measured]) -> AccuracyRows:
    """All networks once, in order; proxies that every part knows, where none is a run."""
    found: dict[Architecture, list[float]] = {}
    scores: dict[str, dict[Architecture, float]] = {}
    names = [name for name in parts[0].rows.proxies if all(name in part.rows.proxies for part in parts)]
    for part in parts:
        for row, architecture in enumerate(part.rows.architectures):
            found.setdefault(architecture, []).append(float(part.rows.top1[row]))
            for name in names:
                scores.setdefault(name, {}).setdefault(architecture, float(part.rows.proxies[name][row]))
    proxies = {name: np.array([scores[name][architecture] for architecture in found]) for name in names}
    return AccuracyRows(tuple(found), np.array([np.mean(values) for values in found.values()]), proxies)


def _with_proxies(
    rows: AccuracyRows,
    names: Sequence[str],
    whose: Whose,
    data: _Data | None,
    reporter: Reporter,
) -> AccuracyRows:
    """The rows with what these proxies say: asked anew where there are pictures, else what the file says."""
    if not names or data is None:
        lacking = [name for name in names if name not in rows.proxies]
        if lacking:
            raise WrongUse(
                f"a zero-cost proxy looks at pictures, and the rows have no column {lacking[0]} that says what it saw; "
                f"give the pictures with --data, or learn without: --proxies {NO_PROXIES}"
            )
        return rows.with_proxies(names)
    scores = _asked(rows.architectures, names, whose, data, reporter)
    return AccuracyRows(rows.architectures, rows.top1, scores)


def _asked(
    architectures: Sequence[Architecture],
    names: Sequence[str],
    whose: Whose,
    data: _Data,
    reporter: Reporter,
) -> Mapping[str, Floats]:
    """Scores `(n,)` by proxy of networks of one space, all shown the same pictures."""
    from nas.evaluation.zero_cost import Untrained, batch_of

    space = restore_space(architectures[0])
    channels, *size = space.input_size(space.extremes()[1])
    description = data.described()
    facts = description.facts
    if (facts.channels, facts.classes) != (channels, space.settings.classes):
        raise WrongUse(
            f"the networks are for {channels} channels and {space.settings.classes} classes, {description.source} has "
            f"{facts.channels} and {facts.classes}; give the data that they were measured on"
        )
    with reporter.progress("reading pictures") as report:
        read = load(
            description,
            (size[0], size[1]),
            whose.seed,
            cache=data.cache,
            progress=lambda done, all_: report(done, all_, ""),
        )
    untrained = Untrained(space, batch_of(read.train, whose.pictures, whose.seed), read.mean, read.std, whose.seed)
    scores = {name: np.full(len(architectures), np.nan) for name in names}
    with reporter.progress("asking untrained networks") as report:
        for row, architecture in enumerate(architectures):
            report(row, len(architectures), architecture.id)
            for name, said in untrained.ask(architecture, names).items():
                scores[name][row] = said.score
        report(len(architectures), len(architectures), "")
    return scores
