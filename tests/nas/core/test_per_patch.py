"""The settings of QuantMCU as text."""

import math

import pytest

from nas.core.per_patch import PerPatch
from search_spaces.core.errors import WrongUse


def test_settings_are_read() -> None:
    text = "lambda=0.25, outliers=3,bits=4:8:2,by=position,entropy=codes"
    assert PerPatch.parse(text) == PerPatch(0.25, 3.0, (8, 4, 2), "position", "codes")
    assert PerPatch.parse("") == PerPatch()
    assert PerPatch.parse("outliers=none").outliers == math.inf
    assert PerPatch.parse("outliers=none").to_document()["outliers"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lambda=1.5", "0 to 1"),
        ("lambda=nan", "0 to 1"),
        ("lambda=", "0 to 1"),
        ("lambda=0.1,lambda=0.2", "twice"),
        ("outliers=0", "positive"),
        ("outliers=inf", "positive"),
        ("outliers=nan", "positive"),
        ("bits=4:2", "8 among them"),
        ("bits=8:8", "different"),
        ("bits=8:1", "from 2 to 8"),
        ("bits=", "from 2 to 8"),
        ("by=pictures", "did you mean 'picture'"),
        ("entropy=code", "did you mean 'codes'"),
        ("threshold=2", "knows lambda, outliers"),
        ("lambda", "0 to 1"),
    ],
)
def test_bad_settings_are_wrong_use(text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        PerPatch.parse(text)
