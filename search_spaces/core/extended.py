"""A space with more choices: the base of every combinator."""

import functools
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, create_model

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, Rows, SearchSpace, checked_settings


class ExtendedSpace(SearchSpace[Any]):
    """A base space's choices, then more of its own.

    `inner_class` is the base's class; `registry.space_class` makes the subclass that names it. The settings are the
    base's and, as `own_settings`, more. A subclass says which choices they give and which of these are active; unless
    it says more, the network, its table and its bounds are the base's.
    """

    inner_class: ClassVar[type[SearchSpace[Any]]]
    suffix: ClassVar[str]
    own_settings: ClassVar[type[BaseModel]]

    def __init__(self, inner: SearchSpace[Any], own: BaseModel) -> None:
        self.inner = inner
        self.own = own
        base: Any = type(inner.settings)
        self.settings = _joined(base, type(own))(**inner.settings.model_dump(), **own.model_dump())
        self.choices = (*inner.choices, *self.more_choices())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.name, self._own_settings)  # the classes of space and settings are made at run time

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> Self:
        own = {name: value for name, value in options.items() if name in cls.own_settings.model_fields}
        rest = {name: value for name, value in options.items() if name not in own}
        return cls(cls.inner_class.configured(rest, facts), checked_settings(cls.own_settings, own))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Self:
        own = {name: value for name, value in settings.items() if name in cls.own_settings.model_fields}
        rest = {name: value for name, value in settings.items() if name not in own}
        return cls(cls.inner_class.restored(rest), checked_settings(cls.own_settings, own))

    # what a combinator must say

    @abstractmethod
    def more_choices(self) -> tuple[Choice, ...]:
        """The choices beside the base's; their names begin with the combinator's and a dot."""

    def more_active(self, matrix: Rows) -> NDArray[np.bool_]:
        """Which of its own choices `(n, more)` matter in each row."""
        return np.ones(matrix.shape, dtype=bool)

    # what it takes from the base

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        inner, own = self._parts(matrix)
        return np.concatenate([self.inner.active(inner), self.more_active(own)], axis=1)

    def merged(self, matrix: Rows) -> Rows:
        inner, own = self._parts(matrix)
        return np.concatenate([self.inner.merged(inner), own], axis=1)

    def decode(self, population: Population) -> LayerTable:
        return self.inner.decode(Population(self.inner, self._parts(population.matrix)[0]))

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return self.inner.blueprint(self.inner_architecture(architecture))

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return self.inner.input_size(self.inner_architecture(architecture))

    def least(self) -> LayerTable | None:
        return self.inner.least()

    def smaller(self) -> Self | None:
        smaller = self.inner.smaller()
        return None if smaller is None else type(self)(smaller, self.own)

    def explain(self) -> list[str]:
        return self.inner.explain()

    def inner_architecture(self, architecture: Architecture) -> Architecture:
        """The same network as a member of the base space."""
        names = {choice.name for choice in self.inner.choices}
        options = {name: option for name, option in architecture.options.items() if name in names}
        return Architecture(self.inner.name, self.inner.settings.model_dump(mode="json"), options)

    def _parts(self, matrix: Rows) -> tuple[Rows, Rows]:
        count = len(self.inner.choices)
        return matrix[:, :count], matrix[:, count:]


@functools.cache
def _joined(base: type[BaseModel], own: type[BaseModel]) -> type[BaseModel]:
    """The base's settings with more; one class, so that equal settings are equal."""
    fields: Any = {name: (field.annotation, field) for name, field in own.model_fields.items()}
    joined: type[BaseModel] = create_model(f"{base.__name__}With{own.__name__}", __base__=base, **fields)
    return joined


def _restored(name: str, settings: Mapping[str, Any]) -> SearchSpace[Any]:
    from search_spaces.core.registry import space_class

    return space_class(name).restored(settings)
