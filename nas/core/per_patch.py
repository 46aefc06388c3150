"""How the patches of a network get their bits: the settings of QuantMCU that the paper leaves open."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.core.errors import WrongUse, did_you_mean, shown

PER_PATCH = "per-patch"
MOST_BITS = 8
PICTURE, POSITION = BY = ("picture", "position")
NOISE, CODES = ENTROPIES = ("noise", "codes")

_EXAMPLE = "lambda=0.85,outliers=4,bits=8:4:2,by=picture,entropy=noise"


@dataclass(frozen=True)
class PerPatch:
    """`weight`: the paper's lambda, 0 to 1: how much a loss of entropy counts against bit operations saved.
    `outliers`: a value is one that lies more than so many standard deviations from the mean of the pictures; infinity:
    none is. `bits`: what a feature map may have; 8 is among them. `by`: whether each picture's own values decide which
    of its patches keep 8 bits, or the calibration pictures, for each position once. `entropy`: what rounding adds to it
    as noise, taken as normal, or what the integers lose of it against those of 8 bits (see `value_driven`).

    Defaults: chosen by the ablation in benchmarks/quantmcu.py.

    >>> PerPatch.parse("lambda=0.5,outliers=none")
    PerPatch(weight=0.5, outliers=inf, bits=(8, 6, 5, 4, 3, 2), by='picture', entropy='noise')
    """

    weight: float = 0.85
    outliers: float = 4.0
    bits: tuple[int, ...] = (8, 6, 5, 4, 3, 2)
    by: str = PICTURE
    entropy: str = NOISE

    @classmethod
    def parse(cls, text: str) -> "PerPatch":
        """'lambda=0.3,outliers=2.5,...', each at most once; `WrongUse` for anything else."""
        given: dict[str, Any] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            key, _, value = (part.strip() for part in item.partition("="))
            if key not in _READ:
                raise WrongUse(
                    f"--per-patch knows {', '.join(_READ)}, as {_EXAMPLE}; got {shown(item)}{did_you_mean(key, _READ)}"
                )
            name, read = _READ[key]
            if name in given:
                raise WrongUse(f"--per-patch gives {key} twice")
            given[name] = read(key, value)
        return cls(**given)

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        outliers = self.outliers if math.isfinite(self.outliers) else None
        return {
            "lambda": self.weight,
            "outliers": outliers,
            "bits": list(self.bits),
            "by": self.by,
            "entropy": self.entropy,
        }


def _share(key: str, text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise WrongUse(f"--per-patch: {key} is a number from 0 to 1; got {shown(text)}")
    return value


def _deviations(key: str, text: str) -> float:
    value = math.inf if text == "none" else _number(text)
    if not value > 0 or (text != "none" and not math.isfinite(value)):
        raise WrongUse(f"--per-patch: {key} is a positive number of standard deviations, or none; got {shown(text)}")
    return value


def _bits(key: str, text: str) -> tuple[int, ...]:
    parts = text.split(":")
    if not all(re.fullmatch(r"[2-8]", part, re.ASCII) for part in parts):
        raise WrongUse(f"--per-patch: {key} are numbers from 2 to {MOST_BITS} with colons between; got {shown(text)}")
    found = sorted({int(part) for part in parts}, reverse=True)
    if len(found) < len(parts) or found[0] != MOST_BITS:
        raise WrongUse(f"--per-patch: {key} are different numbers, {MOST_BITS} among them; got {shown(text)}")
    return tuple(found)


def _one_of(known: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(key: str, text: str) -> str:
        if text not in known:
            raise WrongUse(f"--per-patch: {key} is {' or '.join(known)}; got {shown(text)}{did_you_mean(text, known)}")
        return text

    return read


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


_READ: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "lambda": ("weight", _share),
    "outliers": ("outliers", _deviations),
    "bits": ("bits", _bits),
    "by": ("by", _one_of(BY)),
    "entropy": ("entropy", _one_of(ENTROPIES)),
}
