"""One width for every operator, the widest that fits: what the others are compared with."""

from nas.quantization.policies.task import Choice, Task
from search_spaces.core.errors import Infeasible


def find(task: Task) -> Choice:
    """`Infeasible` where no uniform width is within the limits; a mixed one may be."""
    options = task.options
    for width in reversed(range(len(options.widths))):
        if options.fits(options.uniform(width)):
            return options.uniform(width)
    names = ", ".join(each.name for each in options.widths)
    raise Infeasible(f"no uniform width of {names} is within the budget; take another policy than uniform")


POLICY = find
