"""Prices with predicted figures among them: what is held to a limit, and what is said where nothing is within it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from nas.core.budget import Budget
from nas.feasibility import survey
from nas.pricing import Columns, Forecasts, Pricer
from predictors.hardware.price import price_population
from search_spaces.core.errors import Infeasible
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.mcunetv2 import Mcunetv2

WHOSE = "predicted: device toy"


class MacsAreMilliseconds:
    """A millisecond for a million multiply-accumulates, give or take a tenth."""

    whose: Mapping[str, str] = {"latency_ms": WHOSE}

    def __call__(self, population: Population, priced: Columns) -> Columns:
        milliseconds = price_population(population, "analytic", schedule="none")["macs"] / 1e6
        ends = {"latency_ms_low": 0.9 * milliseconds, "latency_ms_high": 1.1 * milliseconds}
        return {"latency_ms": milliseconds, **ends, "latency_ms_extrapolated": 0 * milliseconds}


@pytest.fixture(scope="module")
def space() -> Mcunetv2:
    return Mcunetv2.configured({"backbone": "micro", "resolutions": "16,24"}, InputFacts(3, 24, 24, 5, 300))


def pricer(space: Mcunetv2, budget: str = "") -> Pricer:
    limits = Budget.parse(budget).judged_by({"latency_ms": WHOSE}) if budget else Budget()
    return Pricer(space, "tinyengine", limits, forecast=MacsAreMilliseconds())


def test_a_network_fits_where_the_upper_end_of_its_interval_does(space: Mcunetv2) -> None:
    population = space.sample(np.random.default_rng(0), 200)
    free = pricer(space)(population)
    limit = float(np.median(free["latency_ms"]))
    columns = pricer(space, f"latency={limit}ms")(population)
    np.testing.assert_array_equal(columns["fits"], free["latency_ms_high"] <= limit)
    assert 0 < columns["fits"].sum() < (columns["latency_ms"] <= limit).sum()


def test_exact_limits_hold_beside_predicted_ones(space: Mcunetv2) -> None:
    population = space.sample(np.random.default_rng(0), 200)
    both, exact = pricer(space, "latency=1000s,flash=90k")(population), pricer(space, "flash=90k")(population)
    np.testing.assert_array_equal(both["fits"], exact["fits"])
    assert 0 < exact["fits"].sum() < 200


def test_no_networks_have_no_figures(space: Mcunetv2) -> None:
    columns = pricer(space, "latency=1ms")(space.population([]))
    assert all(len(values) == 0 for values in columns.values())


def test_a_survey_counts_what_fits(space: Mcunetv2) -> None:
    free = survey(pricer(space), seed=0).columns["latency_ms_high"]
    limit = float(np.quantile(free, 0.3))
    assert survey(pricer(space, f"latency={limit}ms"), seed=0).share == pytest.approx(0.3, abs=0.01)


def test_a_network_that_fits_is_found_where_the_sample_holds_none(space: Mcunetv2) -> None:
    smallest = pricer(space).one(space.extremes()[0])["latency_ms_high"]
    least_sampled = survey(pricer(space), seed=0).columns["latency_ms_high"].min()
    assert smallest < least_sampled
    found = survey(pricer(space, f"latency={(smallest + least_sampled) / 2}ms"), seed=0)
    assert found.share == 0
    assert found.found is not None


def test_where_nothing_is_found_no_bound_is_claimed(space: Mcunetv2) -> None:
    with pytest.raises(Infeasible) as error:
        survey(pricer(space, "latency=0.001ms"), seed=0)
    message = str(error.value)
    assert message.startswith("none found in 2,000 sampled architectures of the space 'mcunetv2'")
    assert f"latency <= 0.001 ms, {WHOSE}" in message
    assert "interval" in message
    assert "proved" not in message


class EnergyOfSome:
    """A millijoule for a million multiply-accumulates, no interval; of networks beyond half of one nothing is known."""

    whose: Mapping[str, str] = {"energy_mj": "predicted: device meter"}

    def __call__(self, population: Population, priced: Columns) -> Columns:
        millijoules = price_population(population, "analytic", schedule="none")["macs"] / 1e6
        known = np.where(millijoules <= 0.5, millijoules, np.inf)
        return {"energy_mj": known, "energy_mj_extrapolated": 1 * np.isinf(known)}


def test_forecasts_are_joined_and_what_is_not_known_never_fits(space: Mcunetv2) -> None:
    forecasts = Forecasts((MacsAreMilliseconds(), EnergyOfSome()))
    assert set(forecasts.whose) == {"latency_ms", "energy_mj"}
    population = space.sample(np.random.default_rng(0), 200)
    free = Pricer(space, "tinyengine", forecast=forecasts)(population)
    np.testing.assert_array_equal(free["fits"], free["energy_mj"] <= 0.5)
    assert 0 < free["fits"].sum() < 200
    limit = float(np.median(free["energy_mj"][free["fits"]]))
    limited = Pricer(space, "tinyengine", Budget({"energy_mj": limit, "latency_ms": limit}), forecast=forecasts)
    assert limited.promises(free) == {"energy_mj": limit, "latency_ms_high": limit}
    columns = limited(population)
    within = (columns["energy_mj"] <= limit) & (columns["latency_ms_high"] <= limit)
    np.testing.assert_array_equal(columns["fits"], within)
    assert 0 < within.sum() < (columns["energy_mj"] <= limit).sum() < free["fits"].sum()


def test_the_survey_counts_what_a_strict_runtime_rules_out() -> None:
    space = Mcunetv2.configured({"resolutions": "96,128"}, InputFacts(3, 128, 128, 10, 300))
    free = Pricer(space, "tinyengine", Budget.parse("sram=48k"))
    strict = replace(free, strict_runtime=True)
    found = survey(strict, seed=0)
    assert found.refused is not None
    assert found.refused > 0
    assert found.share == pytest.approx(survey(free, seed=0).share - found.refused / found.sampled)
    assert survey(free, seed=0).refused is None
