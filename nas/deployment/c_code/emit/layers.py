"""The constant that describes one operator for whole maps."""

from nas.deployment.c_code import program as c
from nas.deployment.c_code.emit.model import Model
from nas.deployment.c_code.emit.text import fields
from nas.deployment.c_code.program import Bounded, Map, Operator


def layer(model: Model, number: int, each: Operator) -> str:
    """The initialiser of operator `number`."""
    match each:
        case c.Convolution():
            return _convolution(model, number, each)
        case c.Depthwise():
            return fields(
                **_maps(model, each),
                window=_window(each.window),
                weights=_weights(number, each.weights),
                plane=model.plane(each),
            )
        case c.FullyConnected():
            return fields(
                input=model.place(each.inputs[0]),
                output=model.place(each.output),
                inputs=each.inputs[0].bytes,
                outputs=each.output.bytes,
                weights=_weights(number, each.weights),
            )
        case c.Add():
            other = _map(model, each.inputs[1])
            return fields(**_maps(model, each), other=other, addition=f"&addition_{number}")
        case c.Multiply():
            return fields(
                **_maps(model, each),
                other=_map(model, each.inputs[1]),
                zero_point_a=each.zero_points[0],
                zero_point_b=each.zero_points[1],
                multiplier=each.factor.multiplier,
                shift=each.factor.shift,
                bounds=_bounds(each.bounds),
            )
        case c.Mean():
            return fields(
                input=_map(model, each.inputs[0]),
                output=model.place(each.output),
                input_zero_point=each.zero_point,
                multiplier=each.factor.multiplier,
                shift=each.factor.shift,
                bounds=_bounds(each.bounds),
            )
        case c.Pool():
            return fields(**_maps(model, each), window=_window(each.window), bounds=_bounds(each.bounds))
    raise TypeError(f"no struct for {type(each).__name__}")


def addition(how: c.Addition) -> str:
    """The initialiser of an addition's numbers."""
    (zero_a, zero_b), (first, second) = how.zero_points, how.factors
    return fields(
        zero_point_a=zero_a,
        zero_point_b=zero_b,
        multiplier_a=first.multiplier,
        multiplier_b=second.multiplier,
        shift_a=first.shift,
        shift_b=second.shift,
        multiplier=how.factor.multiplier,
        shift=how.factor.shift,
        output=_bounds(how.output),
    )


def _convolution(model: Model, number: int, each: c.Convolution) -> str:
    own: dict[str, object] = {"addition": None, "residual": None, "residual_row": 0}
    if each.addition is not None:
        residual = each.inputs[1]
        row = residual.width * residual.channels
        own = {"addition": f"&addition_{number}", "residual": model.place(residual), "residual_row": row}
    weights = _weights(number, each.weights)
    return fields(**_maps(model, each), window=_window(each.window), weights=weights, groups=each.groups, **own)


def _maps(model: Model, each: Operator) -> dict[str, str]:
    return {"input": _map(model, each.inputs[0]), "output": _map(model, each.output)}


def _map(model: Model, tensor: Map) -> str:
    row = tensor.width * tensor.channels
    return f"{{{model.place(tensor) or 'NULL'}, {row}, {tensor.height}, {tensor.width}, {tensor.channels}}}"


def _window(window: c.Window) -> str:
    return f"{{{', '.join(map(str, (*window.kernel, *window.stride, window.top, window.left)))}}}"


def _weights(number: int, weights: c.Weights) -> str:
    arrays = ", ".join(f"network_{what}_{number}" for what in ("weights", "bias", "multipliers", "shifts"))
    own = f"{weights.bits}, {weights.input_zero_point}, {int(weights.right)}"
    return f"{{{arrays}, {own}, {_bounds(weights.output)}}}"


def _bounds(bounds: Bounded) -> str:
    return f"{{{bounds.zero_point}, {bounds.least}, {bounds.most}}}"
