"""The way out to TensorFlow Lite, its runtimes included: extra `tflite`.

`writing` makes a file of an integer network, `interpreters` execute a file in a process of its own.
"""

import importlib.util

from search_spaces.core.errors import WrongUse

_PACKAGES = ("flatbuffers", "tflite_micro", "ai_edge_litert")


def missing_packages() -> list[str]:
    """Those of the extra that are not installed, by the names that pip knows."""
    return [name.replace("_", "-") for name in _PACKAGES if importlib.util.find_spec(name) is None]


def require(what: str) -> None:
    """`WrongUse` where a package is missing that `what` needs."""
    missing = missing_packages()
    if missing:
        raise WrongUse(f"{what} needs the packages {', '.join(missing)}; type: pip install 'fitnas[tflite]'")
