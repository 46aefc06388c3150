"""Evaluations in worker processes, scheduled by Ray Tune. The only file that knows Ray.

Tune asks a searcher for configurations; ours hands it the conductor's proposals, one architecture a trial, and brings
the results back. Workers live as long as the search (`reuse_actors`); the evaluator's arrays lie once in Ray's object
store and are read there without a copy. Nothing that Tune writes is read again: a search is resumed from our store.
"""

import json
import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

# Ray prints notices about dead workers to stdout, which carries data only, and reads this when it is imported.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from nas.conductor import Conductor, Proposal
from nas.execution.backend import (
    Accounting,
    Backend,
    MakeEvaluator,
    Outcome,
    Settings,
    Stopwatch,
    described,
    outcomes,
    usable_cores,
)
from nas.execution.ray_cluster import ONE_THREAD, Cluster, PrivateCluster, check_address, environment, variables
from nas.execution.signals import StopOnSignals
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError

_SPARE_STORE_BYTES = 96 * 2**20
_NAP_S = 0.2
_PATIENCE_S = 60.0


class RayTune(Backend):
    """Evaluates in worker processes, each on one core with one thread."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._private = self.settings.ray_address is None
        self._variables = variables(self._private)
        self._warm: PrivateCluster | None = None

    @contextmanager
    def warming_up(self, shared_bytes: int) -> Iterator[None]:
        """See `Backend.warming_up`: starts the private cluster."""
        if not self._private:
            yield
            return
        workers = self.settings.workers or usable_cores()
        self._warm = PrivateCluster(workers, _SPARE_STORE_BYTES + 2 * shared_bytes, self._variables)
        try:
            yield
        finally:
            self._warm.close()
            self._warm = None

    def run(self, conductor: Conductor, make_evaluator: MakeEvaluator) -> Accounting:
        """See `Backend.run`. `FitnasError` where the evaluator cannot be built in a worker, or Ray does not run."""
        watch = Stopwatch()
        workers = min(self.settings.workers or usable_cores(), conductor.most_at_once)
        link = _Link(conductor, watch, workers)
        # Before Ray starts, which takes seconds: a search may be over, or have nothing that fits.
        if not link.has_something_to_do():
            return watch.accounting(workers, 0.0)
        with ExitStack() as stack:
            stack.enter_context(StopOnSignals(conductor))
            stack.enter_context(environment(self._variables | {"TUNE_MAX_PENDING_TRIALS_PG": str(workers)}))
            cluster = stack.enter_context(self._cluster(workers, make_evaluator))
            stack.enter_context(_connection(cluster.address, private=self._private))
            stack.enter_context(StopOnSignals(conductor))  # again: Ray set a handler of its own
            if not conductor.stopped:
                _search(link, _tuner(link, make_evaluator, self.settings, cluster.folder))
        return watch.accounting(workers, conductor.evaluation_seconds)

    @contextmanager
    def _cluster(self, workers: int, make_evaluator: MakeEvaluator) -> Iterator[Cluster]:
        """The given cluster with a folder of our own, else a private one: the warm one where it is large enough."""
        if self.settings.ray_address is not None:
            check_address(self.settings.ray_address)
            with tempfile.TemporaryDirectory(prefix="nas-tune-", ignore_cleanup_errors=True) as folder:
                yield Cluster(self.settings.ray_address, Path(folder))
            return
        needed = _store_bytes(make_evaluator)
        if self._warm is not None and self._warm.store_bytes >= needed:
            yield self._warm.wait()
            return
        own = PrivateCluster(workers, needed, self._variables)
        try:
            yield own.wait()
        finally:
            own.close()


BACKEND = RayTune


def _search(link: "_Link", tuner: tune.Tuner) -> None:
    try:
        tuner.fit()
    except _Ended as ended:
        if ended.__cause__ is not None:
            raise ended.__cause__ from None
    except (TuneError, RayError) as error:
        if not link.is_abandoned:
            raise FitnasError(
                f"Ray stopped working: {described(error)}. What is recorded is kept: nas resume RUN goes on, "
                "--backend inline does without Ray"
            ) from None


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
        self._naps: set[str] = set()
        self._replacements = 0
        self._waiting_since: float | None = None
        self._inbox: deque[tuple[int, str | None]] = deque()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Unlinked, ()  # Tune writes searcher and stopper to a file that is never read

    @property
    def is_abandoned(self) -> bool:
        """True where evaluations that are under way are to be dropped."""
        reason = self._conductor.reason
        return reason is not None and reason.abandons

    def has_something_to_do(self) -> bool:
        """Takes the first proposal and keeps it for Tune."""
        first = self._conductor.propose()
        self._first = first if isinstance(first, Proposal) else None
        return first is not None

    def propose(self, trial_id: str) -> dict[str, Any] | None:
        """Tune's configuration of the next trial; None where all workers are busy."""
        self.drain()
        if len(self._numbers) + len(self._naps) >= self._workers:
            return None
        if self._replacements:
            # The worker that takes the place of a lost one starts for a nap: what was lost goes to one that is up.
            self._replacements -= 1
            return self._nap(trial_id)
        proposal = self._pulled()
        if proposal is None:
            return self._nap(trial_id) if self._is_patient() else None
        self._waiting_since = None
        self._numbers[trial_id] = proposal.number
        return {"architecture": proposal.architecture.to_json()}

    def _pulled(self) -> Proposal | None:
        """The next proposal; None where it must wait. Leaves Tune's loop at the end."""
        first, self._first = self._first, None
        try:
            proposal = first or self._conductor.propose()
        except FitnasError as error:
            raise _Ended from error
        if proposal is None and not self._conductor.in_flight:
            raise _Ended
        return proposal if isinstance(proposal, Proposal) else None

    def _nap(self, trial_id: str) -> dict[str, Any]:
        """A trial that only sleeps, for a worker that has to wait.

        Without one, Tune ends idle workers, or gives them the trial of a worker that is still starting and ends that
        one: the search would go on with fewer.
        """
        self._naps.add(trial_id)
        return {"nap_s": _NAP_S}

    def _is_patient(self) -> bool:
        """False where nothing could be handed out for long: the worker that all wait for may never start."""
        now = time.monotonic()
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        return now - self._waiting_since < _PATIENCE_S

    def put(self, trial_id: str, outcome: str | None) -> None:
        """Keeps what came of a trial; None where its worker died. Tune reports one death twice."""
        self._naps.discard(trial_id)
        number = self._numbers.pop(trial_id, None)
        if number is not None:
            self._replacements += outcome is None
            self._inbox.append((number, outcome))

    def goes_on(self, trial_id: str, outcome: str) -> bool:
        """Whether the trial that reached a stage is to go on."""
        number = self._numbers.get(trial_id)
        return number is not None and self._conductor.goes_on(number, json.loads(outcome)["metrics"])

    def drain(self) -> None:
        """Reports what came in; leaves Tune's loop on an error or an interruption."""
        try:
            while self._inbox:
                self._report(*self._inbox.popleft())
        except FitnasError as error:
            raise _Ended from error
        if self.is_abandoned:
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


class _Puller(Searcher):
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


class _Stopper(tune.Stopper):
    """Asked by Tune after every event: the moment to report results, before the next trial is due."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        self._link.drain()
        return False


class _Scheduler(FIFOScheduler):
    """Lets Tune start trials in the order of their arrival, and asks the conductor which go on after a stage.

    Tune's own ASHA compares a trial with whatever has finished by then, by one metric: the archive would depend on who
    is faster, and cheap networks would never be trained to the end.

    Tune's own choice would be the oldest trial that waits: it would give that one the worker that just became free,
    and end the worker that is still starting for it. Where starting takes longer than an evaluation, a search would
    never get its second worker.
    """

    def __init__(self, link: _Link) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._link = link

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Called after each stage but the last."""
        return str(self.CONTINUE if self._link.goes_on(trial.trial_id, result["outcome"]) else self.STOP)

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """No choice."""


class _Worker(tune.Trainable):
    """Evaluates one architecture a trial; `payload` holds the reference to the evaluator's maker."""

    def setup(self, config: dict[str, Any], payload: Mapping[str, Any] | None = None) -> None:
        self._broken = ""
        self._evaluator: Any = None
        self._outcomes: Iterator[Outcome] | None = None
        try:
            self._evaluator = ray.get(payload["make_evaluator"])() if payload else None
        except Exception as error:  # noqa: BLE001 - foreign code; raised here it would look like a worker that died
            self._broken = described(error)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._outcomes = None
        return True

    def step(self) -> dict[str, Any]:
        if "nap_s" in self.config:
            time.sleep(self.config["nap_s"])
            return {"done": True, "outcome": ""}
        if self._broken:
            return {"done": True, "outcome": json.dumps({"broken": self._broken})}
        if self._outcomes is None:
            self._outcomes = outcomes(self._evaluator, Architecture.from_json(self.config["architecture"]))
        outcome = next(self._outcomes)
        return {"done": outcome.last, "outcome": json.dumps(vars(outcome))}


def _tuner(link: _Link, make_evaluator: MakeEvaluator, settings: Settings, folder: Path) -> tune.Tuner:
    payload = {"make_evaluator": ray.put(make_evaluator)}
    resources = {"cpu": 1, "gpu": settings.gpus_per_worker}
    return tune.Tuner(
        tune.with_resources(tune.with_parameters(_Worker, payload=payload), resources),
        tune_config=tune.TuneConfig(
            search_alg=_Puller(link),
            scheduler=_Scheduler(link),
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(folder / "tune"),
            stop=_Stopper(link),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )


def _trial_name(trial: Any) -> str:
    """A short folder name; Tune would write the architecture into it."""
    return str(trial.trial_id)


def _store_bytes(make_evaluator: MakeEvaluator) -> int:
    """Room for the evaluator's arrays, which lie in the object store once."""
    buffers: list[Any] = []
    dumps: Any = ray.cloudpickle.dumps
    size = len(dumps(make_evaluator, protocol=5, buffer_callback=buffers.append))
    size += sum(int(buffer.raw().nbytes) for buffer in buffers)
    return _SPARE_STORE_BYTES + 2 * size


@contextmanager
def _connection(address: str, private: bool) -> Iterator[None]:
    """This process as a driver of the cluster; nothing of Ray reaches the terminal."""
    if ray.is_initialized():
        raise FitnasError("this process uses Ray already: call ray.shutdown() first, or choose --backend inline")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    given: dict[str, Any] = {} if private else {"runtime_env": {"env_vars": ONE_THREAD}}
    _look_again_at_the_secret()
    try:
        ray.init(address, log_to_driver=False, configure_logging=False, **given)
        yield
    except ConnectionError as error:
        raise FitnasError(f"no Ray cluster answers at '{address}' ({error}); leave --ray-address away") from None
    finally:
        ray.shutdown()


def _look_again_at_the_secret() -> None:
    """Ray reads RAY_AUTH_MODE and RAY_AUTH_TOKEN when it is imported, and keeps them."""
    internals: Any = ray._raylet
    internals.Config.initialize("")
    internals.AuthenticationTokenLoader.instance().reset_cache()
