"""A lookup table of a board that does not exist, where a network takes the sum that `tests.measured_rows` measures."""

from typing import Any

from nas.core.measured import Target
from nas.device_predictor import lacking_operators
from nas.storage.operator_times import OperatorTimes
from predictors.hardware.latency.operator_classes import OperatorShape
from search_spaces.core.layer_table import Kind
from search_spaces.core.space import SearchSpace
from tests.measured_rows import BOARD, MILLISECONDS_AN_OPERATOR, NANOSECONDS_A_MAC

_WORKING = (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR)


def milliseconds_of(shape: OperatorShape) -> float:
    """What the board takes for one operator."""
    pairs = shape.in_channels // shape.groups * shape.out_channels * shape.kernel**2
    macs = pairs * shape.out_height * shape.out_width if shape.kind in _WORKING else 0
    return 1e-6 * NANOSECONDS_A_MAC * macs + MILLISECONDS_AN_OPERATOR


def operator_times(space: SearchSpace[Any], target: Target = BOARD) -> OperatorTimes:
    """Of every operator of a space."""
    return OperatorTimes(target, {shape: milliseconds_of(shape) for shape in lacking_operators(space)[0]})
