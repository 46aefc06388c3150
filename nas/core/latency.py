"""How long a network takes, and of whom that is said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces.core.errors import WrongUse

HOST = "host"
FP32 = "fp32"
QUIET = 0.05  # two passes that differ by no more confirm each other
_NOISY_SHARE = 0.1  # of the networks, from which on a machine counts as too busy
_MOST = {"threads": 1024, "batch": 4096}


@dataclass(frozen=True)
class Target:
    """Who runs the networks. Latencies of two targets are never mixed: all five belong to the figure."""

    device: str = HOST
    runtime: str = "onnxruntime"
    precision: str = FP32
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise WrongUse(f"{name} of a latency: 1 to {most:,}, got {value}")
        for name in ("device", "runtime", "precision"):
            if not getattr(self, name).strip():
                raise WrongUse(f"the {name} of a latency is a name, such as {getattr(Target, name)}; got nothing")

    def __str__(self) -> str:
        """For people.

        >>> str(Target())
        'device host, onnxruntime fp32, batch 1, 1 thread'
        """
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"device {self.device}, {self.runtime} {self.precision}, batch {self.batch}, {threads}"


@dataclass(frozen=True)
class Latency:
    """Time of a network for one batch, from some passes of several runs each.

    `milliseconds`: its quickest run, for other processes only ever make a run slower. `spread`: how much longer a
    typical run takes (the mean of the passes' medians), as a fraction. `drift`: how much longer the quickest run of the
    second quickest pass took; None after a single pass. `passes` and `runs` that counted. `spread` and what follows are
    unknown (None) of a figure that somebody else measured.
    """

    milliseconds: float
    spread: float | None = None
    drift: float | None = None
    passes: int | None = None
    runs: int | None = None

    @classmethod
    def of_pass(cls, seconds: Sequence[float]) -> "Latency":
        """From the runs of one pass, at least one."""
        quickest = min(seconds)
        return cls(1e3 * quickest, float(np.median(seconds)) / quickest - 1, None, 1, len(seconds))

    def joined(self, other: "Latency") -> "Latency":
        """Of the passes of both, which were measured here."""
        least, second = sorted([*self._quickest_two(), *other._quickest_two()])[:2]
        runs = (self.runs or 0), (other.runs or 0)
        typical = float(np.average([self._typical(), other._typical()], weights=runs))
        return Latency(least, typical / least - 1, second / least - 1, self.taken + other.taken, sum(runs))

    @property
    def taken(self) -> int:
        """Passes that were measured here."""
        return self.passes or 0

    @property
    def is_confirmed(self) -> bool:
        """Whether two passes agree."""
        return self.drift is not None and self.drift <= QUIET

    def _typical(self) -> float:
        return self.milliseconds * (1 + (self.spread or 0.0))

    def _quickest_two(self) -> list[float]:
        return [self.milliseconds, *([] if self.drift is None else [self.milliseconds * (1 + self.drift)])]


def noise(latencies: Sequence[Latency]) -> str:
    """What to say of a machine that was too busy; empty where it was quiet enough, or nothing was measured."""
    unsure = [latency for latency in latencies if not latency.is_confirmed]
    if not latencies or len(unsure) <= _NOISY_SHARE * len(latencies):
        return ""
    return (
        f"this machine is too busy for close figures: of {len(latencies)} networks {len(unsure)} have no two passes "
        f"within {100 * QUIET:.0f} %; stop other work and profile again with --force"
    )
