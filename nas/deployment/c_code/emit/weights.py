"""weights.c and weights.h: constants, which stay in flash."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code import program as c
from nas.deployment.c_code.emit.model import Model
from nas.deployment.c_code.emit.text import array, comment

_WEIGHTED = (c.Convolution, c.Depthwise, c.FullyConnected)


def weights_source(model: Model) -> str:
    """Every array."""
    parts = ['#include "weights.h"\n']
    parts += [f"{array(declaration, values)}" for declaration, values in _arrays(model)]
    return "\n".join(parts)


def weights_header(model: Model) -> str:
    """Their declarations."""
    lines = [
        comment("Weights, biases, factors and tables of the network, by the number of their operator in network.c."),
        "#ifndef NETWORK_WEIGHTS_H",
        "#define NETWORK_WEIGHTS_H",
        "",
        "#include <stdint.h>",
        "",
        *(f"extern {declaration}[{values.size}];" for declaration, values in _arrays(model)),
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def flash_bytes(model: Model) -> int:
    """Of all arrays, as they lie in flash without the compiler's alignment."""
    return sum(values.nbytes for _, values in _arrays(model))


def _arrays(model: Model) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """Declaration and values of each. A bias array is of int32, so that all of an operator's begin at words."""
    for number, each in enumerate(model.program.operators):
        if isinstance(each, _WEIGHTED):
            yield f"const int32_t network_bias_{number}", each.weights.bias
            yield f"const int32_t network_multipliers_{number}", each.weights.multipliers
            yield f"const uint8_t network_weights_{number}", model.target.pack(each)
            yield f"const int8_t network_shifts_{number}", each.weights.shifts
        for place, table in enumerate(each.lookups):
            yield f"const int8_t network_table_{number}_{place}", table
