"""The supernet's weights of a run: trained on what the budget admits, or taken from another run."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.config import RunConfig
from nas.feasibility import Feasibility
from nas.pricing import Pricer
from nas.progress import Reporter
from nas.run import StoredRun
from nas.tracking.tracker import Tracker
from nas.training.sampling import sampling_class, sampling_names
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.training.data import DataDescription, Pictures
    from nas.training.epochs import Augmentation, Progress

# Small batches, for more steps on the same pictures: on digits, 15 epochs, random sub-networks score 0.94 on average
# with 32 and 0.88 with 64; with three of them a step and the smallest in a quarter of the steps 0.95 after 12.
BATCH = 32
_PICTURES = 38_400
# On 1,300 photographs of 96 pixels fronts take 0.90 to 0.95 of the box after 12 epochs, 0.96 to 0.97 after 15.
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 15
_POOL_DRAWS = 20_000
_FEWEST_IN_POOL = 50
_ROUNDS_OF_CHILDREN, _CHILDREN = 20, 500
_SHARE_OF_TIME = 0.5  # of --time; the rest is for the search


@dataclass(frozen=True)
class Curriculum:
    """Which sub-networks a supernet is trained on: the teacher, the smallest, and those drawn at random.

    A budget that binds keeps most of the space out of the search, so training time goes to what it admits, to each of
    the space's `strata` an equal part.
    """

    largest: Architecture
    smallest: Architecture
    pool: Population | None
    space: SearchSpace[Any]

    def draw(self, rng: np.random.Generator, n: int) -> Population:
        """`n` members of the pool, or of the whole space where there is none."""
        if self.pool is None:
            return self.space.sample(rng, n)
        groups = self._groups
        rows = [groups[index][rng.integers(len(groups[index]))] for index in rng.integers(len(groups), size=n)]
        return self.pool[np.array(rows, dtype=np.intp)]

    @cached_property
    def _groups(self) -> list[NDArray[np.intp]]:
        """The rows of each stratum of the pool that has any."""
        strata = self.space.strata(self.pool) if self.pool is not None else np.zeros(0, np.intp)
        return [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]


def curriculum(space: SearchSpace[Any], pricer: Pricer, feasibility: Feasibility, seed: int) -> Curriculum:
    """The whole space where the budget does not bind, else its feasible part: largest, smallest, random members.

    Also of a small space the part that fits.
    """
    if not feasibility.binding and space.size > _POOL_DRAWS:
        smallest, largest = space.extremes()
        return Curriculum(largest, smallest, None, space)
    pool = _feasible_pool(space, pricer, feasibility, np.random.default_rng([seed, 2]))
    macs = pricer(pool)["macs_layerwise"]
    return Curriculum(pool[int(np.argmax(macs))], pool[int(np.argmin(macs))], pool, space)


def _feasible_pool(
    space: SearchSpace[Any], pricer: Pricer, feasibility: Feasibility, rng: np.random.Generator
) -> Population:
    """Feasible architectures; where few of the space fit, also children of those."""
    drawn = space.sample(rng, _POOL_DRAWS)
    drawn = drawn[np.unique(drawn.matrix, axis=0, return_index=True)[1]]
    pool = drawn[pricer(drawn)["fits"]]
    if feasibility.found is not None:
        pool = pool.concatenate(feasibility.found)
    for _ in range(_ROUNDS_OF_CHILDREN):
        if len(pool) >= _FEWEST_IN_POOL:
            break
        children = space.mutate(rng, pool[rng.integers(len(pool), size=_CHILDREN)], 0.1)
        pool = pool.concatenate(children[pricer(children)["fits"]])
        pool = pool[np.unique(pool.matrix, axis=0, return_index=True)[1]]
    return pool


def epochs_of(config: RunConfig, pictures: int, sampling: str) -> int:
    """How long a supernet is trained on so many pictures: as asked for, else as long as a teacher's answers last."""
    if config.supernet_epochs or not config.distill:
        return config.supernet_epochs or default_epochs(pictures, sampling)
    from nas.training.stored_logits import finished_epochs

    return finished_epochs(Path(config.distill))


def default_epochs(pictures: int, sampling: str) -> int:
    """As many as show about 38,400 pictures, at least 5 and at most 15 epochs; more where a step costs less."""
    shown = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(_PICTURES / pictures)))
    return shown * sampling_class(sampling).epochs_factor


def announced_augmentation(description: "DataDescription", pictures: "Pictures", reporter: Reporter) -> "Augmentation":
    """How training pictures vary; the user is told."""
    from nas.training.data import augmentation

    vary = augmentation(description, pictures.size)
    reporter.note(f"training pictures vary: {'; '.join(vary.rules)}")
    return vary


def shared_weights(
    run: StoredRun,
    pictures: "Pictures",
    description: "DataDescription",
    feasibility: Feasibility,
    reporter: Reporter,
    tracker: Tracker,
) -> Mapping[str, NDArray[Any]]:
    """The trained weights by name. Goes on where an earlier training stopped; a finished one is only read."""
    from nas.anchors import beginning
    from nas.member import stored_answers
    from nas.training.checkpoint import model_arrays
    from nas.training.device import cores
    from nas.training.supernet import train_supernet

    config = run.config
    if config.supernet_from:
        return model_arrays(run.supernet_path)
    plan = curriculum(run.parts.space, run.parts.pricer, feasibility, config.seed)
    epochs = epochs_of(config, len(pictures.train.labels), run.parts.sampling)
    deadline = time.monotonic() + _SHARE_OF_TIME * config.time if config.time else None
    teacher = stored_answers(run, Path(config.distill), description, pictures) if config.distill else None
    if teacher is not None:
        reporter.note(f"labels give way to the stored answers of {teacher.manifest.teacher}")
    vary = announced_augmentation(description, pictures, reporter)
    with reporter.progress("training the supernet") as report:

        def progress(at: "Progress") -> None:
            report(at.step, at.steps, f"epoch {at.epoch}/{at.epochs}, loss {at.loss:.3f}")
            tracker.training("supernet", at)

        result = train_supernet(
            run.parts.space,
            pictures,
            epochs=epochs,
            batch_size=BATCH,
            sampling=run.parts.sampling,
            random_subnets=config.subnets,
            seed=config.seed,
            accelerator=config.accelerator,
            directory=run.directory.checkpoints,
            threads=cores(),
            deadline=deadline,
            progress=progress,
            augmentation=vary,
            candidates=plan.draw,
            largest=plan.largest,
            smallest=plan.smallest,
            begin=beginning(run, pictures),
            teacher=teacher,
        )
    return result.weights


def check_sampling(space: SearchSpace[Any], name: str) -> None:
    """`WrongUse` where the space's supernet cannot be trained this way: it says which others there are."""
    if not sampling_class(name).joins:
        return
    import torch

    with torch.device("meta"):  # no weights are needed to ask
        supernet: Any = space.supernet()
    _, largest = space.extremes()
    try:
        if not hasattr(supernet, "activate_many"):
            raise WrongUse("it runs one sub-network at a time")
        supernet.activate_many([largest, largest])
    except WrongUse as error:
        others = " or ".join(other for other in sampling_names() if not sampling_class(other).joins)
        raise WrongUse(
            f"--sampling {name} cannot train the supernet of '{space.name}': {error}; choose --sampling {others}"
        ) from None


def take_supernet(space: SearchSpace[Any], run: StoredRun, other: StoredRun) -> None:
    """Copies the shared weights of `other`, which must be of the very same space and trained to the end."""
    theirs, ours = other.parts.space.of_weights, space.of_weights
    if (theirs.name, theirs.settings) != (ours.name, ours.settings):
        raise WrongUse(
            f"--supernet-from {other.name}: its space is {theirs.name} with {theirs.settings}, this search has "
            f"{ours.name} with {ours.settings}; give the same space, --set options and kind of data"
        )
    if not other.supernet_path.is_file() or other.record.state in ("created", "training"):
        raise NotFound(
            f"--supernet-from {other.name}: its supernet is not trained to the end; type: nas resume {other.name}"
        )
    shutil.copyfile(other.supernet_path, run.supernet_path)
