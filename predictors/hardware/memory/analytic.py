"""The rule of the MCUNetV2 paper's tables (arXiv 2110.15352)."""

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import Kind

RULE = MemoryRule(
    runtime="analytic",
    title="the papers' rule: depthwise in place, projection onto the residual, no scratch buffers",
    source="MCUNetV2, arXiv 2110.15352, Table 1 (1372 and 172 KiB)",
    in_place=frozenset({Kind.DEPTHWISE, Kind.ADD, Kind.MULTIPLY, Kind.NORM}),
    accumulates=frozenset(Kind),
    widths=("fp32", "int8", "w8", "w4"),
)
