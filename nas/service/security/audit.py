"""The audit log: every change that was asked for, who asked, and how it was answered."""

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nas.service.security.guard import SAFE_METHODS
from nas.storage.service_store import ServiceStore

NOBODY = "nobody"
_MOST_CHARACTERS = 300


class Audited:
    """ASGI middleware: a line for each request that is no reading, also for those that were refused."""

    def __init__(self, app: ASGIApp, store: ServiceStore) -> None:
        self.app, self.store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            who = scope.get("state", {}).get("caller", NOBODY)
            action = f"{scope['method']} {scope['path']}"[:_MOST_CHARACTERS]
            await to_thread.run_sync(self.store.audit, who, action, status)
