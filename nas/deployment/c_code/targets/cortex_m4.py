"""Cortex-M4, and other ARM cores with the DSP extension: two products of 16 bits an instruction."""

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.packing import packed, packed_in_eights
from nas.deployment.c_code.program import Convolution, FullyConnected
from nas.deployment.c_code.target import Target, Weighted

_EIGHT = 8


def pack(operator: Weighted) -> NDArray[np.uint8]:
    """Plain order; those of 4 bits that meet one pixel alone in eights, see kernels/blocks.h."""
    weights = operator.weights
    pointwise = isinstance(operator, FullyConnected) or (isinstance(operator, Convolution) and operator.is_pointwise)
    if weights.bits == 4 and pointwise and operator.inputs[0].channels % _EIGHT == 0:
        return packed_in_eights(weights.integers)
    return packed(weights.integers, weights.bits)


TARGET = Target(
    name="cortex-m4",
    title="Cortex-M4: two products an instruction",
    kernels=("operators.h", "arm.h", "dsp.h", "blocks.h", "portable.h"),
    board="cortex-m4",
    pack=pack,
)
