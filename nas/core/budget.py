"""Hard limits on metrics: the user's, and those that a device gives."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.core.metric import METRIC_OF_COLUMN, METRICS, Metric, format_quantity, parse_quantity
from search_spaces.core.errors import Infeasible, WrongUse, did_you_mean, shown
from search_spaces.core.limits import NoneWithin

# Whose figure it is: these metrics mean nothing without the runtime that executes the network.
_KEYS_OF_A_RUNTIME = frozenset({"sram", "flash", "latency", "throughput", "energy"})


@dataclass(frozen=True)
class Budget:
    """Limits by column, in the column's unit: a ceiling where less is better, a floor where more is (accuracy,
    throughput). The limit itself is within the budget; NaN and infinities never are.

    `origins` says by column where a limit came from and `whose` whose figure is held to it, for the echo; equality
    ignores both. An empty budget admits everything. Errors: `ValueError` for an unknown column or a limit that is not
    positive and finite.
    """

    limits: Mapping[str, float] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    whose: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for column, limit in self.limits.items():
            if column not in METRIC_OF_COLUMN:
                raise ValueError(f"unknown column '{column}'; known: {', '.join(METRIC_OF_COLUMN)}")
            if not (np.isfinite(limit) and limit > 0):
                raise ValueError(f"the limit of '{column}' must be positive and finite, got {limit}")
        object.__setattr__(self, "limits", MappingProxyType({c: float(v) for c, v in self.limits.items()}))
        object.__setattr__(self, "origins", MappingProxyType(dict(self.origins)))
        object.__setattr__(self, "whose", MappingProxyType(dict(self.whose)))

    def __hash__(self) -> int:
        return hash(frozenset(self.limits.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Budget, (dict(self.limits), dict(self.origins), dict(self.whose))  # a mapping proxy does not pickle

    def __bool__(self) -> bool:
        return bool(self.limits)

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """'sram=256k,flash=1M' as a budget.

        `WrongUse` where the text is empty, a key is unknown or stands twice, or a limit is no positive, finite,
        plausible number with a unit of the metric's kind.
        """
        return cls(_parsed(text))

    @classmethod
    def from_limits(cls, limits: Mapping[str, float], origin: str) -> "Budget":
        """The limits by column that something else than the user gives, such as `device stm32f746`.

        `WrongUse` where one is not positive, as when a reserve takes all that a device has.
        """
        for column, limit in limits.items():
            if column in METRIC_OF_COLUMN and limit <= 0:
                key = METRIC_OF_COLUMN[column].key
                raise WrongUse(f"{origin} leaves no {key} for the network ({limit:,.0f}); lower --reserve {key}=...")
        return cls(limits, dict.fromkeys(limits, origin))

    def merged_with(self, other: "Budget | Mapping[str, float]", origin: str = "the device") -> "Budget":
        """This budget (the user's) completed by another (a device's): where both limit a metric, this one's holds.

        `origin` names the other where it is a plain mapping. `describe` then tells where every limit came from.
        """
        theirs = other if isinstance(other, Budget) else Budget.from_limits(other, origin)
        if not theirs:
            return self
        origins = {column: self.origins.get(column, "your limit") for column in self.limits}
        for column in self.limits.keys() & theirs.limits.keys():
            overruled = format_quantity(METRIC_OF_COLUMN[column], theirs.limits[column])
            origins[column] += f" instead of {overruled} from {theirs.origins.get(column, origin)}"
        theirs_alone = {column: f"from {theirs.origins.get(column, origin)}" for column in theirs.limits}
        return Budget({**theirs.limits, **self.limits}, {**theirs_alone, **origins}, {**theirs.whose, **self.whose})

    def restricted_to(self, columns: Collection[str]) -> "Budget":
        """The limits on these columns alone, such as those that are known before an architecture is evaluated."""
        kept = {column: limit for column, limit in self.limits.items() if column in columns}
        return Budget(kept, {column: self.origins[column] for column in kept if column in self.origins}, self.whose)

    def judged_by(self, whose: Mapping[str, str]) -> "Budget":
        """The same limits, with whose figure is held to them by column: 'measured: host, torch fp32, batch 1, ...'."""
        return Budget(self.limits, self.origins, {**self.whose, **whose})

    def violations(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.bool_]:
        """Which limits are broken, bool `(n, limits)`, the limits in the order of `limits`.

        NaN and infinities break a limit. `ValueError` where a limited column is missing: see `restricted_to`.
        """
        missing = [column for column in self.limits if column not in columns]
        if missing:
            raise ValueError(f"the budget limits '{missing[0]}', which is not among the columns {sorted(columns)}")
        broken = [_broken(METRIC_OF_COLUMN[column], columns[column], limit) for column, limit in self.limits.items()]
        if broken:
            return np.stack(broken, axis=1)
        height = max((np.atleast_1d(np.asarray(values)).shape[0] for values in columns.values()), default=0)
        return np.zeros((height, 0), dtype=bool)

    def admits(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.bool_]:
        """Which rows are within every limit, bool `(n,)`. Errors as `violations`."""
        return ~np.asarray(self.violations(columns).any(axis=1), dtype=np.bool_)

    def describe(self, runtime: str) -> list[str]:
        """A line a limit, as understood: 'sram <= 262,144 B (256 KiB), runtime tinyengine'."""
        return list(self._lines(runtime))

    def beside(self, column: str, figures: Mapping[str, float], runtime: str) -> str:
        """A limit as understood, beside the figures of some networks by who has them.

        >>> Budget({"latency_ms": 5}).beside("latency_ms", {"the smallest": 9.25, "the largest": 80}, "tflm")
        'latency <= 5 ms, runtime tflm, while the smallest has 9.25 ms and the largest has 80 ms'
        """
        [limit] = self.restricted_to([column]).describe(runtime)
        metric = METRIC_OF_COLUMN[column]
        have = " and ".join(f"{who} has {format_quantity(metric, figure)}" for who, figure in figures.items())
        return f"{limit}, while {have}"

    def explained(self, error: NoneWithin, runtime: str) -> Infeasible:
        """What a space's rule says of these limits, by key and unit, and with whose figures they are."""
        return Infeasible(error.told(lambda column, figures: self.beside(column, figures, runtime)))

    def _lines(self, runtime: str) -> Iterator[str]:
        for column, limit in self.limits.items():
            metric = METRIC_OF_COLUMN[column]
            parts = [f"{metric.key} {'<=' if metric.better == 'less' else '>='} {format_quantity(metric, limit)}"]
            of_runtime = f"runtime {runtime}" if metric.key in _KEYS_OF_A_RUNTIME else ""
            parts += [words] if (words := self.whose.get(column, of_runtime)) else []
            parts += [self.origins[column]] if column in self.origins else []
            yield ", ".join(parts)


def _broken(metric: Metric, values: ArrayLike, limit: float) -> NDArray[np.bool_]:
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    within = array <= limit if metric.better == "less" else array >= limit
    return ~(within & np.isfinite(array))


def _parsed(text: str) -> dict[str, float]:
    """'key=value,...' as values by column."""
    limits: dict[str, float] = {}
    for item in text.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            what = f"no limit in {shown(item)}" if text.strip() else "empty; leave it away for no limits"
            raise WrongUse(f"--budget: {what}; write metric=value with commas between, for example sram=256k,flash=1M")
        if key not in METRICS:
            raise WrongUse(f"--budget: unknown metric {shown(key)}{_key_hint(key)} Known: {', '.join(METRICS)}")
        metric = METRICS[key]
        if metric.column in limits:
            raise WrongUse(f"--budget: '{key}' stands twice in {shown(text)}; keep one of them")
        limits[metric.column] = parse_quantity(metric, value)
    return limits


def _key_hint(key: str) -> str:
    of_column = [metric.key for metric in METRICS.values() if metric.column == key]
    return f"; in flags it is called '{of_column[0]}'." if of_column else did_you_mean(key, METRICS) or "."
