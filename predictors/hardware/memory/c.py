"""Generated C code: inputs and output side by side, additions in place, depthwise convolutions not."""

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import Kind

RULE = MemoryRule(
    runtime="c",
    title="in + out, residual held until its addition, addition in place, no scratch buffers",
    source="own rule",
    in_place=frozenset({Kind.ADD, Kind.MULTIPLY, Kind.NORM}),
    accumulates=False,
)
