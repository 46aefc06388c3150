"""Event files as TensorBoard reads them, with tensorboardX's own messages; written apart from the code under test."""

import struct
from pathlib import Path

from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event


def _masked(data: bytes) -> int:
    crc = crc32c(data) & 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def events(file: Path) -> "list[Event]":
    """Every event of a file; checks both checksums of each record."""
    content, found = file.read_bytes(), []
    while content:
        header, (length,) = content[:8], struct.unpack("<Q", content[:8])
        data = content[12 : 12 + length]
        assert struct.unpack("<I", content[8:12])[0] == _masked(header)
        assert struct.unpack("<I", content[12 + length : 16 + length])[0] == _masked(data)
        found.append(Event.FromString(data))
        content = content[16 + length :]
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) by name, over all files of a folder in the order in which TensorBoard reads them."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in events(file):
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def texts(folder: Path) -> dict[str, list[str]]:
    """Texts by name."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in events(file):
            for value in event.summary.value:
                if value.WhichOneof("value") == "tensor":
                    found.setdefault(value.tag, []).append(value.tensor.string_val[0].decode())
    return found
