"""All that the files of one network are written from."""

from dataclasses import dataclass

from nas.deployment.c_code.passes.cut_patches import Stage
from nas.deployment.c_code.passes.plan_memory import IMAGE, Arena
from nas.deployment.c_code.program import Map, Operator, Program
from nas.deployment.c_code.target import Target
from nas.quantization.affine import Affine
from predictors.hardware.lifetimes import PATCH


@dataclass(frozen=True)
class Model:
    """`program`: as it is executed. `makers`: by tensor, the operator whose name its place in the arena has, and that
    operator's position before any were fused. `given`, `answer`: how the picture's and the logits' integers are meant.
    """

    program: Program
    arena: Arena
    stage: Stage | None
    makers: dict[str, tuple[str, int]]
    target: Target
    given: Affine
    answer: Affine

    @property
    def image_offset(self) -> int | None:
        """Where the picture lies in the arena; None where it lies elsewhere."""
        return self.arena.offsets.get(IMAGE)

    def in_stage(self, each: Operator) -> bool:
        """Whether an operator runs patch by patch."""
        return self.position(each.output) <= self.arena.end

    def ends_stage(self, each: Operator) -> bool:
        """Whether it makes the patch stage's output."""
        return self.position(each.output) == self.arena.end

    def position(self, tensor: Map) -> int:
        """Of the operator that makes it, before any were fused; -1 for the picture."""
        return self.makers[tensor.name][1] if tensor.name in self.makers else -1

    def place(self, tensor: Map) -> str | None:
        """Its address; None for the picture, which the caller has."""
        if tensor == self.program.input:
            return None
        name, position = self.makers[tensor.name]
        prefix = PATCH if position < self.arena.end else ""
        return address(self.arena.offsets[prefix + name])

    def plane(self, each: Operator) -> str | None:
        """The address of the plane with which a depthwise convolution works in place; None where it does not."""
        name = self.makers[each.output.name][0]
        prefix = PATCH if self.position(each.output) < self.arena.end else ""
        offset = self.arena.plane(prefix + name)
        return None if offset is None else address(offset)


def address(offset: int) -> str:
    """In the arena."""
    return f"network_arena + {offset}"
