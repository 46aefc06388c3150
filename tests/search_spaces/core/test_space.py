"""What the base class gives, on a space small enough to enumerate."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, Rows, SearchSpace, checked_settings


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    classes: int = Field(default=2, ge=2)
    names: tuple[int, ...] = ()


class Small(SearchSpace[Settings]):
    """Depth 1 or 2; the second kernel matters at depth 2 alone; the widths 2 and 3 are the same."""

    name = "small"
    title = source = "tests"

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.choices = (Choice("depth", (1, 2)), Choice("width", (1, 2, 3)), Choice("k1", (3, 5)), Choice("k2", (3, 5)))

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Small":
        assert facts is None
        return cls(checked_settings(Settings, options))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Small":
        return cls(checked_settings(Settings, settings))

    def active(self, matrix: Rows) -> NDArray[np.bool_]:
        result = np.ones(matrix.shape, dtype=bool)
        result[:, 3] = matrix[:, 0] == 1
        return result

    def merged(self, matrix: Rows) -> Rows:
        result = matrix.copy()
        result[:, 1] = np.minimum(result[:, 1], 1)
        return result

    def decode(self, population: Population) -> LayerTable:
        return LayerTable.stack([])

    def blueprint(self, architecture: Architecture) -> Blueprint:
        return Blueprint("builtins", "dict", dict(architecture.options))

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return 1, 8, 8


@pytest.fixture
def space() -> Small:
    return Small()


def everything(space: Small) -> Rows:
    return np.array(list(product(*(range(len(choice.options)) for choice in space.choices))), dtype=np.int16)


def test_canonical_rows_are_the_distinct_networks(space: Small) -> None:
    rows = space.canonical(everything(space))
    assert len(np.unique(rows, axis=0)) == 2 * (2 + 2 * 2)
    assert len(set(Population(space, everything(space)))) == 12
    assert not rows[rows[:, 0] == 0][:, 3].any()


def test_inactive_choices_are_left_out_of_an_architecture(space: Small) -> None:
    architecture = space.architecture(np.array([0, 2, 1, 1], dtype=np.int16))
    assert architecture.options == {"depth": 1, "width": 2, "k1": 5}


def test_options_of_inactive_choices_are_ignored_and_missing_ones_are_not(space: Small) -> None:
    settings = space.settings.model_dump(mode="json")
    extra = Architecture("small", settings, {"depth": 1, "width": 3, "k1": 3, "k2": 5})
    assert space.population([extra]).matrix.tolist() == [[0, 1, 0, 0]]
    with pytest.raises(WrongUse, match="lacks an option for k2"):
        space.population([Architecture("small", settings, {"depth": 2, "width": 1, "k1": 3})])
    assert len(space.population([])) == 0


def test_samples_are_uniform_over_genotypes(space: Small) -> None:
    matrix = space._draw(np.random.default_rng(0), 24_000)
    counts = np.unique(matrix, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_neighbours_are_exactly_the_networks_one_choice_away(space: Small) -> None:
    for start in np.unique(space.canonical(everything(space)), axis=0):
        expected = {
            tuple(row)
            for raw in everything(space)
            for row in space.canonical(raw[None])
            if (raw != start).sum() == 1 and not np.array_equal(row, start)
        }
        found = [tuple(row) for row in space.neighbours(space.architecture(start)).matrix]
        assert set(found) == expected
        assert len(found) == len(expected)


def test_mutation_draws_each_choice_with_the_given_probability(space: Small) -> None:
    parents = space.population([space.extremes()[0]])[np.zeros(20_000, dtype=np.intp)]
    children = space.mutate(np.random.default_rng(0), parents, 0.5)
    # half are drawn anew, and one in two of those gives the other kernel
    assert children.matrix[:, 2].mean() == pytest.approx(0.25, abs=0.02)


def test_encoding_is_one_hot_over_active_choices(space: Small) -> None:
    small = space.population([space.extremes()[0]])
    assert space.encode(small).tolist() == [[1, 0, 1, 0, 0, 1, 0, 0, 0]]


def test_what_a_space_need_not_say(space: Small) -> None:
    assert space.size == 24
    assert space.members() == {}
    assert space.explain() == []
    assert space.least() is None
    assert space.smaller() is None
    assert space.default_runtime == "analytic"
    with pytest.raises(WrongUse, match="no supernet"):
        space.supernet()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clases": "3"}, "did you mean 'classes'"),
        ({"classes": "one"}, "classes: .*'one'"),
        ({"classes": "1"}, "greater than or equal to 2"),
        ({"names": ["x"]}, r"names\.0"),
    ],
)
def test_bad_settings_are_wrong_use(options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Small.configured(options, None)
