"""What every route gets: the settings, and the parts made from them."""

import threading
from typing import Annotated

from fastapi import Depends, Request
from filelock import FileLock, Timeout

from nas.service.datasets import Datasets
from nas.service.jobs.supervisor import Supervisor
from nas.service.live.noted import noted_by
from nas.service.live.runs import LiveRuns
from nas.service.security.tokens import Tokens
from nas.service.settings import ServiceSettings, open_store
from nas.storage.files import os_errors_explained
from search_spaces.core.errors import Refused


class Service:
    """One running service. Parts are made here once, and handed to the routes as attributes.

    `Refused` where another service holds the same folder.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        with os_errors_explained(settings.state):
            settings.state.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(settings.state / "service.lock", timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise Refused(
                f"another service is at work on {settings.root}; stop it, or start this one in another folder"
            ) from None
        self.store = open_store(settings)
        self.tokens = Tokens(self.store)
        self.jobs = Supervisor(settings, self.store)
        self.live = LiveRuns(settings.root, settings.store, noted_by(self.store, self.jobs))
        self.datasets = Datasets(settings)
        self.starting = threading.Lock()  # between a free name and its job

    def start(self) -> None:
        """What must run before the first request."""
        self.jobs.start()

    def stop(self) -> None:
        """What must be closed behind the last one; jobs go on."""
        self.jobs.stop()
        self.live.close()
        self.store.close()
        self._lock.release()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Using = Annotated[Service, Depends(_service)]
"""The type of a route's argument that wants the service."""
