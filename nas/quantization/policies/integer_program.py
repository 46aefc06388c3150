"""The widths of least total loss within the limits, exactly, where losses of operators add up.

Source: HAWQ-V3 (arXiv 2011.10680), which chooses bits by an integer linear program. Solved by HiGHS.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from nas.quantization.policies.options import Choice, Options
from search_spaces.core.errors import FitnasError, Infeasible

_REPEATS = 10


def allocate(options: Options, losses: NDArray[np.float64]) -> Choice:
    """The choice of least summed `losses` `(groups, widths)`; of choices of equal loss any.

    `Infeasible` where no choice is within the limits, with what can be reached; `FitnasError` where a loss is not
    finite.
    """
    if not np.isfinite(losses).all():
        group = options.groups[int(np.flatnonzero(~np.isfinite(losses).all(axis=1))[0])]
        raise FitnasError(f"the loss of {group[0]} in few bits is not finite; train the network again")
    room = {name: limit - options.base[name] for name, limit in options.limits.items()}
    for _ in range(_REPEATS):
        choice = _solved(options, losses, room)
        if choice is None:
            raise nothing_fits(options)
        over = options.excess(choice)
        if not over:
            return choice
        room = {name: value - over.get(name, 0) for name, value in room.items()}  # beyond by the solver's tolerance
    raise FitnasError("the integer program keeps missing the limits by rounding; give a limit with fewer digits")


def nothing_fits(options: Options) -> Infeasible:
    """Why no choice is within the limits: what one of them can come down to, beside the others where it must be."""
    for name, limit in options.limits.items():
        if options.cheapest(name) > limit:
            return Infeasible(options.explained(name, options.cheapest(name)))
    last = list(options.limits)[-1]
    others = replace(options, limits={name: limit for name, limit in options.limits.items() if name != last})
    reached = others.figures(allocate(others, options.prices[last].astype(np.float64)))[last]
    return Infeasible(options.explained(last, reached, others.limits))


def _solved(options: Options, losses: NDArray[np.float64], room: dict[str, float]) -> Choice | None:
    groups, widths = options.shape
    one_each = np.kron(np.eye(groups), np.ones(widths))
    constraints = [LinearConstraint(one_each, 1, 1)]
    for name, most in room.items():
        prices = options.prices[name].ravel().astype(np.float64)
        scale = max(float(np.abs(prices).max(initial=0)), 1.0)
        constraints.append(LinearConstraint(prices / scale, -np.inf, most / scale))
    spread = losses - losses.min(axis=1, keepdims=True)
    largest = float(spread.max(initial=0)) or 1.0
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
