"""Whether a zip from outside may be kept: neither links nor ways out of it, and not made to fill memory or disk."""

import re
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath

from search_spaces.core.errors import WrongUse, shown

MOST_ENTRIES = 200_000
MOST_UNPACKED_BYTES = 64 << 30
MOST_TIMES_SMALLER = 200
"""Pictures and sounds hardly shrink in a zip; what shrinks more than this is made to fill a disk."""

_RATIO_FROM_BYTES = 1 << 20
_MOST_BYTES_AN_ENTRY = 256  # of the list of entries, which is read into memory as a whole
_LEAST_BYTES_AN_ENTRY = 46
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, (1 << 16) - 1
_LOCATOR, _LOCATOR_BYTES, _END_64, _END_64_BYTES = b"PK\x06\x07", 20, b"PK\x06\x06", 56


def check_zip(path: Path) -> None:
    """`WrongUse` for what is no zip, or none that is taken; nothing of it is unpacked."""
    try:
        _check_list(path)
        with zipfile.ZipFile(path) as opened:
            entries = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        raise WrongUse(f"this is no zip that can be read ({error}); send a zip of class folders") from None
    if len(entries) > MOST_ENTRIES:
        raise _too_many(f"{len(entries):,}")
    for entry in entries:
        _check_entry(entry)
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(path.stat().st_size, 1)
    if unpacked > MOST_UNPACKED_BYTES or (unpacked > _RATIO_FROM_BYTES and unpacked > MOST_TIMES_SMALLER * packed):
        raise WrongUse(
            f"this zip unpacks to {unpacked:,} bytes, {unpacked / packed:,.0f} times its size; at most "
            f"{MOST_TIMES_SMALLER} times and {MOST_UNPACKED_BYTES:,} bytes are taken"
        )


def _check_entry(entry: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(entry.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or re.match(r"[a-zA-Z]:", entry.filename):
        raise WrongUse(f"the name {shown(entry.filename)} leads out of the zip; pack the folder anew")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise WrongUse(f"{shown(entry.filename)} is a link, which is not followed; pack the files themselves")


def _check_list(path: Path) -> None:
    """How long the list of entries says that it is, before it is read: a list of millions would fill the memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES, 0)
        file.seek(start)
        tail = file.read()
        end = tail.rfind(_END)
        if end < 0 or len(tail) < end + _END_BYTES:
            raise zipfile.BadZipFile("it has no end record")
        (length,) = struct.unpack_from("<L", tail, end + 12)
        if end >= _LOCATOR_BYTES and tail[end - _LOCATOR_BYTES :][:4] == _LOCATOR:
            (place,) = struct.unpack_from("<Q", tail, end - _LOCATOR_BYTES + 8)
            file.seek(min(place, size))
            record = file.read(_END_64_BYTES)
            if record[:4] == _END_64:
                (length,) = struct.unpack_from("<Q", record, 40)
    if length > MOST_ENTRIES * _MOST_BYTES_AN_ENTRY:
        raise _too_many(f"up to {length // _LEAST_BYTES_AN_ENTRY:,}")


def _too_many(count: str) -> WrongUse:
    return WrongUse(f"a data set has at most {MOST_ENTRIES:,} files, this zip has {count}")
