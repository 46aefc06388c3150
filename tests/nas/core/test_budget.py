import copy
import pickle

import numpy as np
import pytest

from nas.core.budget import Budget
from search_spaces.core.errors import WrongUse


def test_limits_are_read_in_the_unit_of_their_column() -> None:
    budget = Budget.parse("sram=256k, flash=1M,macs=30M,accuracy=90%,throughput=2/s,latency=1s")
    assert dict(budget.limits) == {
        "peak_sram_bytes": 262_144,
        "flash_bytes": 1_048_576,
        "macs": 30_000_000,
        "top1": 0.9,
        "images_per_second": 2,
        "latency_ms": 1000,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("sram", "no limit in 'sram'"),
        ("sram=", "no limit in 'sram='"),
        ("=256k", "no limit"),
        ("sram=1k,,flash=1M", "no limit in ''"),
        ("ram=256k", "did you mean 'sram'"),
        ("SRAM=256k", "did you mean 'sram'"),
        ("peak_sram_bytes=256k", "in flags it is called 'sram'"),
        ("sram=5ms", "no unit 'ms'"),
        ("latency=5", "needs a unit"),
        ("sram=0", "positive"),
        ("sram=-1", "positive"),
        ("sram=nan", "positive finite"),
        ("sram=inf", "positive finite"),
        ("sram=1e30", "beyond any device"),
        ("sram=1e999", "positive finite"),
        ("sram=256kk", "no unit 'kk'"),
        ("sram=1 2", "no unit '2'"),
        ("sram=1k,sram=2k", "stands twice"),
        ("accuracy=150%", "at most 1 or 100%"),
        ("x" * 10_000 + "=1", r"\(10,000 characters\)"),
    ],
)
def test_bad_budgets_are_wrong_use_with_the_way_out(text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said) as caught:
        Budget.parse(text)
    assert len(str(caught.value)) < 400


def test_the_limit_itself_is_admitted_and_nan_and_infinities_never() -> None:
    budget = Budget.parse("sram=1k,throughput=2/s")
    columns = {
        "peak_sram_bytes": np.array([1024, 1025, 1, np.nan, -np.inf, 1]),
        "images_per_second": np.array([2.0, 9, 1.9, 9, 9, np.inf]),
    }
    assert budget.admits(columns).tolist() == [True, False, False, False, False, False]
    broken = budget.violations(columns)
    assert broken.shape == (6, 2)
    assert broken[1].tolist() == [True, False]
    assert broken[2].tolist() == [False, True]


def test_an_empty_budget_admits_everything() -> None:
    assert not Budget()
    assert Budget().admits({"macs": np.arange(3)}).tolist() == [True] * 3
    assert Budget().admits({}).shape == (0,)
    assert Budget().describe("tinyengine") == []


def test_a_missing_column_is_an_error_and_restriction_the_way_out() -> None:
    budget = Budget.parse("accuracy=90%,macs=10")
    with pytest.raises(ValueError, match="top1"):
        budget.admits({"macs": [1, 11]})
    known = budget.restricted_to({"macs", "params"})
    assert known.admits({"macs": [1, 11]}).tolist() == [True, False]


def test_integers_beyond_32_bits_compare_exactly() -> None:
    macs = np.array([3_000_000_000, 3_000_000_001], dtype=np.int64)
    assert Budget.parse("macs=3G").admits({"macs": macs}).tolist() == [True, False]


def test_the_echo_says_unit_direction_and_runtime() -> None:
    lines = Budget.parse("sram=256k,accuracy=90%,macs=30M").describe("tinyengine")
    assert lines == [
        "sram <= 262,144 B (256 KiB), runtime tinyengine",
        "accuracy >= 90.0 %",
        "macs <= 30,000,000 (30 M)",
    ]


def test_the_users_limit_wins_over_the_devices_and_the_echo_says_so() -> None:
    device = Budget.from_limits({"peak_sram_bytes": 327_680, "flash_bytes": 1_048_576}, "device stm32f746")
    merged = Budget.parse("sram=64k,macs=1M").merged_with(device)
    assert dict(merged.limits) == {"peak_sram_bytes": 65_536, "flash_bytes": 1_048_576, "macs": 1_000_000}
    lines = merged.describe("c")
    assert (
        "sram <= 65,536 B (64 KiB), runtime c, your limit instead of 327,680 B (320 KiB) from device stm32f746" in lines
    )
    assert "flash <= 1,048,576 B (1,024 KiB), runtime c, from device stm32f746" in lines
    assert "macs <= 1,000,000 (1 M), your limit" in lines
    assert Budget().merged_with(device).limits == device.limits
    assert Budget.parse("macs=1M").merged_with({}) == Budget.parse("macs=1M")


def test_a_reserve_that_leaves_nothing_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="leaves no sram"):
        Budget.from_limits({"peak_sram_bytes": -1}, "device rp2040")


@pytest.mark.parametrize("limits", [{"ram": 1.0}, {"macs": 0.0}, {"macs": float("nan")}])
def test_the_constructor_refuses_nonsense(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"unknown column|positive"):
        Budget(limits)


def test_a_budget_is_a_value() -> None:
    budget = Budget.parse("sram=1k,macs=5")
    assert budget == Budget({"macs": 5, "peak_sram_bytes": 1024})
    assert hash(budget) == hash(Budget({"macs": 5, "peak_sram_bytes": 1024}))
    for twin in (pickle.loads(pickle.dumps(budget)), copy.deepcopy(budget)):
        assert twin == budget
    with pytest.raises(TypeError):
        budget.limits["macs"] = 9  # type: ignore[index]
