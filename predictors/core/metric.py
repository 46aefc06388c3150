"""The metrics: key in flags, column in tables, unit, direction. One table, the same everywhere."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from search_spaces.core.errors import WrongUse, shown, unknown

_DECIMAL = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_BINARY = {"": 1.0, "B": 1.0} | {
    prefix + suffix: 1024.0**power
    for power, prefixes in ((1, "kK"), (2, "M"), (3, "G"))
    for prefix in prefixes
    for suffix in ("", "B", "iB")
}
_FRACTION = {"": 1.0, "%": 0.01}
_TIME_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_RATE = {"": 1.0, "/s": 1.0}
_ENERGY_MJ = {"uJ": 1e-3, "mJ": 1.0}
_LARGEST_LIMIT = 1e18


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf|infinity)"


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    `key` in flags, `column` in tables and JSON; `suffixes` maps a unit to its factor to the column's unit; `better` is
    more or less; `whole`: a count, never a fraction; `ratios`: above 0, so that twice as much means something.
    """

    key: str
    column: str
    unit: str
    better: Literal["more", "less"]
    suffixes: dict[str, float]
    whole: bool = False
    ratios: bool = True

    def __hash__(self) -> int:
        return hash(self.key)


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("accuracy", "top1", "fraction", "more", _FRACTION),
        Metric("int8_accuracy", "int8_top1", "fraction", "more", _FRACTION),
        Metric("macs", "macs", "multiply-accumulates", "less", _DECIMAL, whole=True),
        Metric("params", "params", "parameters", "less", _DECIMAL, whole=True),
        Metric("sram", "peak_sram_bytes", "B", "less", _BINARY, whole=True),
        Metric("flash", "flash_bytes", "B", "less", _BINARY, whole=True),
        Metric("size", "weight_bytes", "B", "less", _BINARY, whole=True),
        Metric("latency", "latency_ms", "ms", "less", _TIME_MS),
        Metric("throughput", "images_per_second", "images/s", "more", _RATE),
        Metric("energy", "energy_mj", "mJ", "less", _ENERGY_MJ),
        Metric("bitops", "bitops", "bit operations", "less", _DECIMAL, whole=True),
        Metric("zero_cost", "zero_cost", "", "more", {"": 1.0}, ratios=False),  # of a proxy, on its own scale
    )
}

METRIC_OF_COLUMN: dict[str, Metric] = {metric.column: metric for metric in METRICS.values()}


def metric(key: str) -> Metric:
    """The metric of that key; `WrongUse` with the nearest known one otherwise."""
    if key not in METRICS:
        raise WrongUse(unknown("metric", key, METRICS))
    return METRICS[key]


def parse_quantity(metric: Metric, text: str) -> float:
    """`text` such as '256k' in the metric's column unit.

    `WrongUse` where it is no positive finite number of a plausible size or its unit is not one of the metric's.
    """
    match = re.fullmatch(rf"\s*({_NUMBER})\s*(\S*)\s*", text, re.IGNORECASE | re.ASCII)
    units = ", ".join(f"'{unit}'" for unit in metric.suffixes if unit) or "none"
    if match is None:
        raise WrongUse(f"{metric.key}: expected a number and a unit ({units}), got {shown(text)}")
    number, unit = match[1], match[2]
    if unit not in metric.suffixes:
        example = next(iter(metric.suffixes))
        wrong = f"has no unit {shown(unit)}" if unit else f"needs a unit, for example '{number}{example}'"
        raise WrongUse(f"{metric.key} {wrong} (got {shown(text)}); its units: {units}")
    value = float(number) * metric.suffixes[unit]
    if not math.isfinite(value) or value <= 0:
        raise WrongUse(f"{metric.key}: a limit is a positive finite number, got {shown(text)}")
    if metric.unit == "fraction" and value > 1:
        raise WrongUse(f"{metric.key} is at most 1 or 100%, got {shown(text)}; write for example {metric.key}=90%")
    if value > _LARGEST_LIMIT:
        raise WrongUse(f"{metric.key}: {shown(text)} is beyond any device (at most {_LARGEST_LIMIT:g} {metric.unit})")
    return value


def format_quantity(metric: Metric, value: float) -> str:
    """The value as people read it: '262,144 B (256 KiB)', '30,000,000 (30 M)', '97.3 %', '20 ms'.

    NaN and infinities are written as such.
    """
    if not math.isfinite(value):
        return f"{value} {metric.unit}".rstrip()
    if metric.unit == "fraction":
        return f"{100 * value:.1f} %"
    if metric.unit == "B":
        return f"{value:,.0f} B ({_rounded(value / 1024)} KiB)"
    if metric.suffixes is _DECIMAL:
        scale, prefix = next(((s, p) for s, p in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= s), (1.0, ""))
        return f"{value:,.0f}" + (f" ({_rounded(value / scale)} {prefix})" if prefix else "")
    return f"{_rounded(value)} {metric.unit}".rstrip()


def _rounded(value: float) -> str:
    """Four digits, more where the whole part has more; never an exponent for what a device can have.

    >>> _rounded(1 / 3), _rounded(256.0), _rounded(21_234.56)
    ('0.3333', '256', '21,235')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
