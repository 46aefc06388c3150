"""Who asks, and what a caller must be allowed to do.

`Authenticated` finds out who asks, and turns a change away before a byte of its body is read where its token does not
allow one. What a route itself needs is a dependency: one that shows something depends on `Reading`, one that starts or
changes work on `Running`, one that deletes, or that manages tokens, on `Administering`. Without a token this machine
may read where the service listens on loopback alone; nobody may change anything.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, get_args

from anyio import to_thread
from fastapi import Depends, HTTPException, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nas.service.problems import problem
from nas.service.security.guard import SAFE_METHODS
from nas.service.service import Service
from nas.storage.service_store import Role

_ROLES: tuple[Role, ...] = get_args(Role)
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of the token, and its role; None: may do nothing."""

    name: str
    role: Role | None

    @property
    def rank(self) -> int:
        """Grows with what is allowed."""
        return -1 if self.role is None else _ROLES.index(self.role)


LOCAL = Caller("local", "read")
"""Without a token, from this machine."""
STRANGER = Caller("nobody", None)
"""Without a token from elsewhere, or with one that is not in use."""


class Authenticated:
    """ASGI middleware: puts the `Caller` into the request's state, as `caller`."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).get("authorization")
            caller = await self._caller(given)
            scope.setdefault("state", {})["caller"] = caller
            if scope["method"] not in SAFE_METHODS and caller.rank < _ROLES.index("run"):
                refused = _refusal(caller, "run", given is not None)
                await problem(refused.status_code, refused.detail, refused.headers)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _caller(self, given: str | None) -> Caller:
        if given is None:
            return LOCAL if self.service.settings.is_local else STRANGER
        kind, _, secret = given.partition(" ")
        if kind.lower() != "bearer":
            return STRANGER
        token = await to_thread.run_sync(self.service.tokens.find, secret.strip())
        return STRANGER if token is None else Caller(token.name, token.role)


def _at_least(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    async def checked(request: Request) -> Caller:
        caller: Caller = request.state.caller
        if caller.rank < _ROLES.index(role):
            raise _refusal(caller, role, "authorization" in request.headers)
        return caller

    return checked


def _refusal(caller: Caller, role: Role, gave_token: bool) -> HTTPException:
    if gave_token and caller == STRANGER:
        return HTTPException(401, "this token opens nothing here; nas token list tells which are in use", _CHALLENGE)
    if not gave_token:
        what = "this service wants a token" if caller == STRANGER else "this needs a token"
        return HTTPException(401, f"{what}: send the header Authorization: Bearer TOKEN", _CHALLENGE)
    return HTTPException(403, f"the token '{caller.name}' has the role {caller.role}; this needs {role}")


Reading = Annotated[Caller, Depends(_at_least("read"))]
Running = Annotated[Caller, Depends(_at_least("run"))]
Administering = Annotated[Caller, Depends(_at_least("admin"))]
