"""How long a network takes on one target, learnt from whole networks that were measured there. One file is one model.

It exports `PREDICTOR`; scikit-learn is loaded when one is fitted.
"""

from predictors.hardware.latency.predictor import COVERAGE, LatencyPrediction, LatencyPredictor, far_off
from search_spaces.core.by_file import exported, file_names

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
    return file_names(__path__, _NOT_PREDICTORS)


def latency_predictor(name: str = DEFAULT) -> LatencyPredictor:
    """A new one, not fitted, of the class that `predictors/hardware/latency/<name>.py` exports as `PREDICTOR`.

    `WrongUse` with the nearest known name where there is none.
    """
    predictor: type[LatencyPredictor] = exported(
        __name__, name, "PREDICTOR", "latency predictor", latency_predictor_names()
    )
    return predictor()
