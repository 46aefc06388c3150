"""One decision of a search space."""

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
        """The position of `option`; `ValueError` names the options there are."""
        try:
            return self.options.index(option)
        except ValueError:
            known = ", ".join(map(str, self.options))
            raise ValueError(f"'{option}' is not an option of '{self.name}': it knows {known}") from None
