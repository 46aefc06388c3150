"""What a caller must be allowed to do, as dependencies of routes.

A route that shows something depends on `Reading`, one that starts or changes work on `Running`, one that deletes, or
that manages tokens, on `Administering`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends

Role = Literal["read", "run", "admin"]


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of the token, and its role."""

    name: str
    role: Role


def _reader() -> Caller:
    raise NotImplementedError


def _runner() -> Caller:
    raise NotImplementedError


def _admin() -> Caller:
    raise NotImplementedError


Reading = Annotated[Caller, Depends(_reader)]
Running = Annotated[Caller, Depends(_runner)]
Administering = Annotated[Caller, Depends(_admin)]
