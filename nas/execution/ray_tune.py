"""Evaluations in worker processes, scheduled by Ray Tune. The only file that knows Ray.

Tune asks a searcher for configurations; ours hands it the conductor's proposals, one architecture a trial, and brings
the results back. Workers live as long as the search (`reuse_actors`); the evaluator's arrays lie once in Ray's object
store and are read there without a copy. Nothing that Tune writes is read again: a search is resumed from our store.
"""

import json
import logging
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from nas.conductor import Conductor, Proposal
from nas.execution.backend import Accounting, Backend, MakeEvaluator, Outcome, Settings, Stopwatch, described, evaluate
from nas.execution.signals import StopOnSignals
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, WrongUse

# Ray prints notices about dead workers to stdout, which carries data only, and reads this when it is imported.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from nas.conductor import Conductor, Proposal
from nas.execution.backend import Accounting, Backend, MakeEvaluator, Outcome, Settings, Stopwatch, described, evaluate
from nas.execution.signals import StopOnSignals
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints errors even where it is told to be silent
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours saves and stops
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",  # Tune's snapshots grow with the number of trials, and nobody reads them
}
_PRIVATE_CLUSTER = {"RAY_AUTH_MODE": "disabled"}  # it listens on the loopback interface alone
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SMALLEST_STORE_BYTES = 128 * 2**20
_SHORT = Path("/tmp")


class RayTune(Backend):
    """Evaluates in worker processes, each on one core with one thread."""

    def run(self, conductor: Conductor, make_evaluator: MakeEvaluator) -> Accounting:
        """See `Backend.run`. `FitnasError` where the evaluator cannot be built in a worker, or Ray does not run."""
        watch = Stopwatch()
        workers = self.settings.workers or os.cpu_count() or 1
        link = _Link(conductor, watch, workers)
        # Before Ray starts, which takes seconds: a search may be over, or have nothing that fits.
        if not link.has_something_to_do():
            return watch.accounting(workers, 0.0)
        with ExitStack() as stack:
            stack.enter_context(StopOnSignals(conductor))
            scratch = stack.enter_context(_folder(self.settings.scratch or Path(tempfile.gettempdir())))
            # Ray's sockets need a short path, whatever the scratch folder is called.
            sockets = stack.enter_context(_folder(_SHORT if _SHORT.is_dir() else Path(tempfile.gettempdir())))
            stack.enter_context(_cluster(self.settings, workers, sockets))
            stack.enter_context(StopOnSignals(conductor))  # again: Ray set a handler of its own
            try:
                _tuner(link, make_evaluator, self.settings, scratch).fit()
            except _Ended as ended:
                if ended.__cause__ is not None:
                    raise ended.__cause__ from None
        return watch.accounting(workers, conductor.evaluation_seconds)


BACKEND = RayTune


class _Ended(BaseException):
    """Leaves Tune's loop at once; its cause, if any, is the error to raise. Tune holds up every `Exception`."""


class _Link:
    """Between Tune, which calls from within its loop, and the conductor, whose errors must not get lost there."""

    def __init__(self, conductor: Conductor, watch: Stopwatch, workers: int) -> None:
        self._conductor = conductor
        self._watch = watch
        self._workers = workers
        self._first: Proposal | None = None
        self._numbers: dict[str, int] = {}
        self._inbox: deque[tuple[int, str | None]] = deque()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Unlinked, ()  # Tune writes searcher and stopper to a file that is never read

    def has_something_to_do(self) -> bool:
        """Takes the first proposal and keeps it for Tune."""
        first = self._conductor.propose()
        self._first = first if isinstance(first, Proposal) else None
        return first is not None

    def propose(self, trial_id: str) -> dict[str, Any] | None:
        """Tune's configuration of the next proposal; None where there is none at the moment."""
        self.drain()
        proposal, self._first = self._first, None
        if proposal is None:
            if self._conductor.in_flight >= self._workers:
                return None
            proposal = self._pulled()
        if proposal is None:
            return None
        self._numbers[trial_id] = proposal.number
        return {"architecture": proposal.architecture.to_json()}

    def _pulled(self) -> Proposal | None:
        try:
            proposal = self._conductor.propose()
        except FitnasError as error:
            raise _Ended from error
        if proposal is None and not self._conductor.in_flight:
            raise _Ended
        return proposal if isinstance(proposal, Proposal) else None

    def put(self, trial_id: str, outcome: str | None) -> None:
        """Keeps what came of a trial; None where its worker died. Tune reports one death twice."""
        number = self._numbers.pop(trial_id, None)
        if number is not None:
            self._inbox.append((number, outcome))

    def drain(self) -> None:
        """Reports what came in; leaves Tune's loop on an error or an interruption."""
        try:
            while self._inbox:
                self._report(*self._inbox.popleft())
        except FitnasError as error:
            raise _Ended from error
        reason = self._conductor.reason
        if reason is not None and reason.abandons:
            raise _Ended

    def _report(self, number: int, text: str | None) -> None:
        if text is None:
            self._conductor.report_failure(number, "the worker process died", lost_worker=True)
            return
        document = json.loads(text)
        if "broken" in document:
            raise FitnasError(f"the evaluator cannot be built in a worker: {document['broken']}")
        outcome = Outcome(**document)
        self._watch.result(outcome.seconds)
        outcome.report_to(self._conductor, number)


class _Unlinked:
    """What Tune's file holds instead of a `_Link`."""


class _Puller(Searcher):  # type: ignore[misc]
    """Tune's view of the conductor. `suggest` gives None only near the end or where one evaluation takes very long:
    Tune then drops idle workers and starts them again later.
    """

    def __init__(self, link: _Link) -> None:
        super().__init__(metric=None, mode=None)
        self._link = link

    def set_search_properties(self, *_: Any, **__: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        return self._link.propose(trial_id)

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        self._link.put(trial_id, None if error or not result else result["outcome"])

    def save(self, checkpoint_path: str) -> None:
        """Nothing: our own store is what a search is resumed from."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as `save`."""


class _Stopper(tune.Stopper):  # type: ignore[misc]
    """Asked by Tune after every event: the moment to report results, before the next trial is due."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        self._link.drain()
        return False


class _Worker(tune.Trainable):  # type: ignore[misc]
    """Evaluates one architecture a trial; `payload` holds the reference to the evaluator's maker."""

    def setup(self, config: dict[str, Any], payload: Mapping[str, Any] | None = None) -> None:
        self._broken = ""
        try:
            self._evaluator = ray.get(payload["make_evaluator"])() if payload else None
        except Exception as error:  # foreign code; raised here it would look like a worker that died
            self._broken = described(error)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        if self._broken:
            return {"done": True, "outcome": json.dumps({"broken": self._broken})}
        outcome = evaluate(self._evaluator, Architecture.from_json(self.config["architecture"]))
        return {"done": True, "outcome": json.dumps(vars(outcome))}


def _tuner(link: _Link, make_evaluator: MakeEvaluator, settings: Settings, scratch: Path) -> tune.Tuner:
    payload = {"make_evaluator": ray.put(make_evaluator)}
    resources = {"cpu": 1, "gpu": settings.gpus_per_worker}
    return tune.Tuner(
        tune.with_resources(tune.with_parameters(_Worker, payload=payload), resources),
        tune_config=tune.TuneConfig(search_alg=_Puller(link), num_samples=-1, reuse_actors=True, trial_dirname_creator=_trial_name),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(scratch / "tune"),
            stop=_Stopper(link),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )


def _trial_name(trial: Any) -> str:
    """A short folder name; Tune would write the architecture into it."""
    return str(trial.trial_id)


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """A folder that vanishes at the end; those that killed searches left behind in `parent` vanish first."""
    for left in parent.glob("nas-ray-*-*"):
        pid = left.name.split("-")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"nas-ray-{os.getpid()}-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _cluster(settings: Settings, workers: int, sockets: Path) -> Iterator[None]:
    """A private cluster, or a connection to the given one; ended at the end. Nothing of Ray reaches the terminal."""
    if ray.is_initialized():
        raise FitnasError("Ray is in use in this process already; call ray.shutdown() first, or use --backend inline")
    private = settings.ray_address is None
    with _environment({**_ENVIRONMENT, "TUNE_MAX_PENDING_TRIALS_PG": str(workers), **_ONE_THREAD, **(_PRIVATE_CLUSTER if private else {})}):
        try:
            quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
            logging.getLogger("ray").setLevel(logging.CRITICAL)
            if private:
                ray.init(
                    "local",
                    num_cpus=workers,
                    object_store_memory=_SMALLEST_STORE_BYTES,
                    include_dashboard=False,
                    _temp_dir=str(sockets),
                    **quiet,
                )
            else:
                ray.init(settings.ray_address, runtime_env={"env_vars": _ONE_THREAD}, **quiet)
            yield
        finally:
            ray.shutdown()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
