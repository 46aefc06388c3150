"""Operators get the names that they have in the network's operator table, which the schedule and the promise are of."""

from collections.abc import Sequence
from dataclasses import replace

from nas.deployment.c_code import program as c
from nas.deployment.c_code.program import Operator, Program
from search_spaces.core.errors import FitnasError
from search_spaces.core.layer_table import Kind, Layer

_KINDS: dict[type[Operator], Kind] = {
    c.Convolution: Kind.CONV,
    c.Depthwise: Kind.DEPTHWISE,
    c.FullyConnected: Kind.LINEAR,
    c.Add: Kind.ADD,
    c.Multiply: Kind.MULTIPLY,
    c.Mean: Kind.POOL,
    c.Pool: Kind.POOL,
}


def name_operators(program: Program, layers: Sequence[Layer]) -> Program:
    """Both lists are in execution order. `FitnasError` where the table is of another network than the program: then no
    figure that it promised would hold.
    """
    if len(program.operators) != len(layers):
        raise FitnasError(
            f"the network has {len(program.operators)} operators where its operator table has {len(layers)}: what the "
            "table promised is of another network"
        )
    for each, layer in zip(program.operators, layers, strict=True):
        if _facts(each) != _promised(layer):
            raise FitnasError(
                f"the network's operator {each.name} is {_facts(each)}, and {layer.name} in its operator table is "
                f"{_promised(layer)}: what the table promised is of another network"
            )
    return program.replaced(
        [replace(each, name=layer.name) for each, layer in zip(program.operators, layers, strict=True)]
    )


def _facts(each: Operator) -> tuple[object, ...]:
    source, made = each.inputs[0], each.output
    window = getattr(each, "window", None)
    reads = (window.kernel[0], window.stride[0]) if window is not None else (1, 1)
    shapes = ((source.channels, source.height, source.width), (made.channels, made.height, made.width))
    return (_KINDS[type(each)].name, *shapes, *reads)


def _promised(layer: Layer) -> tuple[object, ...]:
    shapes = (
        (layer.in_channels, layer.in_height, layer.in_width),
        (layer.out_channels, layer.out_height, layer.out_width),
    )
    return (layer.kind.name, *shapes, layer.kernel, layer.stride)
