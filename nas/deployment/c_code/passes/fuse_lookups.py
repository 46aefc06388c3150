"""Functions of one element move into the operator that makes their input, whose output they change in place."""

from dataclasses import replace

from nas.deployment.c_code.program import Lookup, Operator, Program
from search_spaces.core.errors import WrongUse


def fuse_lookups(program: Program) -> Program:
    """The same without `Lookup`s; `WrongUse` where somebody else reads the input of one, or it is the picture."""
    made: list[Operator] = []
    for i, each in enumerate(program.operators):
        if not isinstance(each, Lookup):
            made.append(each)
            continue
        [source] = each.inputs
        before = next((j for j, other in enumerate(made) if other.output == source), None)
        if before is None or program.readers(source.name) != [i]:
            raise WrongUse(
                f"C changes tensors in place by a table, and the input of {each.name} is read by others too; export "
                "the network --to onnx --int8"
            )
        made[before] = replace(made[before], output=each.output, lookups=(*made[before].lookups, each.table))
    return program.replaced(made)
