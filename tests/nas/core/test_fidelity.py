"""Rungs from text."""

import pytest

from nas.core.fidelity import Fidelity
from search_spaces.core.errors import WrongUse


def test_rungs_shares_and_columns() -> None:
    fidelity = Fidelity.parse(" epochs = 3, 9,36")
    assert fidelity.rungs == (3, 9, 36)
    assert fidelity.epochs == 36
    assert fidelity.share(3) == pytest.approx(1 / 3)
    assert fidelity.share(9) == pytest.approx(1 / 4)
    assert fidelity.column(9) == "top1_after_9"
    assert Fidelity.parse("epochs=5").rungs == (5,)


@pytest.mark.parametrize(
    "text", ["", "3,9", "epochs=", "epochs=9,3", "epochs=3,3", "epochs=0,3", "epochs=1.5", "epoch=3"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="epochs=3,9,27"):
        Fidelity.parse(text)
