"""The passes in their order, and the files that come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from nas.deployment.c_code.emit.header import header
from nas.deployment.c_code.emit.model import Model
from nas.deployment.c_code.emit.network import network_source
from nas.deployment.c_code.emit.weights import flash_bytes, weights_header, weights_source
from nas.deployment.c_code.passes.cut_patches import cut_patches
from nas.deployment.c_code.passes.fuse_additions import fuse_additions
from nas.deployment.c_code.passes.fuse_lookups import fuse_lookups
from nas.deployment.c_code.passes.lower import lower
from nas.deployment.c_code.passes.name_operators import name_operators
from nas.deployment.c_code.passes.plan_memory import plan_memory
from nas.deployment.c_code.target import KERNELS, Target
from nas.quantization.integer import IntegerNetwork
from search_spaces.core.layer_table import LayerTable

_PARTS = "parts.h"


@dataclass(frozen=True)
class Generated:
    """`files`: text by name, all that firmware needs. `model`: what they were written from."""

    model: Model
    title: str

    @property
    def constant_bytes(self) -> int:
        """Of weights, biases, factors and tables in flash."""
        return flash_bytes(self.model)

    @cached_property
    def files(self) -> Mapping[str, str]:
        """network.c, network.h, weights.c, weights.h, kernels.h."""
        kernels = [*self.model.target.kernels, _PARTS]
        return {
            "network.h": header(self.model, self.title),
            "network.c": network_source(self.model),
            "weights.h": weights_header(self.model),
            "weights.c": weights_source(self.model),
            "kernels.h": "\n".join((KERNELS / name).read_text(encoding="utf-8") for name in kernels),
        }


def generate(
    network: IntegerNetwork,
    size: tuple[int, int, int],
    table: LayerTable,
    target: Target,
    schedule: tuple[int, int] = (1, 0),
    count_input: bool = False,
    title: str = "A network in C.",
) -> Generated:
    """A network with int8 logits for pictures of `size` (C, H, W); `table`: its operators, of height one.

    `schedule`: patches along a side, and after how many blocks they end; (1, 0) layer by layer. `count_input`: the
    picture has a place in the arena. `WrongUse` for operators that C lacks and schedules that the network does not
    admit.
    """
    layers = table.layers(0)
    named = name_operators(fuse_lookups(lower(network, size)), layers)
    arena = plan_memory(named, table, *schedule, count_input)
    stage = cut_patches(named, arena, layers)
    program = fuse_additions(named, arena)
    makers = {each.output.name: (each.name, i) for i, each in enumerate(named.operators)}
    ends = network.kept[program.input.name], network.kept[network.output]
    return Generated(Model(program, arena, stage, makers, target, *ends), title)
