"""`nas predictor proxies`: zero-cost proxies asked of some networks of a space, beside what is known of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.assembly import assemble
from nas.config import RunConfig
from nas.evaluation.zero_cost import Untrained, batch_of
from nas.pricing import Pricer
from nas.progress import Reporter
from nas.run import StoredRun
from nas.storage.run_directory import RunDirectory
from nas.training.data import DataDescription, describe, load
from predictors.core.scores import kendall
from predictors.zero_cost import zero_cost_names, zero_cost_proxy
from search_spaces.core.errors import WrongUse
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.training.data import Pictures

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """Networks, who shows them a batch, and figures of them by name `(n,)`."""

    population: Population
    untrained: Untrained
    known: Mapping[str, Floats]


def networks_of_space(
    space: str,
    settings: Mapping[str, str],
    data: str | None,
    samples: int,
    pictures: int,
    seed: int,
    reporter: Reporter,
) -> Asked:
    """Different random networks."""
    config = RunConfig.checked(space=space, set=dict(settings), seed=seed, **({"data": data} if data else {}))
    description = describe(config.data)
    parts = assemble(config, description.facts)
    drawn = parts.space.sample(np.random.default_rng([seed, 6]), 4 * samples)
    first = np.sort(np.unique(drawn.matrix, axis=0, return_index=True)[1])[:samples]
    return _asked(parts.space, drawn[first], description, None, pictures, seed, {}, reporter)


def networks_of_run(root: Path, name: str, samples: int, pictures: int, seed: int, reporter: Reporter) -> Asked:
    """Networks that a run evaluated, spread over its trials, beside the accuracy that it found."""
    run = StoredRun(RunDirectory.open(root, name))
    complete = [trial for trial in run.trials if trial.state == "complete" and "top1" in trial.metrics]
    if len(complete) < 3:
        raise WrongUse(
            f"run '{name}' has {len(complete)} networks whose accuracy is known; an order needs at least 3. Name a run "
            "of --evaluator supernet or train"
        )
    places = np.unique(np.linspace(0, len(complete) - 1, min(samples, len(complete))).round().astype(int))
    trials = [complete[place] for place in places]
    population = run.parts.space.population([trial.architecture for trial in trials])
    accuracy = {"accuracy": np.array([trial.metrics["top1"] for trial in trials])}
    return _asked(run.parts.space, population, run.described_data(), run.cache, pictures, seed, accuracy, reporter)


def _asked(
    space: SearchSpace[Any],
    population: Population,
    description: DataDescription,
    cache: Path | None,
    count: int,
    seed: int,
    accuracy: Mapping[str, Floats],
    reporter: Reporter,
) -> Asked:
    size = space.input_size(space.extremes()[1])[1:]
    with reporter.progress("reading pictures") as report:
        read: Pictures = load(description, size, seed, cache=cache, progress=lambda done, all_: report(done, all_, ""))
    train = read.train
    if len(train.labels) < count:
        raise WrongUse(f"--pictures {count}: the data have {len(train.labels)} to train on; ask for at most so many")
    priced = Pricer(space, space.default_runtime)(population)
    known = {**accuracy, **{column: priced[column].astype(np.float64) for column in ("params", "macs_layerwise")}}
    untrained = Untrained(space, batch_of(train, count, seed), read.mean, read.std, seed, threads=None)
    return Asked(population, untrained, known)


def ask_proxies(asked: Asked, names: str | None, reporter: Reporter) -> dict[str, Any]:
    """Plain JSON values: of each proxy its score of each network, seconds a network, and its order beside others'."""
    chosen = zero_cost_names() if names is None else chosen_proxies(names)
    scores = {name: np.full(len(asked.population), np.nan) for name in chosen}
    seconds = dict.fromkeys(chosen, 0.0)
    with reporter.progress("asking untrained networks") as report:
        for row, architecture in enumerate(asked.population):
            report(row, len(asked.population), architecture.id)
            for name, said in asked.untrained.ask(architecture, chosen).items():
                scores[name][row] = said.score
                seconds[name] += said.seconds
        report(len(asked.population), len(asked.population), "")
    return _document(asked, scores, seconds)


def chosen_proxies(names: str) -> list[str]:
    """Names with commas between them, each once; `WrongUse` with the nearest where one is unknown."""
    listed = [name.strip() for name in names.split(",")]
    for name in listed:
        zero_cost_proxy(name)
    return list(dict.fromkeys(listed))


def _document(asked: Asked, scores: Mapping[str, Floats], seconds: Mapping[str, float]) -> dict[str, Any]:
    networks = len(asked.population)
    rows = [
        {
            "name": name,
            "title": zero_cost_proxy(name).title,
            "source": zero_cost_proxy(name).source,
            "seconds": seconds[name] / networks,
            "kendall": {other: _order(values, known) for other, known in asked.known.items()},
            "without_figure": int(np.isnan(values).sum()),
            "scores": [None if np.isnan(value) else float(value) for value in values],
        }
        for name, values in scores.items()
    ]
    rows += [
        {
            "name": name,
            "title": {"params": "parameters", "macs_layerwise": "MACs"}[name],
            "source": "exact",
            "seconds": 0.0,
            "kendall": {other: _order(asked.known[name], known) for other, known in asked.known.items()},
            "without_figure": 0,
            "scores": asked.known[name].tolist(),
        }
        for name in asked.known
        if name != "accuracy"
    ]
    return {
        "space": asked.population.space.name,
        "pictures": len(asked.untrained.batch.labels),
        "against": list(asked.known),
        "networks": [architecture.id for architecture in asked.population],
        "accuracy": asked.known["accuracy"].tolist() if "accuracy" in asked.known else None,
        "proxies": rows,
    }


def _order(values: Floats, known: Floats) -> float | None:
    """Kendall's tau over the networks that have both; None where there is no order."""
    both = np.isfinite(values) & np.isfinite(known)
    found = kendall(known[both], values[both])
    return None if np.isnan(found) else found
