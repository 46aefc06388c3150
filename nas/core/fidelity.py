"""How long an evaluation trains: one number of epochs, or rungs at which it must have earned the next."""

import re
from dataclasses import dataclass
from itertools import pairwise

from search_spaces.core.errors import WrongUse, shown

_MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class Fidelity:
    """Rising numbers of epochs. At each but the last an evaluation is compared with earlier ones, and may end there.

    >>> Fidelity.parse("epochs=3,9,27").rungs
    (3, 9, 27)
    """

    rungs: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Fidelity":
        """'epochs=3,9,27' or 'epochs=10'; `WrongUse` where the numbers do not rise from 1 or more."""
        match = re.fullmatch(r"\s*epochs\s*=\s*(\d+(?:\s*,\s*\d+)*)\s*", text, re.ASCII)
        rungs = tuple(int(number) for number in match[1].split(",")) if match else ()
        rising = all(a < b for a, b in pairwise(rungs))
        if not rungs or not rising or not 1 <= rungs[0] <= rungs[-1] <= _MOST_EPOCHS:
            raise WrongUse(f"--fidelity is epochs= and rising whole numbers, as epochs=3,9,27; got {shown(text)}")
        return cls(rungs)

    @property
    def epochs(self) -> int:
        """The most epochs that an evaluation trains."""
        return self.rungs[-1]

    def share_of_all(self, rung: int) -> int:
        """One in how many of all trials trains beyond a rung.

        >>> Fidelity((3, 9, 27)).share_of_all(3), Fidelity((3, 9, 27)).share_of_all(9)
        (3, 9)
        """
        following = self.rungs[self.rungs.index(rung) + 1]
        return max(1, round(following / self.rungs[0]))

    def share(self, rung: int) -> float:
        """The share of evaluations that go on beyond this rung: 1/3 between 9 and 27 epochs."""
        return rung / self.rungs[self.rungs.index(rung) + 1]

    def column(self, rung: int) -> str:
        """Where the accuracy after so many epochs is kept."""
        return f"top1_after_{rung}"
