"""The metrics: key in flags, column in tables, unit, direction. One table, the same everywhere."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from search_spaces.core.errors import WrongUse, did_you_mean

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


@dataclass(frozen=True)
class Metric:
    """`key` in flags, `column` in tables and JSON; `suffixes` maps a unit to its factor; `better` is more or less."""

    key: str
    column: str
    unit: str
    better: Literal["more", "less"]
    suffixes: dict[str, float]
    whole: bool = False

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
    )
}


def metric(key: str) -> Metric:
    """The metric of that key; `WrongUse` with the nearest known one otherwise."""
    if key not in METRICS:
        known = ", ".join(METRICS)
        raise WrongUse(f"unknown metric '{key}'{did_you_mean(key, METRICS)} Known: {known}")
    return METRICS[key]


def parse_quantity(metric: Metric, text: str) -> float:
    """`text` such as '256k' in the metric's column unit.

    `WrongUse` where it is no positive finite number of a plausible size or its unit is not one of the metric's.
    """
    match = re.fullmatch(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity))\s*(\S*)\s*", text, re.I)
    units = ", ".join(f"'{unit}'" for unit in metric.suffixes if unit) or "none"
    if match is None:
        raise WrongUse(f"{metric.key}: expected a number and a unit ({units}), got '{text}'")
    number, unit = float(match[1]), match[2]
    if unit not in metric.suffixes:
        example = next(unit for unit in reversed(metric.suffixes) if unit) if "" not in metric.suffixes else ""
        wrong = f"has no unit '{unit}'" if unit else f"needs a unit, for example '{match[1]}{example}'"
        raise WrongUse(f"{metric.key} {wrong} (got '{text}'); its units: {units}")
    value = number * metric.suffixes[unit]
    if not math.isfinite(value) or value <= 0:
        raise WrongUse(f"{metric.key}: a limit is a positive finite number, got '{text}'")
    if value > _LARGEST_LIMIT:
        raise WrongUse(f"{metric.key}: '{text}' is beyond any device (at most {_LARGEST_LIMIT:g} {metric.unit})")
    return value


def format_quantity(metric: Metric, value: float) -> str:
    """The value as people read it: '262,144 B (256 KiB)', '30,000,000 (30 M)', '97.3 %', '20 ms'."""
    if metric.unit == "fraction":
        return f"{100 * value:.1f} %"
    if metric.unit == "B":
        return f"{value:,.0f} B ({value / 1024:,.4g} KiB)"
    if metric.suffixes is _DECIMAL:
        scale, prefix = next(((s, p) for s, p in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= s), (1.0, ""))
        return f"{value:,.0f}" + (f" ({value / scale:.4g} {prefix})" if prefix else "")
    return f"{value:,.4g} {metric.unit}"
