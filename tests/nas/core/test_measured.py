"""What passes over a network tell of its time."""

import pytest

from nas.core.measured import Measured, Target, noise
from search_spaces.core.errors import WrongUse


def test_a_pass_counts_its_quickest_run() -> None:
    found = Measured.of_pass([0.003, 0.002, 0.008])
    assert found.value == 2.0
    assert found.spread == pytest.approx(0.5)  # the median is 3 ms
    assert (found.drift, found.passes, found.runs) == (None, 1, 3)
    assert not found.is_confirmed


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_passes_join_in_any_order(order: tuple[int, ...]) -> None:
    passes = [Measured.of_pass(seconds) for seconds in ([0.010, 0.014], [0.011] * 4, [0.020, 0.020])]
    first, second, third = (passes[index] for index in order)
    found = first.joined(second).joined(third)
    assert found.value == pytest.approx(10.0)
    assert found.drift == pytest.approx(0.1)  # 11 ms beside 10 ms; the slowest pass says nothing
    assert found.spread == pytest.approx((2 * 12 + 4 * 11 + 2 * 20) / 8 / 10 - 1)
    assert (found.passes, found.runs) == (3, 8)


def test_two_passes_that_agree_confirm_a_figure() -> None:
    def drift(milliseconds: float) -> Measured:
        return Measured.of_pass([0.010]).joined(Measured.of_pass([milliseconds / 1e3]))

    assert drift(10.4).is_confirmed
    assert not drift(10.6).is_confirmed


def test_a_busy_machine_is_told() -> None:
    quiet, busy = Measured(1.0, 0.1, 0.01, 4, 40), Measured(1.0, 0.1, 0.3, 8, 80)
    assert noise([]) == ""
    assert noise([quiet] * 9 + [busy]) == ""  # one in ten may be
    assert "of 10 networks 2 have no two passes within 5 %" in noise([quiet] * 8 + [busy] * 2)
    assert "of 1 networks 1" in noise([Measured.of_pass([0.1])])


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"batch": 4097}, {"device": ""}, {"runtime": " "}])
def test_a_target_names_all_it_is(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongUse, match=next(iter(wrong))):
        Target(**wrong)  # type: ignore[arg-type]
