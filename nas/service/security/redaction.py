"""Secrets out of every text that leaves the service: passwords in URLs, tokens."""

import re

from nas.service.security.tokens import PREFIX

_HIDDEN = "***"
_RULES = (
    # up to the last @ of the word: a password may hold one that somebody forgot to encode
    (re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@'\"]*):[^\s'\"]*@"), rf"\1:{_HIDDEN}@"),
    (re.compile(r"([?&][a-z_]*(?:password|token|secret|key)=)[^\s&'\"]+", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(r"(\bBearer\s+)[\w.~+/=\-]{16,}", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_\-]{32,}"), _HIDDEN),
)


def redacted(text: str) -> str:
    """The text with what opens something hidden.

    >>> redacted("postgresql+psycopg://me:secret@host/runs is locked")
    'postgresql+psycopg://me:***@host/runs is locked'
    >>> redacted("postgresql://host/runs?password=secret&sslmode=require")
    'postgresql://host/runs?password=***&sslmode=require'
    >>> redacted("Authorization: Bearer abcdefghijklmnopqrstuvwxyz, send it as: Bearer TOKEN")
    'Authorization: Bearer ***, send it as: Bearer TOKEN'
    """
    for found, instead in _RULES:
        text = found.sub(instead, text)
    return text
