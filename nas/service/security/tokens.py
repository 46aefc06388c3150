"""Named tokens with roles. The secret is shown once; what is kept is its SHA-256, for it is random and long."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from nas.core.names import checked_run_name
from nas.storage.files import os_errors_explained
from nas.storage.service_store import Role, ServiceStore, Token, now
from search_spaces.core.errors import WrongUse, unknown

PREFIX = "fitnas_"
_BYTES = 32
FIRST = "first"
"""The name of the token that `nas serve` makes where there is none."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of one service."""

    store: ServiceStore

    def create(self, name: str, role: str) -> str:
        """A new token's secret; `WrongUse` for a name that is taken or not allowed, or an unknown role."""
        return self._add(name, role, PREFIX + secrets.token_urlsafe(_BYTES))

    def find(self, secret: str) -> Token | None:
        """The token in use with that secret; None for any other."""
        return self.store.token_of(_digest(secret))

    def first(self, file: Path) -> str:
        """The secret in a file, as an admin's; a new one, for its owner alone to read, where there is no such file."""
        with os_errors_explained(file):
            if file.exists():
                secret = file.read_text(encoding="utf-8").strip()
                if len(secret) < len(PREFIX) + _BYTES:
                    raise WrongUse(f"{file} holds no token: one line of at least {len(PREFIX) + _BYTES} characters")
            else:
                secret = PREFIX + secrets.token_urlsafe(_BYTES)
                file.parent.mkdir(parents=True, exist_ok=True)
                with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                    opened.write(secret + "\n")
        if self.find(secret) is None:
            taken = {token.name for token in self.store.tokens()}
            number = next(n for n in range(1, len(taken) + 2) if _numbered(n) not in taken)
            self._add(_numbered(number), "admin", secret)
        return secret

    def _add(self, name: str, role: str, secret: str) -> str:
        roles = get_args(Role)
        if role not in roles:
            raise WrongUse(unknown("role", role, roles))
        found: Role = role  # type: ignore[assignment]
        self.store.add_token(Token(checked_run_name(name), found, _digest(secret), now()))
        return secret


def _numbered(number: int) -> str:
    return FIRST if number == 1 else f"{FIRST}-{number}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
