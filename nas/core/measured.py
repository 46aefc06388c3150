"""What a network takes on a device, time or energy, and of whom that is said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces.core.errors import WrongUse

HOST = "host"
FP32 = "fp32"
MIXED = "mixed"  # operator by operator, as a quantization policy says
QUIET = 0.05  # two passes that differ by no more confirm each other
_NOISY_SHARE = 0.1  # of the networks, from which on a machine counts as too busy
_MOST = {"threads": 1024, "batch": 4096}


@dataclass(frozen=True)
class Target:
    """Who runs the networks. Figures of two targets are never mixed: all five belong to a figure."""

    device: str = HOST
    runtime: str = "onnxruntime"
    precision: str = FP32
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise WrongUse(f"{name} of a measurement: 1 to {most:,}, got {value}")
        for name in ("device", "runtime", "precision"):
            if not getattr(self, name).strip():
                raise WrongUse(f"the {name} of a measurement is a name, such as {getattr(Target, name)}; got nothing")

    def __str__(self) -> str:
        """For people.

        >>> str(Target())
        'device host, onnxruntime fp32, batch 1, 1 thread'
        """
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"device {self.device}, {self.runtime} {self.precision}, batch {self.batch}, {threads}"


@dataclass(frozen=True)
class Measured:
    """What a network takes for one batch, milliseconds or millijoules; from some passes of several runs each.

    `value`: of its quickest run, for other processes only ever make a run slower. `spread`: how much longer a
    typical run takes (the mean of the passes' medians), as a fraction. `drift`: how much longer the quickest run of the
    second quickest pass took; None after a single pass. `passes` and `runs` that counted. `spread` and what follows are
    unknown (None) of a figure that somebody else measured.
    """

    value: float
    spread: float | None = None
    drift: float | None = None
    passes: int | None = None
    runs: int | None = None

    @classmethod
    def of_pass(cls, seconds: Sequence[float]) -> "Measured":
        """From the runs of one pass, at least one."""
        quickest = min(seconds)
        return cls(1e3 * quickest, float(np.median(seconds)) / quickest - 1, None, 1, len(seconds))

    def joined(self, other: "Measured") -> "Measured":
        """Of the passes of both, which were measured here."""
        least, second = sorted([*self._quickest_two(), *other._quickest_two()])[:2]
        runs = (self.runs or 0), (other.runs or 0)
        typical = float(np.average([self._typical(), other._typical()], weights=runs))
        return Measured(least, typical / least - 1, second / least - 1, self.taken + other.taken, sum(runs))

    @property
    def taken(self) -> int:
        """Passes that were measured here."""
        return self.passes or 0

    @property
    def is_confirmed(self) -> bool:
        """Whether two passes agree."""
        return self.drift is not None and self.drift <= QUIET

    def _typical(self) -> float:
        return self.value * (1 + (self.spread or 0.0))

    def _quickest_two(self) -> list[float]:
        return [self.value, *([] if self.drift is None else [self.value * (1 + self.drift)])]


def noise(figures: Sequence[Measured]) -> str:
    """What to say of a machine that was too busy; empty where it was quiet enough, or nothing was measured."""
    unsure = [figure for figure in figures if not figure.is_confirmed]
    if not figures or len(unsure) <= _NOISY_SHARE * len(figures):
        return ""
    return (
        f"this machine is too busy for close figures: of {len(figures)} networks {len(unsure)} have no two passes "
        f"within {100 * QUIET:.0f} %; stop other work and profile again with --force"
    )
