"""What every place for figures can do."""

from abc import ABC, abstractmethod
from pathlib import Path


class Sink(ABC):
    """Takes figures by name and step, and sentences. Any method may raise: the tracker then goes on without it.

    `folder` is the sink's own (it may not exist yet), `run` the run's name, `part` what the figures belong to: `search`
    or `member-<id>`. A sink that is opened again for the same part goes on: what was written for a name and step is not
    written a second time. `fresh`: what an earlier sink wrote for this part is void.
    """

    @classmethod  # noqa: B027 - most sinks need nothing
    def check(cls) -> None:
        """`WrongUse` with what to install, where this sink cannot work here. Cheap."""

    @abstractmethod
    def __init__(self, folder: Path, run: str, part: str, fresh: bool = False) -> None: ...

    @abstractmethod
    def scalar(self, name: str, value: float, step: int) -> None:
        """A figure, such as `supernet/loss` at step 17."""

    @abstractmethod
    def event(self, name: str, text: str, step: int) -> None:
        """Something in words, such as the configuration, or why a trial failed."""

    @abstractmethod
    def close(self) -> None:
        """Writes what is held back."""
