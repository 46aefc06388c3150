"""A convolution and the addition right behind it become one operator where the memory plan has no room for both."""

from dataclasses import replace

from nas.deployment.c_code.passes.plan_memory import Arena, accumulating
from nas.deployment.c_code.program import Add, Convolution, Operator, Program
from search_spaces.core.errors import FitnasError


def fuse_additions(program: Program, arena: Arena) -> Program:
    """The same, where the fused operator has the addition's name; it reads the residual as its second input."""
    onto = set(accumulating(program, arena))
    made: list[Operator] = []
    for i, each in enumerate(program.operators):
        if i - 1 in onto:
            continue
        if i in onto:
            add = program.operators[i + 1]
            if not isinstance(each, Convolution) or not isinstance(add, Add) or each.lookups:
                raise FitnasError(f"{each.name} cannot add {add.inputs[1].name} to what it makes")
            inputs = (each.inputs[0], add.inputs[1])
            each = replace(
                each, name=add.name, inputs=inputs, output=add.output, addition=add.addition, lookups=add.lookups
            )
        made.append(each)
    return program.replaced(made)
