"""What a processor's program is made of: kernels, flags, the order of weights. One file in `targets` is one target."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.program import Convolution, Depthwise, FullyConnected
from search_spaces.core.by_file import file_names
from search_spaces.core.errors import WrongUse, unknown

KERNELS = Path(__file__).parent / "kernels"
_TARGETS = "nas.deployment.c_code.targets"
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror")
Weighted = Convolution | Depthwise | FullyConnected


@dataclass(frozen=True)
class Target:
    """One processor's programs.

    Attributes:
        name: as `--target` has it.
        title: for which processors.
        kernels: files of the folder `kernels` in the order in which they are included.
        board: the simulated one on which programs are proved, see `nas.deployment.qemu`.
        pack: the weights of an operator as bytes, in the order in which the target's kernels read them. It may reorder
            and never pads: `bits` x their number, rounded up to a byte.
    """

    name: str
    title: str
    kernels: tuple[str, ...]
    board: str
    pack: Callable[[Weighted], NDArray[np.uint8]]


def target_names() -> list[str]:
    """Every known target, sorted."""
    return [name.replace("_", "-") for name in file_names([str(Path(__file__).parent / "targets")])]


def target(name: str) -> Target:
    """By its name; `WrongUse` with the nearest known one otherwise."""
    known = target_names()
    if name not in known:
        raise WrongUse(unknown("target", name, known))
    found: Target = importlib.import_module(f"{_TARGETS}.{name.replace('-', '_')}").TARGET
    return found
