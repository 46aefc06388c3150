"""What every route gets: the settings, and the parts made from them."""

from typing import Annotated

from fastapi import Depends, Request

from nas.service.live.runs import LiveRuns
from nas.service.settings import ServiceSettings


class Service:
    """One running service. Parts are made here once, and handed to the routes as attributes."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.live = LiveRuns(settings.root, settings.store)

    def start(self) -> None:
        """What must run before the first request."""

    def stop(self) -> None:
        """What must be closed behind the last one; jobs go on."""
        self.live.stop()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Using = Annotated[Service, Depends(_service)]
"""The type of a route's argument that wants the service."""
