"""The loop of a search: ask -> price -> reject -> evaluate -> record -> tell -> stop.

The conductor holds the loop but not the machine: a backend pulls proposals (`propose`) and brings back what came of
them (`report`, `report_failure`). Everything that decides which architectures are evaluated happens here, in one
thread, so that the archive does not depend on who evaluates, how many at once, or in which order they finish:

- the random numbers of proposal i derive from (seed, i) alone;
- proposal i is asked for after exactly the trials below i - lag were told, in order of their number.
"""

import enum
import json
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nas.candidates import Candidates, NothingLeft, Price
from nas.core.budget import Budget
from nas.core.objective import Objective
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.gate import Gate
from nas.halving import Halving
from nas.strategies.strategy import Strategy
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, Infeasible
from search_spaces.core.limits import NoneWithin
from search_spaces.core.space import SearchSpace

# How far proposals run ahead of what was told: enough for nine evaluations at once, and never a function of the number
# of workers, since the archive would depend on it.
LAG = 8
EventKind = Literal["measuring", "proposed", "complete", "failed", "lost"]
MOST_LOSSES = 3
FAILURES_THAT_END_A_SEARCH = 5


class Wait(enum.Enum):
    """What `propose` gives while the next proposal needs the result of an evaluation that is still running."""

    WAIT = "wait"


WAIT = Wait.WAIT


class StopReason(enum.Enum):
    """Why a search ended."""

    TRIALS = "all trials are done"
    EXHAUSTED = "no further architecture that fits was found"
    DEADLINE = "the time limit was reached"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"

    @property
    def complete(self) -> bool:
        """True where nothing is left to resume."""
        return self in (StopReason.TRIALS, StopReason.EXHAUSTED)

    @property
    def abandons(self) -> bool:
        """True where evaluations that are under way are dropped instead of awaited; a resumed search repeats them."""
        return self in (StopReason.INTERRUPTED, StopReason.TERMINATED)


@dataclass(frozen=True)
class Proposal:
    """An architecture to evaluate. `metrics`: figures of the schedule (`patches`, `split`), exact and measured."""

    number: int
    architecture: Architecture
    metrics: Mapping[str, float]
    patches: int
    split: int
    rejected: int
    bounded: Collection[str] = ()

    def with_figures(self, evaluated: Mapping[str, float]) -> dict[str, float]:
        """All its figures. What was priced or measured here holds, but for the upper bounds (`bounded`)."""
        return {**evaluated, **self.metrics, **{name: evaluated[name] for name in self.bounded if name in evaluated}}

    def failed(self, error: str, seconds: float) -> Trial:
        """The record of a failed evaluation; it keeps the figures that were known before."""
        how = (self.patches, self.split, seconds, self.rejected)
        return Trial(self.number, self.architecture, "failed", self.metrics, *how, error)


@dataclass(frozen=True)
class Event:
    """Something that happened, with the state of the search after it.

    `kind`: measuring (a candidate's speed, which takes seconds), proposed, complete, failed (the trial says why) or
    lost (a worker died; its proposal is put back). `done` of `trials` are recorded, `rejected` counts the candidates
    dropped in the whole search. `hypervolume` is None without a reference.
    """

    kind: EventKind
    number: int
    architecture: Architecture
    done: int
    trials: int
    rejected: int
    front: int
    hypervolume: float | None
    trial: Trial | None = None
    error: str = ""

    def to_json(self) -> str:
        """One line of JSON."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        document["architecture"] = self.architecture.id
        document["trial"] = None if self.trial is None else self.trial.to_dict()
        return json.dumps(document, separators=(",", ":"))


@dataclass
class _Losses:
    """How often the worker of a proposal died, and the proposals to hand out again."""

    counts: dict[int, int] = field(default_factory=dict)
    again: deque[Proposal] = field(default_factory=deque)


class Conductor:
    """One search, pulled by a backend.

    `price` gives the exact figures of a population (see `Candidates`). `record` writes one trial for good; it is called
    once a trial, in the order of completion. `recorded` are the trials of an earlier part of the same search: they are
    told and counted, not evaluated again. `deadline` is a moment of `clock`, after which nothing new is proposed.
    `runtime` is named in messages about the budget. `measure` gives figures that take seconds a network, of candidates
    that fit (see `Candidates`). `halving` ends evaluations early that come in stages. `bounded`: priced columns
    that are upper bounds of what evaluations find.

    The archive is the same for any backend and number of workers as long as the evaluation of an architecture gives
    equal results and the search does not end by its deadline. Not safe for threads: one thread calls everything but
    `stop`.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        strategy: Strategy,
        price: Price,
        *,
        objectives: Sequence[Objective],
        record: Callable[[Trial], None],
        trials: int,
        budget: Budget | None = None,
        runtime: str = "",
        reference: Reference | None = None,
        seed: int = 0,
        recorded: Sequence[Trial] = (),
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        lag: int = LAG,
        on_event: Callable[[Event], None] | None = None,
        halving: Halving | None = None,
        measure: Gate | None = None,
        bounded: Collection[str] = (),
    ) -> None:
        if trials < 1 or lag < 0:
            raise ValueError(f"expected at least 1 trial and a lag of 0 or more, got {trials} and {lag}")
        self.space = space
        self.objectives = tuple(objectives)
        self.budget = budget or Budget()
        self.reference = reference
        self.total = trials
        self.evaluation_seconds = 0.0
        self._strategy = strategy
        measure = measure.until(self.is_over).telling(self.measuring) if measure else None
        self._candidates = Candidates(space, price, self.budget, seed=seed, measure=measure)
        self._record = record
        self._runtime = runtime
        self._deadline = deadline
        self._clock = clock
        self._lag = lag
        self._on_event = on_event
        self._halving, self._bounded = halving, bounded
        self._trials = {trial.number: trial for trial in recorded}
        self._front = self._front_of(recorded)
        self._rejected = sum(trial.rejected for trial in recorded)
        self._seen: set[bytes] = set()
        self._next = 0
        self._told = 0
        self._in_flight: dict[int, Proposal] = {}
        self._losses = _Losses()
        self._reason: StopReason | None = None
        self._last = trials
        self._end = ""

    # what a backend calls

    def propose(self) -> Proposal | Wait | None:
        """The next proposal; `WAIT` while it needs a running evaluation, or one may yet come back; None at the end.

        `Infeasible` where no architecture fits and none was ever found.
        """
        self._pass_over_recorded()
        if has_more := self._next < self._last or bool(self._losses.again):
            self.is_over()
        if not (has_more or self._in_flight):
            self.stop(StopReason.TRIALS if self._last == self.total else StopReason.EXHAUSTED)
        if self.stopped:
            return None
        if not has_more:
            return WAIT
        if self._losses.again:
            return self._hand_out(self._losses.again.popleft())
        if not self._tell_up_to(self._next - self._lag):
            return WAIT
        try:
            found = self._candidates.find(self._next, self._strategy, self._seen)
        except NoneWithin as error:
            raise self.budget.explained(error, self._runtime) from None
        if self.stopped:  # meanwhile, by a signal or by its deadline
            return None
        if isinstance(found, NothingLeft):
            self._end_of_space(found)
            return self.propose()
        self._seen.add(found.key)
        self._next += 1
        self._rejected += found.rejected
        figures = (found.metrics, found.patches, found.split, found.rejected)
        return self._hand_out(Proposal(self._next - 1, found.architecture, *figures, self._bounded))

    def goes_on(self, number: int, metrics: Mapping[str, float]) -> bool:
        """Whether an evaluation that reached a stage with `metrics` is to go on to its next; if not, it is finished."""
        proposal = self._in_flight.get(number)
        if proposal is None or self.stopped:
            return False
        peers = [self._trials[n] for n in range(number - self._lag) if n in self._trials]
        return self._halving is None or self._halving.goes_on(proposal.with_figures(metrics), peers, number)

    def report(self, number: int, metrics: Mapping[str, float], seconds: float) -> None:
        """The evaluation of a proposal gave `metrics`; a NaN, or an objective without figure, makes it a failure.

        A second report on the same number is ignored: a worker that seemed lost may still answer. `FitnasError` where
        all of the first trials failed.
        """
        proposal = self._taken_back(number)
        if proposal is None:
            return
        figures = proposal.with_figures(metrics)
        missing = [o.column for o in self.objectives if o.column not in figures]
        if missing:
            self._complete(proposal.failed(f"the evaluation gave no '{missing[0]}'", seconds))
            return
        self._complete(
            Trial.from_results(
                number,
                proposal.architecture,
                figures,
                patches=proposal.patches,
                split=proposal.split,
                seconds=seconds,
                rejected=proposal.rejected,
            )
        )

    def report_failure(self, number: int, error: str, *, seconds: float = 0.0, lost_worker: bool = False) -> None:
        """The evaluation raised `error`, or its worker died: then the proposal is handed out again, three times."""
        proposal = self._taken_back(number)
        if proposal is None:
            return
        losses = self._losses.counts.get(number, 0) + 1
        if not lost_worker or losses > MOST_LOSSES:
            self._complete(proposal.failed(error or "no message", seconds))
            return
        self._losses.counts[number] = losses
        self._losses.again.append(proposal)
        self._emit("lost", number, proposal.architecture, error=error)

    def measuring(self, architecture: Architecture) -> None:
        """The next proposal waits for the speed of this network."""
        self._emit("measuring", self._next, architecture)

    def stop(self, reason: StopReason) -> None:
        """Proposes nothing more. The first reason counts; safe to call from a signal handler."""
        if self._reason is None:
            self._reason = reason

    def is_over(self) -> bool:
        """Whether nothing more is proposed or measured; at the deadline it stops the search."""
        if self._deadline is not None and self._clock() >= self._deadline:
            self.stop(StopReason.DEADLINE)
        return self.stopped

    # what everybody may read

    @property
    def stopped(self) -> bool:
        """True once nothing more is proposed."""
        return self._reason is not None

    @property
    def reason(self) -> StopReason | None:
        """Why the search ended; None while it runs."""
        return self._reason

    @property
    def conclusion(self) -> str:
        """Why the search ended, in words; empty while it runs."""
        if self._reason is StopReason.EXHAUSTED:
            return self._end
        return "" if self._reason is None else self._reason.value

    @property
    def most_at_once(self) -> int:
        """How many evaluations may run at once: what is left, and at most lag + 1."""
        return max(1, min(self.total - len(self._trials), self._lag + 1))

    @property
    def in_flight(self) -> int:
        """Proposals that were handed out and not reported."""
        return len(self._in_flight)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every recorded trial, by number."""
        return tuple(self._trials[number] for number in sorted(self._trials))

    @property
    def rejected(self) -> int:
        """Candidates that were dropped, over budget or seen before."""
        return self._rejected

    @property
    def front(self) -> ParetoFront:
        """The Pareto front of the recorded trials."""
        return self._front

    # how it is done

    def _pass_over_recorded(self) -> None:
        while self._next < self._last and self._next in self._trials:
            self._seen.update(self.space.population([self._trials[self._next].architecture]).keys())
            self._next += 1

    def _tell_up_to(self, end: int) -> bool:
        """Tells the trials below `end` that were not told; False where one of them is not finished."""
        numbers = range(self._told, max(self._told, end))
        if any(number not in self._trials for number in numbers):
            return False
        if numbers:
            self._strategy.tell([self._trials[number] for number in numbers])
            self._told = numbers.stop
        return True

    def _hand_out(self, proposal: Proposal) -> Proposal:
        self._in_flight[proposal.number] = proposal
        self._emit("proposed", proposal.number, proposal.architecture)
        return proposal

    def _taken_back(self, number: int) -> Proposal | None:
        """The proposal of that number, no longer in flight; None where it was reported before."""
        waiting = [proposal for proposal in self._losses.again if proposal.number == number]
        for proposal in waiting:
            self._losses.again.remove(proposal)
        return self._in_flight.pop(number, waiting[0] if waiting else None)

    def _complete(self, trial: Trial) -> None:
        self._record(trial)
        self._trials[trial.number] = trial
        self.evaluation_seconds += trial.seconds
        if trial.state == "complete":
            self._front = self._front_of([*self._front, trial])
        self._emit(trial.state, trial.number, trial.architecture, trial, trial.error)
        self._check_that_something_works(trial)

    def _front_of(self, trials: Sequence[Trial]) -> ParetoFront:
        return ParetoFront(trials, self.objectives, self.reference, self.budget)

    def _emit(
        self, kind: EventKind, number: int, architecture: Architecture, trial: Trial | None = None, error: str = ""
    ) -> None:
        if self._on_event is None:
            return
        volume = None if self.reference is None else self._front.hypervolume
        counts = (len(self._trials), self.total, self.rejected, len(self._front))
        self._on_event(Event(kind, number, architecture, *counts, volume, trial, error))

    def _check_that_something_works(self, latest: Trial) -> None:
        first = range(min(FAILURES_THAT_END_A_SEARCH, self.total))
        if latest.state == "complete" or any(number not in self._trials for number in first):
            return
        if all(trial.state == "failed" for trial in self._trials.values()):
            raise FitnasError(
                f"all of the first {len(self._trials)} evaluations failed, the last one with: {latest.error}. "
                "Mend the cause, then type: nas resume RUN"
            )

    def _end_of_space(self, left: NothingLeft) -> None:
        """No further candidate: an error where there never was one, else the end of the search."""
        if self._next > 0:
            self._last, self._end = self._next, left.end(self._next)
            return
        raise Infeasible(left.why("; ".join(self.budget.describe(self._runtime)) or "no limit"))
