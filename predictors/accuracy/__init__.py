"""What accuracy a network would reach, learnt from networks that were measured. One file is one model.

It exports `PREDICTOR`; scikit-learn is loaded when one is fitted.
"""

import importlib
import pkgutil

from predictors.accuracy.predictor import AccuracyPredictor, Prediction
from search_spaces.core.errors import WrongUse, unknown

__all__ = ["DEFAULT", "AccuracyPredictor", "Prediction", "accuracy_predictor", "accuracy_predictor_names"]

DEFAULT = "gaussian_process"
_NOT_PREDICTORS = {"predictor"}


def accuracy_predictor_names() -> list[str]:
    """Every known model, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_PREDICTORS)


def accuracy_predictor(name: str = DEFAULT) -> AccuracyPredictor:
    """A new one, not fitted, of the class that `predictors/accuracy/<name>.py` exports as `PREDICTOR`.

    `WrongUse` with the nearest known name where there is none.
    """
    known = accuracy_predictor_names()
    if name not in known:
        raise WrongUse(unknown("accuracy predictor", name, known))
    predictor: type[AccuracyPredictor] = importlib.import_module(f"predictors.accuracy.{name}").PREDICTOR
    return predictor()
