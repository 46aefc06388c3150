"""Milliseconds of a board from instructions."""

import numpy as np
import pytest

from nas.assembly import assemble
from nas.board_forecast import board_forecast
from nas.config import RunConfig
from predictors.hardware.device import load_device
from predictors.hardware.instructions import Calls, fit, instruction_model
from search_spaces.core.errors import WrongUse


def test_latency_is_a_price_where_the_device_is_calibrated() -> None:
    config = RunConfig.checked(space="mcunetv2", device="stm32l4r5", runtime="c", budget="latency=300ms")
    parts = assemble(config, None)
    population = parts.space.sample(np.random.default_rng(0), 50)
    priced = parts.pricer(population)
    table = parts.space.decode(population)
    cycles = 1.537 * instruction_model("cortex-m4").of_table(table)
    layerwise = 1e3 * cycles / 120e6
    assert np.allclose(priced["latency_ms"], layerwise * priced["macs"] / priced["macs_layerwise"])
    assert np.allclose(priced["latency_ms_high"], 1.037 * priced["latency_ms"])
    assert not priced["fits"][priced["latency_ms_high"] > 300].any()
    assert "1.537 cycles each" in parts.whose["latency_ms"]


def test_elsewhere_it_is_not_known() -> None:
    assert board_forecast(None, "c") is None
    assert board_forecast(load_device("stm32l4r5"), "tinyengine") is None
    assert board_forecast(load_device("stm32f412"), "c") is None
    with pytest.raises(WrongUse, match="there is no predictor of latency"):
        assemble(RunConfig.checked(space="mcunetv2", device="stm32f412", runtime="c", budget="latency=1s"), None)


def test_what_is_linear_in_its_shapes_is_learnt_exactly() -> None:
    rng = np.random.default_rng(0)
    shapes = [Calls.of(*rng.integers(2, 40, 4).tolist(), 0) for _ in range(30)]

    def instructions(calls: Calls) -> float:
        pixels = calls.height * calls.width
        return float(100 + 50 * calls.outputs + calls.outputs * pixels * (17 + 1.4 * calls.inputs))

    model = fit([("pointwise", calls, instructions(calls)) for calls in shapes])
    other = Calls.of(31, 5, 64, 24, 0)
    assert float(model.of_calls("pointwise", other)) == pytest.approx(instructions(other), rel=1e-3)
    assert float(model.of_calls("pointwise_add", other)) == pytest.approx(instructions(other), rel=1e-3)
    assert model.knows("pointwise", other)
    assert not model.knows("pointwise_add", other)
    assert float(model.of_calls("add", other)) > 0, "a guess"


def test_windows_over_many_channels_are_not_known() -> None:
    model = instruction_model("cortex-m4")
    assert model.knows("convolution_3x3_s2", Calls.of(8, 8, 3, 16, 0))
    assert not model.knows("convolution_3x3_s2", Calls.of(8, 8, 16, 16, 0))
    assert not model.knows("convolution_5x5_s1", Calls.of(8, 8, 3, 16, 0))
    three, five = (float(model.of_calls(f"convolution_{k}x{k}_s2", Calls.of(8, 8, 3, 16, 0))) for k in (3, 5))
    assert five == pytest.approx(three * 25 / 9)
