"""The menu of prices: sums over operators are what the whole network costs."""

import numpy as np
import pytest

from nas.quantization.policies.options import ADDITIVE, Options
from predictors.hardware.price import price_table
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.policy import widths
from search_spaces.core.registry import space_class


def table_of(space_name: str) -> LayerTable:
    options = {"vit": {"preset": "micro"}, "mcunetv2": {"resolutions": "64"}}[space_name]
    space = space_class(space_name).configured(options, InputFacts(3, 64, 64, 10, 100))
    return space.decode(space.sample(np.random.default_rng(4), 1))


@pytest.mark.parametrize("space_name", ["mcunetv2", "vit"])
def test_figures_of_a_choice_are_those_of_its_table(space_name: str) -> None:
    table, rng = table_of(space_name), np.random.default_rng(0)
    options = Options.of(table, widths("fp32,int8,w4a8,w4"), "analytic", {})
    for _ in range(5):
        choice = rng.integers(0, 4, len(options.groups))
        priced = price_table(options.policy(choice).of(table), "analytic", schedule="none")
        assert options.figures(choice) == {name: priced[name][0] for name in ADDITIVE}
    cheapest = {name: options.prices[name].argmin(axis=1) for name in ADDITIVE}
    for name, choice in cheapest.items():
        assert options.cheapest(name) == options.figures(choice)[name]


def test_operators_whose_outputs_are_added_share_a_width() -> None:
    table = table_of("mcunetv2")
    options = Options.of(table, widths("int8,w4"), "analytic", {})
    adding = np.flatnonzero((np.array([kind.name for kind in table.kinds]) == "ADD") & table.present[0])
    assert len(adding)
    for slot in adding:
        name = table.slot_names[table.input_a[0, slot]]
        assert any(len(group) > 1 and name in group for group in options.groups)
    assert sorted(name for group in options.groups for name in group) == sorted(options.names)


def test_limits_are_inclusive() -> None:
    table = table_of("vit")
    free = Options.of(table, widths("int8,w4"), "analytic", {})
    exact = free.figures(free.widest)["weight_bytes"]
    assert Options.of(table, widths("int8,w4"), "analytic", {"weight_bytes": exact}).fits(free.widest)
    tight = Options.of(table, widths("int8,w4"), "analytic", {"weight_bytes": exact - 1})
    assert tight.excess(free.widest) == {"weight_bytes": 1}
