import dataclasses
import json
import math
import pickle

import numpy as np
import pytest

from nas.core.trial import Trial
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError

ARCHITECTURE = Architecture("toy", {"classes": 10}, {"kernel": 3, "width": 0.1, "act": "relu"})


def test_json_round_trip_is_exact() -> None:
    rng = np.random.default_rng(0)
    values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, math.pi, 1e22, 2**53 + 1, *rng.random(50)]
    metrics = {f"m{i}": value for i, value in enumerate(values)}
    trial = Trial(7, ARCHITECTURE, "complete", metrics, 3, 12, 0.1, 4, "")
    twin = Trial.from_json(trial.to_json())
    assert twin == trial
    assert [repr(v) for v in twin.metrics.values()] == [repr(v) for v in trial.metrics.values()]
    assert twin.architecture.id == ARCHITECTURE.id
    assert twin.to_json() == trial.to_json()
    assert "\n" not in trial.to_json()


def test_numpy_scalars_become_plain_numbers_of_the_same_value() -> None:
    metrics = {"macs": np.int64(2**53 + 1), "top1": np.float32(0.1), "fits": np.True_}
    trial = Trial(np.int64(1), ARCHITECTURE, "complete", metrics)  # type: ignore[arg-type]
    assert {type(v) for v in trial.metrics.values()} == {int, float}
    assert trial.metrics["macs"] == 2**53 + 1
    assert Trial.from_json(trial.to_json()) == trial


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_trial_holds_nan_or_infinity(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Trial(0, ARCHITECTURE, "complete", {"top1": value})
    with pytest.raises(ValueError, match="finite"):
        Trial(0, ARCHITECTURE, "complete", {}, seconds=value)
    trial = Trial.from_results(0, ARCHITECTURE, {"top1": value, "macs": 5}, seconds=1.5, rejected=2)
    assert trial.state == "failed"
    assert dict(trial.metrics) == {"macs": 5}
    assert "top1" in trial.error
    assert (trial.seconds, trial.rejected) == (1.5, 2)


def test_finite_results_are_a_complete_trial() -> None:
    trial = Trial.from_results(3, ARCHITECTURE, {"top1": 0.5}, patches=2, split=9)
    assert trial == Trial(3, ARCHITECTURE, "complete", {"top1": 0.5}, 2, 9)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"number": -1}, "count from 0"),
        ({"rejected": -1}, "count from 0"),
        ({"state": "running"}, "complete or failed"),
        ({"metrics": {"top1": "0.5"}}, "is a number"),
        ({"metrics": {"top1": None}}, "is a number"),
    ],
)
def test_the_constructor_refuses_nonsense(bad: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(Trial(0, ARCHITECTURE, "complete", {}), **bad)  # type: ignore[arg-type]


def test_a_trial_is_a_frozen_hashable_picklable_value() -> None:
    trial = Trial(1, ARCHITECTURE, "failed", {"macs": 1}, error="lost\0 worker \udc80")
    assert pickle.loads(pickle.dumps(trial)) == trial
    assert len({trial, dataclasses.replace(trial)}) == 1
    assert Trial.from_json(trial.to_json()) == trial
    with pytest.raises(TypeError):
        trial.metrics["macs"] = 2  # type: ignore[index]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"number": 1}', '"x"'])
def test_damaged_text_is_said_to_be_so(text: str) -> None:
    with pytest.raises(FitnasError, match="damaged"):
        Trial.from_json(text)


def test_damaged_fields_are_said_to_be_so() -> None:
    document = json.loads(Trial(1, ARCHITECTURE, "complete", {}).to_json())
    for field, value in (("architecture", 3), ("metrics", None), ("state", "odd"), ("number", "x")):
        with pytest.raises(FitnasError, match="damaged"):
            Trial.from_json(json.dumps(document | {field: value}))
