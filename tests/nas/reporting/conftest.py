"""Runs without training, and trained members of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthetic_run import write_run
from nas.run import StoredRun


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """40 trials, two of them failed; for tests that leave it as it is."""
    return write_run(tmp_path_factory.mktemp("runs"), "plain", 40, failed=2)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., StoredRun]:
    def make(name: str = "made", trials: int = 12, **options: Any) -> StoredRun:
        return write_run(tmp_path, name, trials, **options)

    return make


@pytest.fixture
def pretend_training() -> Callable[..., None]:
    def train(run: StoredRun, class_names: list[str], pick: str = "knee") -> None:
        """Writes what a training leaves, with made-up figures."""
        count = len(class_names)
        trial = run.pick(pick)
        document = {
            "id": trial.architecture.id, "weights": "fine-tuned", "epochs": 1, "class_names": class_names,
            "validation_top1": 0.75, "test_top1": 0.5,
            "confusion": [[5 if row == column else row for column in range(count)] for row in range(count)],
        }  # fmt: skip
        folder = run.members / trial.architecture.id
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(document), encoding="utf-8")

    return train
