"""How long a network takes on one target, learnt from whole networks that were measured there. One file is one model.

It exports `PREDICTOR`; scikit-learn is loaded when one is fitted.
"""

import importlib
import pkgutil

from predictors.hardware.latency.predictor import COVERAGE, LatencyPrediction, LatencyPredictor, far_off
from search_spaces.core.errors import WrongUse, unknown

__all__ = [
    "COVERAGE",
    "DEFAULT",
    "LatencyPrediction",
    "LatencyPredictor",
    "far_off",
    "latency_predictor",
    "latency_predictor_names",
]

DEFAULT = "stack"
_NOT_PREDICTORS = {"learnt", "lookup_table", "operator_classes", "predictor"}


def latency_predictor_names() -> list[str]:
    """Every known model, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_PREDICTORS)


def latency_predictor(name: str = DEFAULT) -> LatencyPredictor:
    """A new one, not fitted, of the class that `predictors/hardware/latency/<name>.py` exports as `PREDICTOR`.

    `WrongUse` with the nearest known name where there is none.
    """
    known = latency_predictor_names()
    if name not in known:
        raise WrongUse(unknown("latency predictor", name, known))
    predictor: type[LatencyPredictor] = importlib.import_module(f"predictors.hardware.latency.{name}").PREDICTOR
    return predictor()
