"""onnxruntime on a processor: every tensor of its own until its last reader has run."""

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import Kind

RULE = MemoryRule(
    runtime="onnxruntime",
    title="each tensor of its own, additions, gates and norms in place; without the arena's own overhead",
    source="onnxruntime/core/framework/allocation_planner.cc: reuse of an input by kernels with MayInplace",
    in_place=frozenset({Kind.ADD, Kind.MULTIPLY, Kind.NORM}),
    widths=("fp32", "int8", "w8", "w4"),
)
