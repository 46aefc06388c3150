"""A service that really listens, for tests that ask it as programs do."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from nas.service.app import create_app
from nas.service.service import Service
from nas.service.settings import ServiceSettings

_SECONDS_TO_START = 20


@contextlib.contextmanager
def serve(root: Path, **settings: Any) -> Iterator[httpx.Client]:
    """A client of a service over the runs in `root`; paths are below /api/v1. It holds an admin's token, unused."""
    root.mkdir(parents=True, exist_ok=True)
    service = Service(ServiceSettings(root, **settings))
    server = uvicorn.Server(
        uvicorn.Config(create_app(service), port=0, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        began = time.monotonic()
        while not server.started:
            if not thread.is_alive() or time.monotonic() - began > _SECONDS_TO_START:
                raise RuntimeError("the service did not start")
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
