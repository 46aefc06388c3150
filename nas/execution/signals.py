"""SIGINT and SIGTERM end a search in order: what is recorded is kept, what is under way is dropped."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from nas.conductor import Conductor, StopReason

_REASONS = {signal.SIGINT: StopReason.INTERRUPTED, signal.SIGTERM: StopReason.TERMINATED}


class Abandoned(BaseException):
    """Leaves an evaluation that a signal interrupted; no `except Exception` of an evaluator holds it up."""


class StopOnSignals:
    """While entered, SIGINT and SIGTERM stop the conductor; a second SIGINT is a `KeyboardInterrupt`.

    The handlers that were there before come back at the end. Does nothing outside the main thread, where Python allows
    no handlers: a service stops its searches by `conductor.stop`.
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._before: dict[signal.Signals, Any] = {}
        self._may_abandon = False
        self._interruptions = 0

    def __enter__(self) -> "StopOnSignals":
        if threading.current_thread() is threading.main_thread():
            for number in _REASONS:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def abandonable(self) -> Iterator[None]:
        """A signal inside raises `Abandoned`; outside it waits for the next `propose`."""
        self._may_abandon = True
        try:
            yield
        finally:
            self._may_abandon = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._interruptions += number == signal.SIGINT
        if self._interruptions > 1:
            raise KeyboardInterrupt
        self._conductor.stop(_REASONS[signal.Signals(number)])
        if self._may_abandon:
            raise Abandoned
