"""The function that runs each operator: one for all that share a kernel, whose literals the compiler then knows."""

from dataclasses import dataclass

from nas.deployment.c_code import program as c
from nas.deployment.c_code.program import Operator, Program

_BITS = 8
_INT8 = (-128, 127)
_FEW_CHANNELS = 4  # of a picture: rows of windows so short that their loops are better unrolled


@dataclass(frozen=True)
class Function:
    """A function of the generated file. `name`: its own; `kernel`: the one it calls; `struct`: of its operator.
    `literals`: fields with their values in C; `fuses`: the operator's addition is there.
    """

    name: str
    kernel: str
    struct: str
    literals: tuple[tuple[str, object], ...] = ()
    fuses: bool = False


def specialise(program: Program, in_place: frozenset[str]) -> tuple[Function, ...]:
    """The function of each operator in order; `in_place`: names of the depthwise convolutions that have a plane."""
    return tuple(function_of(each, each.name in in_place) for each in program.operators)


def function_of(each: Operator, in_place: bool) -> Function:
    """By the operator's kind, kernel, stride and bits."""
    match each:
        case c.Convolution() if each.is_pointwise:
            return _convolution(each, "pointwise", "nn_pointwise")
        case c.Convolution():
            return _convolution(each, _windowed("convolution", each.window), "nn_convolution")
        case c.Depthwise():
            kernel = "depthwise_in_place" if in_place else "depthwise"
            literals = (*_window(each.window), *_weights(each.weights))
            literals += () if in_place else (("plane", "NULL"),)
            return Function(_named(_windowed(kernel, each.window), each.weights), f"nn_{kernel}", "depthwise", literals)
        case c.FullyConnected():
            name = _named("fully_connected", each.weights)
            return Function(name, "nn_fully_connected", "fully_connected", _weights(each.weights))
        case c.Pool():
            name = "max_pool" if each.largest else "average_pool"
            return Function(name, f"nn_{name}", "pool")
        case c.Add() | c.Multiply() | c.Mean():
            name = type(each).__name__.lower()
            return Function(name, f"nn_{name}", name)
    raise TypeError(f"no function for {type(each).__name__}")


def _convolution(each: c.Convolution, name: str, kernel: str) -> Function:
    literals: list[tuple[str, object]] = [*_window(each.window), *_weights(each.weights), ("groups", each.groups)]
    if each.is_pointwise:
        literals += [("window.top", 0), ("window.left", 0)]
    elif each.groups == 1 and each.inputs[0].channels <= _FEW_CHANNELS:
        literals.append(("input.channels", each.inputs[0].channels))
        name += f"_of{each.inputs[0].channels}"
    name = _named(name, each.weights) + (f"_groups{each.groups}" if each.groups > 1 else "")
    if each.addition is None:
        return Function(name, kernel, "convolution", (*literals, ("addition", "NULL")))
    return Function(f"{name}_add", kernel, "convolution", tuple(literals), fuses=True)


def _window(window: c.Window) -> tuple[tuple[str, object], ...]:
    sides = zip(("height", "width"), window.kernel, window.stride, strict=True)
    return tuple(
        (f"window.{what}_{side}", value)
        for side, kernel, stride in sides
        for what, value in (("kernel", kernel), ("stride", stride))
    )


def _windowed(name: str, window: c.Window) -> str:
    strides = f"s{window.stride[0]}" if window.stride[0] == window.stride[1] else "s{}x{}".format(*window.stride)
    return f"{name}_{window.kernel[0]}x{window.kernel[1]}_{strides}"


def _weights(weights: c.Weights) -> tuple[tuple[str, object], ...]:
    """Bits; how sums are shifted; the bounds of outputs where they are those of int8."""
    known = [("weights.bits", weights.bits), ("weights.right", int(weights.right))]
    if _is_wide(weights):
        known += [("weights.output.least", weights.output.least), ("weights.output.most", weights.output.most)]
    return tuple(known)


def _is_wide(weights: c.Weights) -> bool:
    return (weights.output.least, weights.output.most) == _INT8


def _named(name: str, weights: c.Weights) -> str:
    name = name if weights.bits == _BITS else f"{name}_w{weights.bits}"
    name = name if _is_wide(weights) else f"{name}_bounded"
    return name if weights.right else f"{name}_left"
