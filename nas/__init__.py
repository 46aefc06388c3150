"""FitNAS: search, train, measure, ship and show networks that fit a device.

    import nas
    run = nas.search(space="mcunetv2", budget="sram=256k", data="digits")
    run.front

Importing this package loads neither torch nor Ray nor pandas; its functions do when they are called.
"""

import os
from typing import TYPE_CHECKING, Any

# torch reads it when it is imported: threads that wait by spinning for long slow each other down tenfold where other
# programs run
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

if TYPE_CHECKING:
    from nas.api import (
        evaluate_accuracy_predictor,
        fit_accuracy_predictor,
        fit_predictor,
        load,
        price,
        profile,
        search,
        space,
        verify,
    )

__all__ = [
    "evaluate_accuracy_predictor",
    "fit_accuracy_predictor",
    "fit_predictor",
    "load",
    "price",
    "profile",
    "search",
    "space",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'nas' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module("nas.api"), name)
