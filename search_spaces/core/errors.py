"""Errors meant for the person at the command line: the rule, the value, the way out, and an exit code."""

import difflib
from collections.abc import Iterable

_LONGEST_SHOWN = 60


class FitnasError(Exception):
    """Base of every error shown without a traceback; `exit_code` is the command's exit code."""

    exit_code = 1


class WrongUse(FitnasError):
    """Malformed or unknown option, space, device, metric, unit; a data set that cannot serve."""

    exit_code = 2


class Infeasible(FitnasError):
    """No architecture of the space satisfies the budget."""

    exit_code = 3


class NotFound(FitnasError):
    """A run or a file that does not exist."""

    exit_code = 4


class Refused(FitnasError):
    """A valid request that would damage something, such as a second driver on one run."""

    exit_code = 1


class BrokenPromise(FitnasError):
    """A figure that was measured is not the one that was promised."""

    exit_code = 6


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint appended to an error about an unknown `word`: the nearest known one, or nothing where none is near.

    >>> did_you_mean("serach", ["search", "show"])
    "; did you mean 'search'?"
    >>> did_you_mean("zzz", ["search", "show"])
    ''
    """
    known = list(known)
    word = word[:_LONGEST_SHOWN].lower()
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not near and len(word) >= 3:
        near = [name for name in known if word in name.lower() or name.lower() in word][:1]
    near = near or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def shown(text: str, longest: int = _LONGEST_SHOWN) -> str:
    r"""`text` quoted for an error message: control characters escaped, cut after `longest` characters.

    >>> shown("a" + chr(0))
    "'a\\x00'"
    """
    return repr(text) if len(text) <= longest else f"{text[:longest]!r}... ({len(text):,} characters)"


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The message about an unknown `word`: what it should be, the nearest known one, and all there are.

    >>> unknown("runtime", "tfml", ["c", "tflm"])
    "unknown runtime 'tfml'; did you mean 'tflm'? Known: c, tflm"
    >>> unknown("runtime", "onnx", ["c", "tflm"])
    "unknown runtime 'onnx'. Known: c, tflm"
    """
    known = list(known)
    return f"unknown {what} {shown(word)}{did_you_mean(word, known) or '.'} Known: {', '.join(known)}"
