"""Named tokens: `/tokens`, `/me`; the audit log: `/audit`."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from nas.service.security.access import LOCAL, Administering, Reading
from nas.service.service import Using
from nas.storage.service_store import Role

router = APIRouter(tags=["access"])


class NewToken(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: str
    role: Role = "run"


@router.get("/me")
def who_asks(caller: Reading) -> dict[str, Any]:
    """The caller's name and role; `local` where no token was needed."""
    return {"name": caller.name, "role": caller.role, "local": caller == LOCAL}


@router.get("/tokens")
def list_tokens(caller: Administering, service: Using) -> list[dict[str, Any]]:
    """All tokens without their secrets."""
    return [{key: value for key, value in asdict(token).items() if key != "digest"} for token in service.store.tokens()]


@router.post("/tokens", status_code=201)
def create_token(new: NewToken, caller: Administering, service: Using) -> dict[str, str]:
    """A new token; its secret is shown this once."""
    return {"name": new.name, "role": new.role, "token": service.tokens.create(new.name, new.role)}


@router.delete("/tokens/{name}", status_code=204)
def revoke_token(name: str, caller: Administering, service: Using) -> None:
    """From now on it opens nothing."""
    service.store.revoke_token(name)


@router.get("/audit")
def list_changes(caller: Administering, service: Using, limit: int = 1000) -> list[dict[str, Any]]:
    """The last changes that were asked for, the newest first."""
    return [asdict(change) for change in service.store.changes(min(max(limit, 1), 10_000))]
