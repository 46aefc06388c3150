"""One member of a search space, as a value."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from search_spaces.core.choice import Option
from search_spaces.core.errors import WrongUse


class Architecture:
    """Frozen value: the space's name and resolved settings, and one option per choice.

    The settings make it complete: from its JSON alone the same network can be built and priced again. Two
    architectures are equal where their canonical JSON is; `id` is the first ten hex digits of its SHA-256.
    """

    __slots__ = ("__dict__", "options", "settings", "space")

    def __init__(self, space: str, settings: Mapping[str, Any], options: Mapping[str, Option]) -> None:
        self.space = space
        self.settings = dict(settings)
        self.options = dict(options)

    @cached_property
    def _json(self) -> str:
        document = {"space": self.space, "settings": self.settings, "options": self.options}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @cached_property
    def id(self) -> str:
        """Ten hex digits, stable across machines and versions of Python."""
        return hashlib.sha256(self._json.encode()).hexdigest()[:10]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return self._json

    @classmethod
    def from_json(cls, text: str) -> "Architecture":
        """Reads what `to_json` wrote; `WrongUse` says what is missing."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise WrongUse(f"an architecture is a JSON object; this does not parse: {error}") from None
        keys = ("space", "settings", "options")
        if not isinstance(document, dict) or any(key not in document for key in keys):
            raise WrongUse("an architecture is a JSON object with the keys space, settings and options")
        return cls(*(document[key] for key in keys))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._json == other._json

    def __hash__(self) -> int:
        return hash(self._json)

    def __repr__(self) -> str:
        return f"Architecture({self.space}, {self.id})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Architecture, (self.space, self.settings, self.options)
