"""From the widest, step by step, the group that loses least for what it saves.

Source: the shape of MPTQ-ViT's greedy mixed precision (arXiv 2401.14895), whose exact score is not public. Losses are
measured; of a step only the few most promising are measured again, the others keep what they lost at last.
"""

import numpy as np
from numpy.typing import NDArray

from nas.quantization.policies.integer_program import allocate
from nas.quantization.policies.options import Options
from nas.quantization.policies.task import Choice, Task

RESCORED = 4
"""Steps that are measured again before one of them is taken."""


def find(task: Task) -> Choice:
    """`Infeasible` where nothing is within the limits.

    No step raises a limited figure, so the walk ends. Where it ends above a limit (a width that saves one figure may
    cost another), the integer program takes over, on the losses that were measured.
    """
    options = task.options
    losses = task.one_at_a_time()
    now = options.widest
    while not options.fits(now):
        saved = savings(options, now)
        here = np.arange(len(now))
        rise = losses - losses[here, now][:, None]
        steps = [(int(group), int(width)) for group, width in np.argwhere(saved > 0)]
        if not steps:
            break
        first = sorted(steps, key=lambda step: rise[step] / saved[step])[:RESCORED]
        for group, width in first:
            rise[group, width] = task.loss(_after(now, group, width)) - task.loss(now)
            losses[group, width] = losses[group, now[group]] + rise[group, width]
        best = min(first, key=lambda step: rise[step] / saved[step])
        now = _after(now, *best)
        task.progress(task.spent.evaluations, 0)
    return given_back(options, losses, now) if options.fits(now) else allocate(options, losses)


def given_back(options: Options, losses: NDArray[np.float64], now: Choice) -> Choice:
    """What room the last steps left goes to the groups that regain most, on the losses that were measured."""
    while True:
        regained = losses[np.arange(len(now)), now][:, None] - losses
        steps = [(int(group), int(width)) for group, width in np.argwhere(regained > 0)]
        within = [step for step in steps if options.fits(_after(now, *step))]
        if not within:
            return now
        now = _after(now, *max(within, key=lambda step: regained[step]))


def savings(options: Options, now: Choice) -> NDArray[np.float64]:
    """What a step to a width saves `(groups, widths)`: the sum over broken limits of the share of the excess.

    What is saved beyond a limit counts nothing. 0 where a limited figure rises.
    """
    saved, here = np.zeros(options.shape), np.arange(len(now))
    for name, excess in options.excess(now).items():
        less = options.prices[name][here, now][:, None] - options.prices[name]
        saved += np.minimum(less / excess, 1.0)
    for name in options.limits:
        saved[options.prices[name] > options.prices[name][here, now][:, None]] = 0.0
    return saved


def _after(now: Choice, group: int, width: int) -> Choice:
    later = now.copy()
    later[group] = width
    return later


POLICY = find
