"""The audit log: every change that was asked for, who asked, and how it was answered."""

import time
from collections.abc import Callable
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nas.service.security.access import STRANGER
from nas.service.security.guard import SAFE_METHODS
from nas.service.security.redaction import redacted
from nas.storage.service_store import ServiceStore

_MOST_CHARACTERS = 300
_STRANGERS_A_MINUTE = 60


class Audited:
    """ASGI middleware: a line for each request that is no reading, also for those that were refused.

    Of strangers, who could fill a disk, 60 lines a minute.
    """

    def __init__(self, app: ASGIApp, store: ServiceStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.store, self._clock = app, store, clock
        self._minute, self._strangers = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        status, made = 500, ""

        async def answer(message: Message) -> None:
            nonlocal status, made
            if message["type"] == "http.response.start":
                status = message["status"]
                made = Headers(raw=message["headers"]).get("location", "")
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            caller = scope.get("state", {}).get("caller", STRANGER)
            if caller != STRANGER or self._may_note_a_stranger():
                # quoted: a database takes no NUL, and a terminal no escape sequences
                action = f"{scope['method']} {quote(scope['path'])}" + (f" -> {made}" if made else "")
                await to_thread.run_sync(self.store.audit, caller.name, redacted(action)[:_MOST_CHARACTERS], status)

    def _may_note_a_stranger(self) -> bool:
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._strangers = minute, 0
        self._strangers += 1
        return self._strangers <= _STRANGERS_A_MINUTE
