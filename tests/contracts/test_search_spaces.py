"""What every search space keeps: names, populations, architectures, operator tables, bounds."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from predictors.hardware.memory import lacking_operators, runtime_names
from predictors.hardware.price import bound_table, price_population, price_table
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import NO_INPUT
from search_spaces.core.population import Population
from search_spaces.core.registry import combinator_names, space_class, space_names
from search_spaces.core.space import SearchSpace

Space = SearchSpace[Any]


def equal(a: Population, b: Population) -> bool:
    return bool(np.array_equal(a.matrix, b.matrix))


# names and settings


def test_the_registry_lists_it(space_name: str) -> None:
    assert space_name.partition("+")[0] in space_names()
    chosen = space_class(space_name)
    assert chosen.name == space_name
    assert chosen.title
    assert chosen.source
    assert chosen.default_runtime in runtime_names()


def test_unknown_settings_are_wrong_use(space_name: str) -> None:
    with pytest.raises(WrongUse, match="Known"):
        space_class(space_name).configured({"no_such_setting": "1"}, None)


def test_settings_survive_json(space: Space) -> None:
    document = json.loads(json.dumps(space.settings.model_dump(mode="json")))
    twin = type(space).restored(document)
    assert twin.settings == space.settings
    assert twin.choices == space.choices
    assert twin.settings.classes >= 2


def test_choices_have_different_names(space: Space) -> None:
    names = [choice.name for choice in space.choices]
    assert len(set(names)) == len(names)


# populations


def test_sampling_is_reproducible(space: Space) -> None:
    one, same, other = (space.sample(np.random.default_rng(seed), 50) for seed in (1, 1, 2))
    assert equal(one, same)
    assert not equal(one, other)
    assert len(space.sample(np.random.default_rng(0), 0)) == 0


def test_populations_are_canonical(space: Space, rng: np.random.Generator) -> None:
    parents, others = space.sample(rng, 60), space.sample(rng, 60)
    children = (space.mutate(rng, parents, 0.3), space.crossover(rng, parents, others), space.neighbours(parents[0]))
    for population in (parents, *children):
        assert np.array_equal(space.canonical(population.matrix), population.matrix)
        assert (population.matrix >= 0).all()
        assert (population.matrix < [len(choice.options) for choice in space.choices]).all()


def test_equal_rows_are_equal_networks(space: Space, rng: np.random.Generator) -> None:
    start = space.sample(rng, 40)
    population = start.concatenate(space.mutate(rng, start, 0.05)).concatenate(space.mutate(rng, start, 0.05))
    network_of: dict[bytes, str] = {}
    # what a combinator adds, such as a recipe, is no part of the network
    beside = tuple(f"{name}." for name in combinator_names())
    for key, architecture in zip(population.keys(), population, strict=True):
        added = {name: option for name, option in architecture.options.items() if name.startswith(beside)}
        parts = [space.blueprint(architecture).arguments, space.input_size(architecture), added]
        network = json.dumps(parts, sort_keys=True)
        assert network_of.setdefault(key, network) == network
    assert len(set(network_of.values())) == len(network_of)


def test_genotypes_of_one_network_have_one_canonical_row(space: Space, rng: np.random.Generator) -> None:
    genotypes = space._draw(rng, 60)
    once = space.canonical(genotypes)
    assert np.array_equal(space.canonical(once), once)
    for raw, row in zip(genotypes, once, strict=True):
        assert space.architecture(raw) == space.architecture(row)


def test_mutation(space: Space, rng: np.random.Generator) -> None:
    parents = space.sample(rng, 80)
    assert equal(space.mutate(rng, parents, 0.0), parents)
    assert not equal(space.mutate(rng, parents, 1.0), parents)
    assert len(space.mutate(rng, parents[:0], 0.5)) == 0


def test_crossover_takes_every_option_from_a_parent(space: Space, rng: np.random.Generator) -> None:
    mothers, fathers = space.sample(rng, 80), space.sample(rng, 80)
    children = space.crossover(rng, mothers, fathers)
    assert equal(space.crossover(rng, mothers, mothers), mothers)
    # a choice that no parent had on may be on in the child, with its first option
    from_a_parent = (children.matrix == mothers.matrix) | (children.matrix == fathers.matrix)
    assert (from_a_parent | (children.matrix == 0)).all()
    with pytest.raises(ValueError, match="as many"):
        space.crossover(rng, mothers, fathers[:3])


def test_neighbours_differ_by_one_choice(space: Space, rng: np.random.Generator) -> None:
    architecture = space.sample(rng, 1)[0]
    neighbours = space.neighbours(architecture)
    assert len(set(neighbours.keys())) == len(neighbours) > 0
    assert architecture not in set(neighbours)
    for neighbour in neighbours:
        changed = [n for n in neighbour.options if neighbour.options[n] != architecture.options.get(n)]
        of_choices = [n for n in changed if n in architecture.options]
        # others may be switched on by it, with their first option
        assert len(of_choices) <= 1
        assert neighbour.options.keys() == architecture.options.keys() or of_choices or not changed
        switched_on = set(changed) - set(of_choices)
        first = {choice.name: choice.options[0] for choice in space.choices}
        assert all(neighbour.options[name] == first[name] for name in switched_on)


def test_encoding(space: Space, rng: np.random.Generator) -> None:
    population = space.sample(rng, 50)
    encoded = space.encode(population)
    assert encoded.shape == (50, sum(len(choice.options) for choice in space.choices))
    assert set(np.unique(encoded)) <= {0.0, 1.0}
    assert np.array_equal(encoded.sum(axis=1), space.active(population.matrix).sum(axis=1))
    distinct = {tuple(row) for row in encoded.tolist()}
    assert len(distinct) == len(set(population.keys()))


def test_extremes(space: Space) -> None:
    smallest, largest = space.extremes()
    assert smallest != largest
    population = space.population([smallest, largest])
    assert list(population) == [smallest, largest]
    for name in ("macs_layerwise", "params"):
        figures = price_population(population, space.default_runtime)[name]
        assert figures[0] < figures[1]


def test_size_counts_networks_not_genotypes(space: Space, rng: np.random.Generator) -> None:
    assert space.size >= len(set(space.sample(rng, 200).keys()))


# architectures


def test_json_round_trip(space: Space, rng: np.random.Generator) -> None:
    population = space.sample(rng, 20)
    restored = [Architecture.from_json(architecture.to_json()) for architecture in population]
    assert restored == list(population)
    assert equal(space.population(restored), population)


def test_an_architecture_rebuilds_from_its_json_alone(space: Space, rng: np.random.Generator) -> None:
    architecture = space.sample(rng, 1)[0]
    read = Architecture.from_json(architecture.to_json())
    twin = space_class(read.space).restored(read.settings)
    assert twin.blueprint(read) == space.blueprint(architecture)
    assert twin.input_size(read) == space.input_size(architecture)
    table, again = (s.decode(s.population([read])) for s in (space, twin))
    assert table.layers(0) == again.layers(0)


def test_foreign_architectures_are_refused(space: Space, rng: np.random.Generator) -> None:
    good = space.sample(rng, 1)[0]
    name = next(iter(good.options))
    wrong: list[tuple[Architecture, str]] = [
        (Architecture("elsewhere", good.settings, good.options), "elsewhere"),
        (Architecture(good.space, {**good.settings, "classes": 77}, good.options), "settings"),
        (Architecture(good.space, good.settings, {**good.options, "no_such": 1}), "no_such"),
        (Architecture(good.space, good.settings, {**good.options, name: -5}), "-5"),
        (Architecture(good.space, good.settings, {k: v for k, v in good.options.items() if k != name}), "lacks"),
    ]
    for architecture, said in wrong:
        with pytest.raises(WrongUse, match=said):
            space.population([architecture])


# the operator table


def test_a_row_does_not_depend_on_its_neighbours(space: Space, rng: np.random.Generator) -> None:
    population = space.sample(rng, 25)
    table = space.decode(population)
    assert len(table) == 25
    for row in range(len(population)):
        alone = space.decode(population[row : row + 1])
        assert table.layers(row) == alone.layers(0) == table.select(np.array([row])).layers(0)


def test_absent_slots_are_neutral(space: Space, rng: np.random.Generator) -> None:
    table = space.decode(space.sample(rng, 40))
    absent = ~table.present
    for name, value in (("in_channels", 0), ("out_channels", 0), ("kernel", 1), ("input_a", NO_INPUT), ("cut", False)):
        assert (getattr(table, name)[absent] == value).all(), name
    slots = np.broadcast_to(np.arange(table.slots), table.present.shape)
    assert np.array_equal(table.last_use[absent], slots[absent])


def test_last_use_is_the_last_reader(space: Space, rng: np.random.Generator) -> None:
    table = space.decode(space.sample(rng, 25))
    for row in range(len(table)):
        last_use = np.arange(table.slots)
        for slot in np.flatnonzero(table.present[row]):
            for source in (table.input_a[row, slot], table.input_b[row, slot]):
                assert NO_INPUT <= source < slot
                if source >= 0:
                    assert table.present[row, source]
                    last_use[source] = slot
        assert np.array_equal(table.last_use[row], last_use)


def test_tables_and_prices_of_nobody(space: Space) -> None:
    nobody = space.sample(np.random.default_rng(0), 0)
    assert len(space.decode(nobody)) == 0
    assert all(len(column) == 0 for column in price_population(nobody, space.default_runtime).values())


@pytest.mark.parametrize("runtime", runtime_names())
def test_prices(space: Space, rng: np.random.Generator, runtime: str) -> None:
    population = space.sample(rng, 30)
    priced = price_population(population, runtime, {"peak_sram_bytes": 50_000})
    table = price_table(space.decode(population), runtime, {"peak_sram_bytes": 50_000})
    assert priced.keys() == table.keys()
    assert all(np.array_equal(priced[name], table[name]) for name in priced)
    assert (priced["macs"] >= priced["macs_layerwise"]).all()
    assert np.array_equal(priced["fits"], priced["peak_sram_bytes"] <= 50_000)


@pytest.mark.parametrize("count_input", [False, True])
@pytest.mark.parametrize("runtime", runtime_names())
def test_nothing_undercuts_the_bound(space: Space, rng: np.random.Generator, runtime: str, count_input: bool) -> None:
    least = space.least()
    if least is None:
        pytest.skip("the space knows no bound")
    if lacking_operators(runtime, space.decode(space.population(space.extremes())), allowed=True):
        pytest.skip(f"no search of this space has the runtime {runtime}")
    bound = bound_table(least, runtime, "auto", count_input)
    sizes = list(zip(least.in_height[:, 0].tolist(), least.in_width[:, 0].tolist(), strict=True))
    assert sizes == sorted(sizes)
    smallest = space.population([space.extremes()[0]])
    many = smallest[np.zeros(400, dtype=np.intp)]
    samples = space.sample(rng, 400)
    near = space.mutate(rng, many, 0.05).concatenate(space.crossover(rng, many, samples))
    population = samples.concatenate(near).concatenate(smallest)
    priced = price_population(population, runtime, count_input=count_input)
    table = space.decode(population)
    found = list(zip(table.in_height[:, 0].tolist(), table.in_width[:, 0].tolist(), strict=True))
    for name in ("peak_sram_bytes", "macs_layerwise", "params", "weight_bytes", "flash_bytes"):
        at_size = {size: min(v for s, v in zip(sizes, bound[name], strict=True) if s == size) for size in set(sizes)}
        assert (priced[name] >= [at_size[size] for size in found]).all(), name


def test_smaller_resolutions_end(space: Space) -> None:
    pixels = min(space.input_size(space.extremes()[0])[1:])
    here = space.smaller()
    while here is not None:
        below = min(here.input_size(here.extremes()[0])[1:])
        assert below < pixels
        pixels, here = below, here.smaller()


def test_importing_spaces_loads_no_torch(run_python: Callable[[str], str]) -> None:
    loaded = run_python(
        "import sys\n"
        "from search_spaces.core.registry import space_class, space_names\n"
        "for name in space_names():\n"
        "    space = space_class(name).configured({}, None)\n"
        "    space.decode(space.population(space.extremes()))\n"
        "print(sorted({'torch', 'ray', 'pandas', 'nas'} & sys.modules.keys()))\n"
    )
    assert loaded.strip() == "[]"
