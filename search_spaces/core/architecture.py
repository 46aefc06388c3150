"""One member of a search space, as a value."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from search_spaces.core.choice import Option
from search_spaces.core.errors import WrongUse

_OPTION_TYPES = (int, float, str)  # a tuple is looked through faster than a union
_KEYS = {"space": str, "settings": dict, "options": dict}


@dataclass(frozen=True, eq=False, repr=False)
class Architecture:
    """Frozen value: the space's name and resolved settings, and one option per active choice.

    The settings make it complete: from its JSON alone the same network can be built and priced again. Two
    architectures are equal where their canonical JSON is; `id` is the first ten hex digits of its SHA-256.
    """

    space: str
    settings: Mapping[str, Any]
    options: Mapping[str, Option]

    @cached_property
    def _json(self) -> str:
        document = {"space": self.space, "settings": dict(self.settings), "options": dict(self.options)}
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
        """Reads what `to_json` wrote; `WrongUse` says what is missing. Its space and options may still be unknown."""
        try:
            document = json.loads(text, parse_constant=no_such_number)
        except (ValueError, RecursionError) as error:
            raise WrongUse(f"an architecture is a JSON object; this does not parse: {error}") from None
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: object) -> "Architecture":
        """The same from JSON that is parsed already, none of whose numbers is a NaN or an infinity."""
        if not isinstance(document, dict) or not all(isinstance(document.get(k), kind) for k, kind in _KEYS.items()):
            raise WrongUse('an architecture is a JSON object {"space": name, "settings": {...}, "options": {...}}')
        wrong = [name for name, option in document["options"].items() if not isinstance(option, _OPTION_TYPES)]
        if wrong:
            raise WrongUse(f"an architecture has one number or word per choice; '{wrong[0]}' has something else")
        return cls(*(document[key] for key in _KEYS))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._json == other._json

    def __hash__(self) -> int:
        return hash(self._json)

    def __repr__(self) -> str:
        return f"Architecture({self.space}, {self.id})"


def no_such_number(text: str) -> NoReturn:
    """What `json.loads` calls for NaN and infinities, which are no JSON: `ValueError`."""
    raise ValueError(f"{text} is no number")
