"""Which operators of an integer network have no integer form, so that an exporter can refuse them by name."""

from collections.abc import Mapping, Sequence

from nas.quantization.integer import IntegerNetwork
from nas.quantization.operators import Dequantize, GraphOperator, Quantize
from search_spaces.core.errors import WrongUse
from search_spaces.core.policy import Width

_FLOATS = ".real"
_SHOWN = 5


def float_operators(network: IntegerNetwork) -> list[str]:
    """The operators that compute floats, as `name (what it does)` in execution order; empty where all is integers.

    What only rounds the input, or gives back the logits as floats, is none.
    """
    found = []
    for each in network.operators:
        rounds = isinstance(each, Quantize | Dequantize)
        if each.output.endswith(_FLOATS) and not rounds and each.output != network.output:
            found.append(f"{each.output.removesuffix(_FLOATS)} ({_what(each)})")
    return found


def check_integers(
    network: IntegerNetwork, widths: Mapping[str, Width], executed: Sequence[str], runtime: str, instead: str
) -> None:
    """`WrongUse` where an operator has no integer form, or a width (by operator) that the runtime lacks.

    `executed`: the names of the widths that it has. `instead`: the format that takes such a network, as a command's
    words.
    """
    lacking = [f"{name} ({width.name})" for name, width in widths.items() if width.name not in executed]
    if lacking:
        raise WrongUse(
            f"{runtime} executes {', '.join(executed)} alone, and this network's policy has {listed(lacking)}; give "
            f"it such a policy with nas quantize, or {instead}"
        )
    floats = float_operators(network)
    if floats:
        raise WrongUse(
            f"{runtime} is to execute integers alone, and these operators have no integer form: {listed(floats)}; "
            f"{instead}, or search a space without them"
        )


def _what(each: object) -> str:
    if not isinstance(each, GraphOperator):
        return type(each).__name__
    target = each.target
    return target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
