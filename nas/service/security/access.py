"""What a caller must be allowed to do, as dependencies of routes.

A route that shows something depends on `Reading`, one that starts or changes work on `Running`, one that deletes, or
that manages tokens, on `Administering`. Without a token this machine may read where the service listens on loopback
alone; nobody may change anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, get_args

from fastapi import Depends, HTTPException, Request

from nas.service.service import Using
from nas.storage.service_store import Role

LOCAL = "local"
_RANKS: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of the token, and its role."""

    name: str
    role: Role


def _at_least(role: Role) -> Callable[[Request, Using], Caller]:
    def checked(request: Request, service: Using) -> Caller:
        caller = _caller(request, service)
        request.state.caller = caller.name
        if _RANKS.index(caller.role) < _RANKS.index(role):
            if caller.name == LOCAL:
                raise _unauthorised("a change needs a token: send the header Authorization: Bearer TOKEN")
            raise HTTPException(403, f"the token '{caller.name}' has the role {caller.role}; this needs {role}")
        return caller

    return checked


def _caller(request: Request, service: Using) -> Caller:
    given = request.headers.get("authorization")
    if given is None:
        if service.settings.is_local:
            return Caller(LOCAL, "read")
        raise _unauthorised("this service wants a token: send the header Authorization: Bearer TOKEN")
    kind, _, secret = given.partition(" ")
    token = service.tokens.find(secret.strip()) if kind.lower() == "bearer" else None
    if token is None:
        raise _unauthorised("this token opens nothing here; nas token list tells which are in use")
    return Caller(token.name, token.role)


def _unauthorised(words: str) -> HTTPException:
    return HTTPException(401, words, {"WWW-Authenticate": "Bearer"})


Reading = Annotated[Caller, Depends(_at_least("read"))]
Running = Annotated[Caller, Depends(_at_least("run"))]
Administering = Annotated[Caller, Depends(_at_least("admin"))]
