"""Hyperparameters of training as choices beside the architecture's.

A small network and a large one are not at their best with one learning rate; and a fair comparison of architectures
tunes each. Rates are those that served networks of this size: AdamW around 1e-2, SGD with momentum around ten times
that.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.extended import ExtendedSpace
from search_spaces.core.lists import numbers, rising
from search_spaces.core.space import Rows

_OPTIMIZER, _ADAMW_RATE, _SGD_RATE = 0, 1, 2
OPTIMIZERS = ("adamw", "sgd")
_PREFIX = "recipe."
_DEFAULTS: Mapping[str, Any] = {
    "optimizer": "adamw",
    "adamw_learning_rate": 1e-2,
    "weight_decay": 1e-4,
    "label_smoothing": 0.1,
    "augmentation": "chosen by the data",
}


class RecipeSettings(BaseModel):
    """`recipe_epochs`: the numbers of epochs to choose from; empty where something else decides on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe_epochs: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], BeforeValidator(numbers), AfterValidator(rising)
    ] = (5, 10, 20)


class WithRecipe(ExtendedSpace):
    """A space whose architectures say how they are trained: optimizer, learning rate, weight decay, label smoothing,
    augmentation, epochs.

    A learning rate belongs to its optimizer: the other's is inactive. Costs are those of the network alone. Shared
    weights know nothing of a recipe, so these networks are trained one by one.
    """

    suffix: ClassVar[str] = "recipe"
    own_settings: ClassVar[type[BaseModel]] = RecipeSettings
    default_evaluator: ClassVar[str] = "train"
    own: RecipeSettings

    def more_choices(self) -> tuple[Choice, ...]:
        epochs = self.own.recipe_epochs
        return (
            Choice("recipe.optimizer", OPTIMIZERS),
            Choice("recipe.adamw_learning_rate", (1e-3, 3e-3, 1e-2, 3e-2)),
            Choice("recipe.sgd_learning_rate", (0.01, 0.03, 0.1, 0.3)),
            Choice("recipe.weight_decay", (0.0, 1e-4, 1e-3, 1e-2)),
            Choice("recipe.label_smoothing", (0.0, 0.1)),
            Choice("recipe.augmentation", ("none", "chosen by the data")),
            *((Choice("recipe.epochs", epochs),) if epochs else ()),
        )

    def more_active(self, matrix: Rows) -> NDArray[np.bool_]:
        result = np.ones(matrix.shape, dtype=bool)
        adamw = matrix[:, _OPTIMIZER] == OPTIMIZERS.index("adamw")
        result[:, _ADAMW_RATE], result[:, _SGD_RATE] = adamw, ~adamw
        return result

    @property
    def size(self) -> int:
        """Networks times recipes; a recipe has one learning rate."""
        counts = {choice.name: len(choice.options) for choice in self.more_choices()}
        rates = counts.pop("recipe.adamw_learning_rate") + counts.pop("recipe.sgd_learning_rate")
        del counts["recipe.optimizer"]
        return self.inner.size * rates * int(np.prod(list(counts.values())))

    def extremes(self) -> tuple[Architecture, Architecture]:
        """The base's, with the recipe that training uses where none is searched."""
        epochs = {"epochs": self.own.recipe_epochs[-1]} if self.own.recipe_epochs else {}
        recipe = {f"recipe.{name}": option for name, option in {**_DEFAULTS, **epochs}.items()}
        settings = self.settings.model_dump(mode="json")
        small, large = (Architecture(self.name, settings, {**a.options, **recipe}) for a in self.inner.extremes())
        return small, large

    def explain(self) -> list[str]:
        names = ", ".join(choice.name.removeprefix("recipe.") for choice in self.more_choices())
        return [*super().explain(), f"the recipe is searched too: {names}"]


def recipe_of(architecture: Architecture) -> dict[str, Any]:
    """The recipe that an architecture carries, by plain names; empty where it has none.

    `learning_rate` is its optimizer's.
    """
    options = {
        name.removeprefix(_PREFIX): option for name, option in architecture.options.items() if name.startswith(_PREFIX)
    }
    if options:
        options["learning_rate"] = options.pop(f"{options['optimizer']}_learning_rate")
    return options


COMBINATOR = WithRecipe
