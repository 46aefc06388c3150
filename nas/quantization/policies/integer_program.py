"""The widths of least total loss within the limits, exactly, where losses of operators add up.

Source: HAWQ-V3 (arXiv 2011.10680), which chooses bits by an integer linear program. Solved by HiGHS.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from nas.quantization.policies.options import Choice, Options
from search_spaces.core.errors import FitnasError, Infeasible

_REPEATS = 10
_STDOUT = 1  # the descriptor
_TOLERANCE = 1e-6  # of the largest price: the solver's, by which a limit may be passed unless it is told a smaller one


def allocate(options: Options, losses: NDArray[np.float64]) -> Choice:
    """The choice of least summed `losses` `(groups, widths)`; of choices of equal loss any.

    `Infeasible` where no choice is within the limits, with what can be reached; `FitnasError` where a loss is not
    finite.
    """
    if not np.isfinite(losses).all():
        group = options.groups[int(np.flatnonzero(~np.isfinite(losses).all(axis=1))[0])]
        raise FitnasError(f"the loss of {group[0]} in few bits is not finite; train the network again")
    for repeat in range(_REPEATS):
        choice = _solved(options, losses, _TOLERANCE * (2**repeat - 1))
        if choice is None and repeat == 0:
            raise nothing_fits(options)
        if choice is None:
            break
        if options.fits(choice):
            return choice
    raise FitnasError("the integer program misses the limits by its rounding alone; give limits a millionth larger")


def nothing_fits(options: Options) -> Infeasible:
    """Why no choice is within the limits: what one of them can come down to, beside the others where it must be."""
    for name, limit in options.limits.items():
        if options.cheapest(name) > limit:
            return Infeasible(options.explained(name, options.cheapest(name)))
    last = list(options.limits)[-1]
    others = replace(options, limits={name: limit for name, limit in options.limits.items() if name != last})
    reached = others.figures(allocate(others, options.prices[last].astype(np.float64)))[last]
    return Infeasible(options.explained(last, reached, others.limits))


def _solved(options: Options, losses: NDArray[np.float64], margin: float) -> Choice | None:
    groups, widths = options.shape
    one_each = np.kron(np.eye(groups), np.ones(widths))
    constraints = [LinearConstraint(one_each, 1, 1)]
    for name, limit in options.limits.items():
        prices = options.prices[name].ravel().astype(np.float64)
        scale = max(float(np.abs(prices).max(initial=0)), 1.0)
        room = (limit - options.base[name]) / scale - margin
        constraints.append(LinearConstraint(prices / scale, -np.inf, room))
    spread = losses - losses.min(axis=1, keepdims=True)
    largest = float(spread.max(initial=0)) or 1.0
    with _muted():
        found = milp(
            (spread / largest).ravel(),
            integrality=np.ones(groups * widths),
            bounds=Bounds(0, 1),
            constraints=constraints,
            options={"mip_rel_gap": 0.0},
        )
    if found.x is None:
        return None
    chosen: Choice = found.x.reshape(groups, widths).argmax(axis=1)
    return chosen


@contextmanager
def _muted() -> Iterator[None]:
    """Runs the body with the process's stdout closed: HiGHS prints a line of its own there, which is for data alone."""
    library = ctypes.CDLL(None)
    sys.stdout.flush()
    library.fflush(None)
    stdout = os.dup(_STDOUT)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDOUT)
        yield
    finally:
        library.fflush(None)  # what C code has buffered goes nowhere too
        os.dup2(stdout, _STDOUT)
        os.close(stdout)
