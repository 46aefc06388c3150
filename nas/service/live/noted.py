"""What people and jobs add to a run: a note, tags, the job that drives it. Never in its folder."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Noted = Callable[[Sequence[str]], Mapping[str, dict[str, Any]]]
"""Gives for run names, of those of which something is noted: `note`, `tags`, and `job` as {id, state} or None."""

NOTHING: dict[str, Any] = {"note": "", "tags": [], "job": None}


def nothing_noted(names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """Where there are no jobs and no labels."""
    return {}
