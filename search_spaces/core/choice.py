"""One decision of a search space."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Option = int | float | str


@dataclass(frozen=True)
class Choice:
    """A name and its finite, ordered options.

    Errors: `ValueError` where there is no option or one stands twice.
    """

    name: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not self.options or len(set(self.options)) != len(self.options):
            raise ValueError(f"the options of choice '{self.name}' must be one or more, all different: {self.options}")

    def index(self, option: Option) -> int:
        """The position of `option`; `ValueError` names the options there are, and the nearest of them."""
        try:
            return self.options.index(option)
        except ValueError:
            known, nearest = ", ".join(map(str, self.options)), self.nearest(option)
            hint = "" if nearest is None else f"; nearest: {nearest}"
            raise ValueError(f"'{option}' is not an option of '{self.name}': it knows {known}{hint}") from None

    def nearest(self, option: Option) -> Option | None:
        """The option next to a number, the first where two are as near, or most like a word; None where none is.

        >>> Choice("ratio", (3.5, 4.0)).nearest(3.0), Choice("position", ("sine", "learned")).nearest("learnt")
        (3.5, 'learned')
        """
        if isinstance(option, str):
            return next(
                iter(difflib.get_close_matches(option, [o for o in self.options if isinstance(o, str)], 1)), None
            )
        numbers = [known for known in self.options if not isinstance(known, str)]
        return min(numbers, key=lambda known: abs(known - option), default=None)


def misfits(choices: Iterable[Choice], options: Mapping[str, Option]) -> list[str]:
    """What keeps `options` by choice out of a space of these choices, a line each; none where it is a member.

    >>> misfits([Choice("ratio", (3.5, 4.0))], {"ratio": 3.0})
    ["'3.0' is not an option of 'ratio': it knows 3.5, 4.0; nearest: 3.5"]
    """
    found = []
    for choice in choices:
        if choice.name in options:
            try:
                choice.index(options[choice.name])
            except ValueError as error:
                found.append(str(error))
    return found
