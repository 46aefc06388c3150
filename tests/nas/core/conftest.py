"""Trials for the tests of this folder."""

from collections.abc import Callable

import pytest

from nas.core.trial import Trial
from search_spaces.core.architecture import Architecture


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    def make(number: int, state: str = "complete", **metrics: float) -> Trial:
        architecture = Architecture("toy", {"classes": 10}, {"kernel": 3, "width": 0.5, "number": number})
        return Trial(number, architecture, state, metrics)  # type: ignore[arg-type]

    return make
