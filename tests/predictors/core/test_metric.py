import pickle

import pytest

from predictors.core.metric import METRICS, format_quantity, metric, parse_quantity
from search_spaces.core.errors import WrongUse


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("sram", "256k", 262_144),
        ("sram", "256kB", 262_144),
        ("sram", "256KB", 262_144),
        ("sram", "256KiB", 262_144),
        ("sram", " 1.5 M ", 1_572_864),
        ("sram", "100", 100),
        ("sram", "2e3", 2000),
        ("flash", "1M", 1_048_576),
        ("size", "2GiB", 2_147_483_648),
        ("macs", "30M", 30_000_000),
        ("macs", "1k", 1000),
        ("params", ".5G", 500_000_000),
        ("accuracy", "97%", 0.97),
        ("accuracy", "0.97", 0.97),
        ("accuracy", "100%", 1.0),
        ("int8_accuracy", "1", 1.0),
        ("latency", "50ms", 50),
        ("latency", "1.5s", 1500),
        ("latency", "20us", 0.02),
        ("throughput", "30/s", 30),
        ("energy", "3uJ", 0.003),
    ],
)
def test_quantities_are_read_in_the_columns_unit(key: str, text: str, value: float) -> None:
    assert parse_quantity(METRICS[key], text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("sram", "", "expected a number"),
        ("sram", "many", "expected a number"),
        ("sram", "k", "expected a number"),
        ("sram", "256kk", "no unit 'kk'"),
        ("sram", "5ms", "no unit 'ms'"),
        ("sram", "1 2", "no unit '2'"),
        ("sram", "0x10", "no unit 'x10'"),
        ("sram", "1_000", "no unit '_000'"),
        ("sram", "0", "positive finite"),
        ("sram", "-1", "positive finite"),
        ("sram", "nan", "positive finite"),
        ("sram", "-inf", "positive finite"),
        ("sram", "1e999", "positive finite"),
        ("sram", "1e30", "beyond any device"),
        ("sram", "١٢", "expected a number"),
        ("sram", "9" * 10_000, "positive finite"),
        ("macs", "30MiB", "no unit 'MiB'"),
        ("latency", "50", "needs a unit, for example '50us'"),
        ("latency", "50M", "no unit 'M'"),
        ("accuracy", "97", "at most 1 or 100%"),
        ("accuracy", "101%", "accuracy=90%"),
    ],
)
def test_bad_quantities_are_wrong_use_with_the_way_out(key: str, text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said) as caught:
        parse_quantity(METRICS[key], text)
    assert str(caught.value).startswith(key)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("sram", 262_144, "262,144 B (256 KiB)"),
        ("sram", 1, "1 B (0.0009766 KiB)"),
        ("flash", 21_743_271, "21,743,271 B (21,234 KiB)"),
        ("macs", 30_000_000, "30,000,000 (30 M)"),
        ("macs", 301_234_567, "301,234,567 (301.2 M)"),
        ("macs", 2_500_000_000, "2,500,000,000 (2.5 G)"),
        ("params", 999, "999"),
        ("accuracy", 0.9734, "97.3 %"),
        ("latency", 20, "20 ms"),
        ("latency", 123_456.7, "123,457 ms"),
        ("latency", float("inf"), "inf ms"),
        ("sram", float("nan"), "nan B"),
        ("throughput", 12.5, "12.5 images/s"),
        ("zero_cost", -3.25, "-3.25"),
        ("zero_cost", float("nan"), "nan"),
    ],
)
def test_quantities_are_written_as_people_read_them(key: str, value: float, text: str) -> None:
    assert format_quantity(METRICS[key], value) == text


def test_the_table_is_consistent() -> None:
    assert len({m.column for m in METRICS.values()}) == len(METRICS)
    assert all(m.key == key for key, m in METRICS.items())
    more = [key for key, m in METRICS.items() if m.better == "more"]
    assert more == ["accuracy", "int8_accuracy", "throughput", "zero_cost"]
    assert [key for key, m in METRICS.items() if not m.ratios] == ["zero_cost"]
    assert METRICS["sram"].column == "peak_sram_bytes"
    for m in METRICS.values():
        assert pickle.loads(pickle.dumps(m)) == m
        assert hash(m) == hash(METRICS[m.key])


def test_an_unknown_metric_is_wrong_use() -> None:
    assert metric("sram") is METRICS["sram"]
    with pytest.raises(WrongUse, match="did you mean 'sram'"):
        metric("ram")
