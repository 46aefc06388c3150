"""How many instructions a generated program takes, before it is run: by its operators, in a patch stage by patch."""

from collections.abc import Iterator

from nas.deployment.c_code import program as c
from nas.deployment.c_code.emit.model import Model
from nas.deployment.c_code.passes.cut_patches import Span
from nas.deployment.c_code.program import Operator
from predictors.hardware.instructions import Calls, core_names, instruction_model, kernel_name
from search_spaces.core.layer_table import Kind

_KINDS: dict[type[Operator], Kind] = {
    c.Convolution: Kind.CONV,
    c.Depthwise: Kind.DEPTHWISE,
    c.FullyConnected: Kind.LINEAR,
    c.Add: Kind.ADD,
    c.Multiply: Kind.MULTIPLY,
    c.Mean: Kind.POOL,
    c.Pool: Kind.POOL,
}


def program_instructions(model: Model) -> float | None:
    """A picture's; None where nobody has counted those of the target's core, or an operator is like none counted."""
    core = model.target.board
    if core not in core_names():
        return None
    known, made = instruction_model(core), list(program_calls(model))
    if not all(known.knows(name, calls) for name, calls in made):
        return None
    return float(sum(known.of_calls(name, calls) for name, calls in made))


def program_calls(model: Model) -> Iterator[tuple[str, Calls]]:
    """Kernel and shapes of every call for one picture, those of a patch stage one by one."""
    for each in model.program.operators:
        if model.stage is None or not model.in_stage(each):
            yield operator_call(each)
            continue
        place = model.stage.tensors.index(each.output.name)
        for rows in model.stage.rows:
            for columns in model.stage.columns:
                if _length(rows[place]) and _length(columns[place]):
                    yield _call(each, rows[place], columns[place])


def operator_call(each: Operator) -> tuple[str, Calls]:
    """Of a whole map; of a mean, of the map that it reads."""
    over = each.inputs[0] if isinstance(each, c.Mean) else each.output
    return _call(each, (0, over.height), (0, over.width))


def _call(each: Operator, rows: Span, columns: Span) -> tuple[str, Calls]:
    source, height, width = each.inputs[0], _length(rows), _length(columns)
    window = getattr(each, "window", None)
    kernel, stride = (window.kernel[0], window.stride[0]) if window is not None else (1, 1)
    fused = isinstance(each, c.Convolution) and each.addition is not None
    border = 0
    if window is not None:
        down = _inside(rows, window.kernel[0], window.stride[0], window.top, source.height)
        right = _inside(columns, window.kernel[1], window.stride[1], window.left, source.width)
        border = height * width - down * right
    name = kernel_name(_KINDS[type(each)], kernel, stride, fused)
    return name, Calls.of(height, width, source.channels, each.output.channels, border)


def _length(span: Span) -> int:
    return span[1] - span[0]


def _inside(span: Span, kernel: int, stride: int, before: int, side: int) -> int:
    """Outputs of an axis whose window lies inside of the map."""
    return sum(0 <= place * stride - before <= side - kernel for place in range(*span))
