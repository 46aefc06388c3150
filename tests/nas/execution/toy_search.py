"""A resumable search on the toy space, as a script.

    python -m tests.nas.execution.toy_search FILE TRIALS SECONDS BACKEND

Appends a line a trial to FILE. Prints why the search ended; the exit code is the command's.
"""

import functools
import os
import sys
from pathlib import Path

from nas.conductor import Conductor, StopReason
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.execution import backend_class
from nas.execution.backend import Settings
from nas.strategies.evolution import Evolution
from tests.nas.toy_space import Price, ToyEvaluator, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")


def read(path: Path) -> list[Trial]:
    """The trials of complete lines; a killed search may leave half a line."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [Trial.from_json(line) for line in lines]


def main(file: str, trials: str, seconds: str, backend: str) -> int:
    path = Path(file)
    recorded = read(path)
    with path.open("a") as stream:

        def record(trial: Trial) -> None:
            stream.write(trial.to_json() + "\n")
            stream.flush()
            os.fsync(stream.fileno())

        space = ToySpace()
        strategy = Evolution(space, OBJECTIVES, int(trials))
        conductor = Conductor(
            space,
            strategy,
            Price(3000),
            objectives=OBJECTIVES,
            record=record,
            trials=int(trials),
            recorded=recorded,
        )
        make = functools.partial(ToyEvaluator, seconds=float(seconds))
        backend_class(backend)(Settings(workers=2)).run(conductor, make)
    assert conductor.reason is not None
    print(conductor.reason.name, flush=True)
    return {StopReason.INTERRUPTED: 130, StopReason.TERMINATED: 143}.get(conductor.reason, 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
