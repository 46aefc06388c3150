"""A space whose architectures say how many bits each operator has."""

import json
import pickle

import numpy as np
import pytest

from predictors.hardware.price import price_population, price_table
from search_spaces.combinators.quantization import PREFIX, WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class, space_names

FACTS = InputFacts(channels=3, height=32, width=32, classes=2, pictures=4000)
SPACES = [name for name in space_names() if not name.startswith("snnet")]


def quantized(name: str, widths: str = "fp32,int8,w4a8", **more: str) -> WithQuantization:
    space = space_class(f"{name}+quantization").configured({"quantize": widths, **more}, FACTS)
    assert isinstance(space, WithQuantization)
    return space


@pytest.mark.parametrize("name", SPACES)
def test_all_int8_costs_what_int8_costs(name: str) -> None:
    space = quantized(name)
    [int8] = [each for each in space.widths if each.name == "int8"]
    inner = space.inner.sample(np.random.default_rng(0), 20)
    uniform = space.population([space.uniform(one, int8) for one in inner])
    ours, theirs = (price_population(each, "tinyengine") for each in (uniform, inner))
    for column in ("macs", "params", "flash_bytes"):
        assert (ours[column] == theirs[column]).all(), column
    if name not in ("cct", "vit", "tinyvit"):  # matrix products and norms of these run on floats
        assert (ours["bitops"] == 64 * ours["macs_layerwise"]).all()
        assert (ours["peak_sram_bytes"] == theirs["peak_sram_bytes"]).all()
    assert (ours["weight_bytes"] > theirs["weight_bytes"]).all()  # scales and biases are in the file too


@pytest.mark.parametrize("name", SPACES)
def test_nothing_undercuts_the_bound(name: str) -> None:
    space = quantized(name, "fp32,int8,w4,w2a4")
    least = space.least()
    if least is None:
        pytest.skip(f"{name} knows no bound")
    bound = price_table(least, "analytic")
    found = price_population(space.sample(np.random.default_rng(1), 300), "analytic")
    for column in ("weight_bytes", "flash_bytes", "bitops"):
        assert found[column].min() >= bound[column].min(), column


def test_what_is_added_shares_a_width() -> None:
    space = quantized("mcunetv2")
    names = {choice.name for choice in space.choices}
    assert f"{PREFIX}s2.b1.project" in names
    assert f"{PREFIX}s2.b2.project" not in names
    rng = np.random.default_rng(2)
    for architecture in space.sample(rng, 10):
        widths = space.policy(architecture).widths
        projects = {each for operator, each in widths.items() if operator.startswith("s2.") and "project" in operator}
        assert len(projects) == 1


def test_an_operator_that_is_not_there_has_no_choice() -> None:
    space = quantized("mcunetv2")
    for architecture in space.sample(np.random.default_rng(3), 20):
        policy = space.policy(architecture)
        [table] = [space.decode(space.population([architecture]))]
        present = {table.slot_names[slot] for slot in np.flatnonzero(table.present[0])}
        assert set(policy.widths) <= present
        for name in architecture.options:
            if name.startswith(PREFIX) and name.endswith((".expand", ".depthwise")):
                assert name.removeprefix(PREFIX) in present


def test_random_policies_reach_the_uniform_ones() -> None:
    space = quantized("mcunetv2", "fp32,int8")
    counts = []
    for architecture in space.sample(np.random.default_rng(4), 200):
        widths = list(space.policy(architecture).widths.values())
        counts.append(np.mean([each.name == "int8" for each in widths]))
    shares = np.array(counts)
    assert (shares > 0.9).mean() > 0.1
    assert (shares < 0.1).mean() > 0.1
    assert 0.4 < shares.mean() < 0.6


def test_a_search_begins_with_uniform_policies() -> None:
    space = quantized("mcunetv2", "fp32,int8,w4")
    policies = [set(space.policy(one).widths.values()) for one in space.beginnings()]
    assert all(len(each) == 1 for each in policies)
    assert {next(iter(each)).name for each in policies} == {"fp32", "int8", "w4"}


def test_schemes_are_choices_on_request() -> None:
    space = quantized("mcunetv2", quantize_how="true")
    sampled = space.sample(np.random.default_rng(5), 60)
    assert {space.policy(one).calibration for one in sampled} == {"minmax", "percentile", "entropy"}
    per_tensor = [one for one in sampled if space.policy(one).granularity == "tensor"]
    assert per_tensor
    prices = price_population(space.population(per_tensor), "analytic")["weight_bytes"]
    channel = {f"{PREFIX}granularity": "channel"}
    told = [Architecture(one.space, one.settings, {**one.options, **channel}) for one in per_tensor]
    assert (prices <= price_population(space.population(told), "analytic")["weight_bytes"]).all()


def test_the_json_alone_rebuilds_it() -> None:
    space = quantized("tinynet")
    architecture = space.sample(np.random.default_rng(6), 1)[0]
    again = Architecture.from_json(json.dumps(json.loads(architecture.to_json())))
    twin = space_class(again.space).restored(again.settings)
    assert twin.blueprint(again) == space.blueprint(architecture)
    copied = pickle.loads(pickle.dumps(space))
    assert copied.policy(architecture) == space.policy(architecture)


def test_shared_weights_are_the_base_s() -> None:
    space = quantized("mcunetv2")
    ours, theirs = space.supernet().state_dict(), space.inner.supernet().state_dict()  # type: ignore[attr-defined]
    assert {name: value.shape for name, value in ours.items()} == {name: v.shape for name, v in theirs.items()}
    assert space.of_weights is space.inner


def test_genotypes_are_canonical() -> None:
    space = quantized("mcunetv2")
    sampled = space.sample(np.random.default_rng(7), 100)
    assert (space.canonical(sampled.matrix) == sampled.matrix).all()
    assert space.population(list(sampled)).keys() == sampled.keys()
    assert isinstance(sampled, Population)
    assert space.features(sampled).shape[0] == 100


def test_an_unknown_width_names_the_setting() -> None:
    with pytest.raises(WrongUse, match="a width is fp32"):
        quantized("mcunetv2", "int8,int7")
