"""Secrets out of every text that leaves the service: passwords in URLs, tokens."""

import re

from nas.service.security.tokens import PREFIX

_HIDDEN = "***"
_PASSWORD = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@'\"]*):[^\s@/'\"]*@")
_TOKEN = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_\-]{8,}")


def redacted(text: str) -> str:
    """The text with what opens something hidden.

    >>> redacted("postgresql+psycopg://me:secret@host/runs is locked")
    'postgresql+psycopg://me:***@host/runs is locked'
    >>> redacted("Bearer fitnas_abcdefghijklmnop")
    'Bearer ***'
    """
    return _TOKEN.sub(_HIDDEN, _PASSWORD.sub(rf"\1:{_HIDDEN}@", text))
