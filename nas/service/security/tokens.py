"""Named tokens with roles. The secret is shown once; what is kept is its SHA-256, for it is random and long."""

import hashlib
import itertools
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from nas.core.names import checked_run_name
from nas.storage.database import now
from nas.storage.files import os_errors_explained
from nas.storage.service_store import Role, ServiceStore, Token
from search_spaces.core.errors import WrongUse, unknown

PREFIX = "fitnas_"
_BYTES = 32
_TO_THE_MINUTE = 16
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
        """The token in use with that secret; None for any other. When it was used last is noted to the minute.

        The secret is looked up by its hash, so that no comparison tells how much of a guess was right.
        """
        token = self.store.token_of(_digest(secret))
        if token is not None and (token.used or "")[:_TO_THE_MINUTE] != now()[:_TO_THE_MINUTE]:
            self.store.token_was_used(token.name)
        return token

    def first(self, file: Path) -> tuple[str, bool]:
        """The secret in a file, as an admin's; a new one, for its owner alone to read, where there is no such file.
        Whether it is new as well.

        `WrongUse` for a file without one, or with one that was revoked.
        """
        with os_errors_explained(file):
            is_new = not file.exists()
            secret = _written(file) if is_new else file.read_text(encoding="utf-8").strip()
        if len(secret) < len(PREFIX) + _BYTES or not secret.isascii() or len(secret.split()) != 1:
            raise WrongUse(f"{file} holds no token: one line of at least {len(PREFIX) + _BYTES} letters and digits")
        known = self.store.tokens()
        own = next((token for token in known if token.digest == _digest(secret)), None)
        if own is not None and own.revoked:
            raise WrongUse(f"the token in {file} was revoked; remove the file, and a new one is made")
        if own is None:
            taken = {token.name for token in known}
            names = (FIRST if number == 1 else f"{FIRST}-{number}" for number in itertools.count(1))
            self._add(next(name for name in names if name not in taken), "admin", secret)
        return secret, is_new

    def _add(self, name: str, role: str, secret: str) -> str:
        roles = get_args(Role)
        if role not in roles:
            raise WrongUse(unknown("role", role, roles))
        found: Role = role  # type: ignore[assignment]
        self.store.add_token(Token(checked_run_name(name), found, _digest(secret), now()))
        return secret


def _written(file: Path) -> str:
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(secret + "\n")
    return secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
