"""Run folders without training, for the report's benchmark and its tests.

Architectures are random members of mcunetv2 that fit the budget and their prices are real; ACCURACIES ARE MADE UP: a
curve over the MACs with noise. No figure of such a run says anything about a network.
"""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nas.assembly import assemble
from nas.config import RunConfig
from nas.core.trial import Trial
from nas.feasibility import survey
from nas.run import StoredRun
from nas.searching import reference
from nas.storage.database import sqlite_url
from nas.storage.run_directory import RunDirectory
from nas.storage.store import RunState, Store
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population

FACTS = InputFacts(channels=3, height=96, width=96, classes=10, pictures=2000)
_CANDIDATES_AT_ONCE = 400


def write_run(
    root: Path,
    name: str,
    trials: int,
    *,
    budget: str = "sram=64k,flash=512k",
    objectives: str = "accuracy,macs",
    planned: int | None = None,
    failed: int = 0,
    state: RunState = "complete",
    seed: int = 0,
    store: str | None = None,
    data_hash: str = "0" * 16,
) -> StoredRun:
    """A run of `trials` evaluated networks under `root`, the first `failed` of them without a score.

    Of two runs of one seed and budget the shorter is the beginning of the longer.
    """
    config = RunConfig.checked(
        space="mcunetv2", budget=budget, objectives=objectives, trials=planned or max(1, trials), run=name, seed=seed,
        store=store,
    )  # fmt: skip
    parts = assemble(config, FACTS)
    directory = RunDirectory.create(root, name, "mcunetv2")
    with Store(store or sqlite_url(directory.database)) as opened:
        opened.create_run(
            name,
            config_json=config.model_dump_json(exclude_none=True),
            space_json=json.dumps({"facts": asdict(FACTS), "settings": parts.space.settings.model_dump(mode="json")}),
            reference_json=reference(parts, survey(parts.pricer, seed)).to_json(),
            data_hash=data_hash,
        )
        opened.set_state(name, state)
    directory.write(directory.config, config.to_toml())
    run = StoredRun(directory)
    _record(config.store, directory, name, _trials(run, trials, failed, seed))
    return run


def _trials(run: StoredRun, count: int, failed: int, seed: int) -> list[Trial]:
    rng = np.random.default_rng(seed)
    space, pricer = run.parts.space, run.parts.pricer
    found: list[Trial] = []
    while len(found) < count:
        population: Population = space.sample(rng, _CANDIDATES_AT_ONCE)
        columns = pricer(population)
        for row in np.flatnonzero(columns["fits"])[: count - len(found)]:
            figures = {name: values[row].item() for name, values in columns.items()}
            exact = {key: figures[key] for key in figures if key not in ("fits", "patches", "split")}
            exact = {key: int(value) for key, value in exact.items()}
            made_up = 0.97 - 0.55 * np.exp(-figures["macs"] / 6e6) + rng.normal(0, 0.02)
            score = {"top1": float(np.clip(made_up, 0.05, 0.995))}
            number, place = len(found), {"patches": figures["patches"], "split": figures["split"], "seconds": 0.2}
            if number < failed:
                found.append(Trial(number, population[row], "failed", exact, **place, error="made up: it failed"))
            else:
                found.append(Trial(number, population[row], "complete", exact | score, **place, rejected=number % 3))
    return found


def _record(store: str | None, directory: RunDirectory, run: str, trials: list[Trial]) -> None:
    """Writes the rows in one go: a transaction a trial, as in a search, would take minutes."""
    if store is not None:
        with Store(store) as opened:
            for trial in trials:
                opened.record(run, trial)
        return
    rows = [(run, trial.number, trial.state, trial.architecture.id, trial.to_json()) for trial in trials]
    connection = sqlite3.connect(directory.database)
    with connection:
        connection.executemany("INSERT INTO fitnas_trials VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()
