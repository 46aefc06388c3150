"""Who is told how long work goes; the command line shows it, Python stays silent."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nas.conductor import Event

PROGRESS = "progress"
"""The kind of a line of JSON that tells how far a step is, among those of a search's events."""
SEARCHING = "searching"
"""The step of a search in which trials are evaluated."""

Report = Callable[[int, int, str], None]


class Reporter(Protocol):
    """All methods are cheap and never fail."""

    def note(self, text: str) -> None:
        """A sentence worth reading."""

    def progress(self, what: str) -> AbstractContextManager[Report]:
        """A bar for one long step: the function is called with (done, total, remark); total 0: nobody knows."""

    def event(self, event: "Event") -> None:
        """Something happened in the search."""


class Silent:
    """Tells nobody anything."""

    def note(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """Nothing."""
        yield lambda done, total, remark: None

    def event(self, event: "Event") -> None:
        """Nothing."""
