"""Event files for TensorBoard: `tensorboard --logdir runs`. The only file that knows tensorboardX.

Records are written in the calling thread. tensorboardX's own writer hands them to a thread through a queue of ten: when
the disk is full the thread dies, the queue fills and the search would hang.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nas.tracking.sink import Sink

_FLUSH_SECONDS = 1.0
_PATTERN = "events.out.tfevents.*"
_HEADER, _CHECKSUM = 12, 4  # bytes around a record: length and its checksum, then the record's


class TensorBoard(Sink):
    """`<folder>/<part>/events.out.tfevents.*`, one file each time the sink is opened."""

    def __init__(self, folder: Path, run: str, part: str, fresh: bool = False) -> None:
        # imported here and not above: tensorboardX imports torch, which whoever has figures to write has loaded already
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event

        self._summary, self._event = summary, Event
        place = folder / part
        place.mkdir(parents=True, exist_ok=True)
        earlier = sorted(place.glob(_PATTERN))
        if fresh:
            for path in earlier:
                path.unlink()
            earlier = []
        self._written = {(value.tag, event.step) for path in earlier for event, value in _values(path, Event)}
        # numbered, since the name has whole seconds only: a file would replace one of the same second
        self._file = EventsWriter(str(place / "events"), f".{len(earlier):04d}")
        self._flushed = time.monotonic()

    def scalar(self, name: str, value: float, step: int) -> None:
        self._write(self._summary.scalar(name, value), step)

    def event(self, name: str, text: str, step: int) -> None:
        indented = "".join(f"    {line}\n" for line in text.splitlines())  # Markdown for text as it stands
        self._write(self._summary.text(name, indented), step)

    def close(self) -> None:
        self._file.close()

    def _write(self, summary: Any, step: int) -> None:
        if (summary.value[0].tag, step) in self._written:
            return
        self._file.write_event(self._event(wall_time=time.time(), step=step, summary=summary))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._file.flush()
            self._flushed = time.monotonic()


def _values(path: Path, event_type: Any) -> Iterator[tuple[Any, Any]]:
    """Every (event, value) of a file, as far as it is whole: a killed process leaves a torn end."""
    content, at = path.read_bytes(), 0
    while len(content) >= at + _HEADER:
        (length,) = struct.unpack_from("<Q", content, at)
        end = at + _HEADER + length + _CHECKSUM
        if end > len(content):
            return
        event = event_type.FromString(content[at + _HEADER : end - _CHECKSUM])
        for value in event.summary.value:
            yield event, value
        at = end


SINK = TensorBoard
