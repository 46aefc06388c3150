import numpy as np
import pytest

from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population
from search_spaces.mcunetv2.space import Mcunetv2


@pytest.fixture(scope="module")
def population() -> Population:
    space = Mcunetv2.configured({"backbone": "micro"}, None)
    return space.sample(np.random.default_rng(0), 6)


def test_an_integer_gives_an_architecture_anything_else_a_population(population: Population) -> None:
    assert isinstance(population[2], Architecture)
    assert population[-1] == population[np.int64(5)]
    for key in (slice(1, 3), np.array([1, 2]), np.arange(6) % 5 == 1):
        part = population[key]
        assert isinstance(part, Population)
        assert part[0] == population[1]
    assert len(population[:0]) == 0
    assert list(population[:0]) == []


def test_it_is_a_sequence(population: Population) -> None:
    assert [architecture.id for architecture in population] == [population[i].id for i in range(len(population))]
    twice = population.concatenate(population[:2])
    assert len(twice) == 8
    assert twice[7] == population[1]
    assert twice.keys()[:2] == twice.keys()[6:]
    with pytest.raises(IndexError):
        population[6]


def test_the_matrix_has_a_column_a_choice(population: Population) -> None:
    with pytest.raises(ValueError, match="expected a matrix"):
        Population(population.space, population.matrix[:, 1:])
    with pytest.raises(ValueError, match="expected a matrix"):
        Population(population.space, population.matrix[0])
