"""How a network is trained alone: our defaults, or the recipe that an architecture carries."""

from collections.abc import Mapping
from typing import Any

from nas.training.epochs import Augmentation
from nas.training.loop import FINE_TUNE_RATE, SCRATCH_RATE, Fit

_FINE_TUNE_SHARE = FINE_TUNE_RATE / SCRATCH_RATE


def fit_of(
    recipe: Mapping[str, Any],
    *,
    epochs: int,
    vary: Augmentation | None,
    learning_rate: float | None = None,
    scratch_rate: float = SCRATCH_RATE,
) -> Fit:
    """The training that `recipe` (of `recipe_of`; empty: our defaults) asks for.

    `scratch_rate` is the space's, for a recipe without a learning rate. `epochs` and, where given, `learning_rate` go
    before the recipe's. `vary` is the augmentation that the data ask for.
    """
    given = {name: recipe[name] for name in ("optimizer", "weight_decay", "label_smoothing") if name in recipe}
    rate = learning_rate or recipe.get("learning_rate", scratch_rate)
    return Fit(epochs, rate, augmentation=None if recipe.get("augmentation") == "none" else vary, **given)


def fine_tune_rate(recipe: Mapping[str, Any], scratch_rate: float = SCRATCH_RATE) -> float:
    """The learning rate from weights that are trained already: a tenth of the space's, ten times that for SGD."""
    return _FINE_TUNE_SHARE * scratch_rate * (10 if recipe.get("optimizer") == "sgd" else 1)
