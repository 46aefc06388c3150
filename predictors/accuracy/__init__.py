"""What accuracy a network would reach, learnt from networks that were measured. One file is one model.

It exports `PREDICTOR`; scikit-learn is loaded when one is fitted.
"""

from predictors.accuracy.predictor import AccuracyPredictor, Prediction
from search_spaces.core.by_file import exported, file_names

__all__ = ["DEFAULT", "AccuracyPredictor", "Prediction", "accuracy_predictor", "accuracy_predictor_names"]

DEFAULT = "gaussian_process"
_NOT_PREDICTORS = {"interval", "predictor"}


def accuracy_predictor_names() -> list[str]:
    """Every known model, sorted; none is imported."""
    return file_names(__path__, _NOT_PREDICTORS)


def accuracy_predictor(name: str = DEFAULT) -> AccuracyPredictor:
    """A new one, not fitted, of the class that `predictors/accuracy/<name>.py` exports as `PREDICTOR`.

    `WrongUse` with the nearest known name where there is none.
    """
    predictor: type[AccuracyPredictor] = exported(
        __name__, name, "PREDICTOR", "accuracy predictor", accuracy_predictor_names()
    )
    return predictor()
