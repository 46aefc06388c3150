"""The arena of the C code that `nas export --to c` writes, to the byte."""

from predictors.hardware.memory.rule import MemoryRule, Planned
from predictors.hardware.program_size import CHANNEL_BYTES, code_bytes, least_code_bytes
from search_spaces.core.layer_table import Kind

RULE = MemoryRule(
    runtime="c",
    title="depthwise convolutions, additions and gates in place, projections onto the residual, patches cut at borders",
    source="the generated code: nas/deployment/c_code; compiled, painted and compared with this by nas verify",
    in_place=frozenset({Kind.DEPTHWISE, Kind.ADD, Kind.MULTIPLY}),
    accumulates=frozenset({Kind.CONV}),
    alignment=4,
    code=Planned(code_bytes, least_code_bytes),
    channel_bytes=CHANNEL_BYTES,
    plane=True,
    clips=True,
    widths=("int8", "w4a8"),
    # layer norms and attention are floats here
    lacks=frozenset({Kind.NORM, Kind.MATMUL}),
)
