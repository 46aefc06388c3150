"""Cortex-M55: Helium's vectors."""

from dataclasses import replace

from nas.deployment.c_code.targets.cortex_m4 import TARGET as CORTEX_M4

TARGET = replace(
    CORTEX_M4,
    name="cortex-m55",
    title="Cortex-M55: sixteen products an instruction",
    kernels=("operators.h", "arm.h", "helium.h", "dsp.h", "blocks.h", "portable.h"),
    board="cortex-m55",
)
