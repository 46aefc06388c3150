"""Bare-metal programs for simulated microcontrollers: compiled, measured in flash, run with a count of instructions.

`boards` says which there are, `toolchain` compiles and weighs, `simulation` runs. Nothing here knows what a network is.
"""
