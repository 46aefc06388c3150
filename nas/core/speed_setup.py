"""How speed is measured: pictures at once and threads."""

import re
from dataclasses import dataclass

from search_spaces.core.errors import WrongUse, shown

# One picture at a time is what latency means; throughput is asked of a batch.
_LATENCY = "latency_ms"
_MOST = {"batch": 4096, "threads": 1024}


@dataclass(frozen=True)
class SpeedSetup:
    """`batch` pictures at once (of throughput; latency is that of one picture) on so many `threads`.

    >>> SpeedSetup.parse("batch=8")
    SpeedSetup(batch=8, threads=1)
    """

    batch: int = 32
    threads: int = 1

    @classmethod
    def parse(cls, text: str) -> "SpeedSetup":
        """'batch=32,threads=1' or one of them; `WrongUse` for anything else, or where one is not 1 to its most."""
        given: dict[str, int] = {}
        for item in text.split(","):
            match = re.fullmatch(r"\s*(batch|threads)\s*=\s*(\d{1,9})\s*", item, re.ASCII)
            if match is None or match[1] in given:
                raise WrongUse(f"--measure is batch= and threads=, each once, as batch=32,threads=1; got {shown(text)}")
            given[match[1]] = int(match[2])
        for key, value in given.items():
            if not 1 <= value <= _MOST[key]:
                raise WrongUse(f"--measure: {key} is 1 to {_MOST[key]}, got {value}")
        return cls(**given)

    def batch_of(self, column: str) -> int:
        """Pictures at once when this column is measured."""
        return 1 if column == _LATENCY else self.batch

    def whose(self, column: str, runs: str = "torch fp32") -> str:
        """Whose figure it is, for people; `runs`: who runs the networks, and in which numbers.

        >>> SpeedSetup().whose("images_per_second")
        'measured: host, torch fp32, batch 32, 1 thread'
        """
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"measured: host, {runs}, batch {self.batch_of(column)}, {threads}"
