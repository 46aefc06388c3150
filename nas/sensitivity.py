"""What each group of operators loses in few bits, measured once a search on the largest network with shared weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.progress import Reporter
from nas.run import StoredRun
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.errors import FitnasError
from search_spaces.core.policy import FP32

if TYPE_CHECKING:
    from nas.evaluation.supernet import SupernetEvaluator

FILE_NAME = "sensitivity.json"
PICTURES = 64


def learn_sensitivity(run: StoredRun, evaluator: "SupernetEvaluator", reporter: Reporter) -> None:
    """Tells the run's space which groups suffer most; measured once, then read from the run's folder.

    The loss is the Kullback-Leibler divergence of the answers from those in floats, of one group alone at the fewest
    bits (Mix-QViT, arXiv 2501.06357).
    """
    space = run.parts.space
    if not isinstance(space, WithQuantization) or space.widths[0].is_float:
        return
    losses = read_sensitivity(run)
    if losses is None:
        with reporter.progress("measuring sensitivity") as report:
            losses = _measured(space, evaluator, lambda done, total: report(done, total, ""))
        run.directory.write(_path(run), json.dumps(losses, indent=2) + "\n")
    space.most_sensitive = tuple(sorted(losses, key=lambda name: -losses[name]))


def read_sensitivity(run: StoredRun) -> dict[str, float] | None:
    """Nats a picture by group, as it was measured; None where it was not."""
    path = _path(run)
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(loss) for name, loss in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise FitnasError(f"{path} is damaged ({error}); delete it, and it is measured again") from None


def _path(run: StoredRun) -> Path:
    return run.path / FILE_NAME


def _measured(space: WithQuantization, evaluator: "SupernetEvaluator", progress: Any) -> dict[str, float]:
    from nas.quantization.policies.options import Options
    from nas.quantization.policies.task import Task

    largest = space.uniform(space.inner.extremes()[1], space.widths[-1])
    table = space.inner.decode(space.inner.population([space.inner_architecture(largest)]))
    options = Options.of(table, (space.widths[0], FP32), "analytic", {})
    network, batches = evaluator.prepared(largest, PICTURES)
    losses = Task.of(network, options, batches).fresh(progress).one_at_a_time()[:, 0]
    return _by_group(space, options.groups, losses)


def _by_group(space: WithQuantization, groups: Sequence[Sequence[str]], losses: Any) -> dict[str, float]:
    """By the space's own groups: those of one network may be parts of them."""
    found: Mapping[str, list[float]] = {name: [] for name in space.groups}
    for names, loss in zip(groups, losses, strict=True):
        found[space.group_of(names[0])].append(float(loss))
    return {name: float(np.sum(several)) for name, several in found.items() if several}
