"""Milliseconds on a board as a price: instructions of the generated C on its core, times cycles that each takes there.

Instructions are counted in simulation, to a fraction of a per cent; the cycles are the device's calibration, whose
error is the interval's. Patches compute more: their instructions grow as their multiply-accumulates do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.pricing import PROMISED, Columns
from nas.storage.sheet import LATENCY
from predictors.hardware.device import Calibration, Device
from predictors.hardware.instructions import core_names, instruction_model
from search_spaces.core.population import Population

_MILLISECONDS = 1e3
_CHUNK = 2000  # networks decoded at once


@dataclass(frozen=True)
class BoardForecast:
    """Of one device that has a calibration, as `nas.pricing.Forecast`."""

    device: Device
    calibration: Calibration

    @property
    def whose(self) -> Mapping[str, str]:
        """By column, for people."""
        known = self.calibration
        told = (
            f"predicted: device {self.device.name}, runtime {known.runtime} int8, from instructions counted on a "
            f"simulated {self.device.core_name}, {known.cycles_per_instruction:g} cycles each, held to "
            f"{100 * known.error:g} % more"
        )
        return {LATENCY: told}

    def __call__(self, population: Population, priced: Columns | None = None) -> Columns:
        """Milliseconds, the ends of their interval, and 1 where a network has operators like none that was counted."""
        model, known = instruction_model(self.device.core_name), self.calibration
        starts = range(0, max(len(population), 1), _CHUNK)
        tables = [population.space.decode(population[start : start + _CHUNK]) for start in starts]
        instructions = np.concatenate([model.of_table(table) for table in tables])
        unlike = ~np.concatenate([model.knows_table(table) for table in tables])
        if priced is not None:
            instructions = instructions * priced["macs"] / np.maximum(priced["macs_layerwise"], 1)
        milliseconds = _MILLISECONDS * instructions * known.cycles_per_instruction / self.device.clock_hz
        return {
            LATENCY: milliseconds,
            f"{LATENCY}_low": milliseconds * (1 - known.error),
            LATENCY + PROMISED: milliseconds * (1 + known.error),
            f"{LATENCY}_extrapolated": unlike.astype(np.int64),
        }


def board_forecast(device: Device | None, runtime: str) -> BoardForecast | None:
    """Of a device with a calibration for that runtime, whose core's instructions are known; None otherwise."""
    if device is None or device.calibration is None:
        return None
    if device.calibration.runtime != runtime or device.core_name not in core_names():
        return None
    return BoardForecast(device, device.calibration)
