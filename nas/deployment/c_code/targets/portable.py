"""C99 for any processor, weights in plain order."""

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.packing import packed
from nas.deployment.c_code.target import Target, Weighted


def pack(operator: Weighted) -> NDArray[np.uint8]:
    """Plain order."""
    return packed(operator.weights.integers, operator.weights.bits)


TARGET = Target(
    name="portable",
    title="any processor with a C99 compiler",
    kernels=("operators.h", "portable.h"),
    board="cortex-m3",
    pack=pack,
)
