"""Readers of a service, as many as you like, in one process: raw sockets, for a client library would be the limit.

    python benchmarks/service_load.py --port 8080 --run NAME --readers 1000 --streams 20 --seconds 60

Each reader holds a connection and asks every five seconds for the trials that it does not know; the first time from the
cursor given. Prints one JSON object: requests, errors, milliseconds (median, p95, largest), events of the streams.
"""

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, field

import numpy as np

_EVERY_SECONDS = 5.0


@dataclass
class Tally:
    """What all readers saw; times in milliseconds."""

    waits: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    errors: int = 0
    events: int = 0
    last_error: str = ""

    def document(self) -> dict[str, object]:
        """Plain JSON values."""
        waits = np.asarray(self.waits or [np.nan])
        return {
            "requests": len(self.waits),
            "errors": self.errors,
            "last_error": self.last_error,
            "median_ms": round(float(np.median(waits)), 1),
            "p95_ms": round(float(np.quantile(waits, 0.95)), 1),
            "largest_ms": round(float(waits.max()), 1),
            "largest_bytes": max(self.sizes, default=0),
            "events": self.events,
        }


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[int, bytes]:
    """Status and body of one request on a connection that stays open."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    return int(head.split(b" ", 2)[1]), body


async def poll(port: int, run: str, cursor: str, until: float, tally: Tally) -> None:
    """One reader: begins somewhere within the first five seconds."""
    await asyncio.sleep(random.uniform(0, _EVERY_SECONDS))
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            status, body = await ask(reader, writer, f"/api/v1/runs/{run}/trials?after={cursor}")
            tally.waits.append(1e3 * (time.monotonic() - began))
            tally.sizes.append(len(body))
            if status != 200:
                raise OSError(f"status {status}: {body[:200]!r}")
            cursor = json.loads(body)["cursor"]
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            tally.errors, tally.last_error = tally.errors + 1, repr(error)
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        await asyncio.sleep(max(0.0, began + _EVERY_SECONDS - time.monotonic()))
    writer.close()


async def stream(port: int, run: str, cursor: str, until: float, tally: Tally) -> None:
    """One reader of server-sent events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    path = f"/api/v1/runs/{run}/events?after={cursor}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    while (left := until - time.monotonic()) > 0:
        try:
            line = await asyncio.wait_for(reader.readline(), left)
        except TimeoutError:
            break
        if not line:
            tally.errors, tally.last_error = tally.errors + 1, "a stream ended"
            break
        tally.events += line.startswith(b"event: trials")
    writer.close()


async def load(port: int, run: str, cursor: str, readers: int, streams: int, seconds: float) -> Tally:
    """All of them at once."""
    tally, until = Tally(), time.monotonic() + seconds
    everyone = [poll(port, run, cursor, until, tally) for _ in range(readers)]
    everyone += [stream(port, run, cursor, until, tally) for _ in range(streams)]
    await asyncio.gather(*everyone)
    return tally


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--cursor", default="")
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    told = parser.parse_args()
    found = asyncio.run(load(told.port, told.run, told.cursor, told.readers, told.streams, told.seconds))
    print(json.dumps(found.document()))
