"""`nas serve`: the web server around the application."""

import errno
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from nas.service.app import create_app
from nas.service.service import Service
from nas.service.settings import ServiceSettings
from search_spaces.core.errors import FitnasError, WrongUse

TOKEN_FILE = "token"
_SECONDS_TO_FINISH = 3
_SECONDS_BETWEEN_REQUESTS = 75  # on one connection: pages that ask every few seconds keep theirs


def serve(settings: ServiceSettings, tell: Callable[[str, str, Path | None], None]) -> None:
    """Serves until it is interrupted. `tell` gets the address, the first token, and its file where that was there
    before, once somebody may ask.

    `WrongUse` where the port is taken.
    """
    listening = _listening(settings)
    service = Service(settings)
    file = settings.token_file or settings.state / TOKEN_FILE
    secret, is_new = service.tokens.first(file)
    config = uvicorn.Config(
        create_app(service),
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        timeout_keep_alive=_SECONDS_BETWEEN_REQUESTS,
    )
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    tell(f"http://{shown}:{port}", secret, None if is_new else file)
    uvicorn.Server(config).run(sockets=[listening])


def _listening(settings: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        listening.close()
        if getattr(error, "errno", 0) == errno.EADDRINUSE:
            raise WrongUse(
                f"port {settings.port} of {settings.host} is taken; give another: --port 0 finds one"
            ) from None
        raise FitnasError(f"cannot listen on {settings.host}, port {settings.port}: {error}") from None
    return listening
