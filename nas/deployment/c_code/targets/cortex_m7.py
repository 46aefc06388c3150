"""Cortex-M7: as Cortex-M4."""

from dataclasses import replace

from nas.deployment.c_code.targets.cortex_m4 import TARGET as CORTEX_M4

TARGET = replace(CORTEX_M4, name="cortex-m7", title="Cortex-M7: two products an instruction", board="cortex-m7")
