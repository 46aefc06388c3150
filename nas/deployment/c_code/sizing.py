"""How much flash a generated program takes, before it is compiled: text and data of the least firmware with it."""

from nas.deployment.c_code import program as c
from nas.deployment.c_code.emit.model import Model
from nas.deployment.c_code.emit.weights import flash_bytes
from nas.deployment.c_code.passes.specialise import specialise
from predictors.hardware.program_size import ProgramSizes, functions_bytes, program_sizes

_MAPS = 2  # rows and columns


def program_bytes(model: Model, sizes: ProgramSizes | None = None) -> int:
    """By the sizes of the target's kernels, or these."""
    sizes = sizes or program_sizes(model.target.name)
    operators = model.program.operators
    planes = {each.name for each in operators if isinstance(each, c.Depthwise) and model.plane(each) is not None}
    functions = specialise(model.program, frozenset(planes))
    total = sizes.start + flash_bytes(model) + int(functions_bytes(sizes, {each.name: True for each in functions}))
    total += sum(sizes.structs[each.struct] for each in functions)
    total += sizes.structs["addition"] * sum(getattr(each, "addition", None) is not None for each in operators)
    staged = sum(map(model.in_stage, operators))
    if model.stage is not None:
        spans = _MAPS * model.arena.patches * len(model.stage.tensors)
        total += sizes.stage + round(sizes.stage_layer * staged) + sizes.structs["span"] * spans
    return total + round(sizes.layer * (len(operators) - staged))
