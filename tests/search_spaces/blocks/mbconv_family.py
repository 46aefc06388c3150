"""A family of MBConv networks with everything that can be elastic, whose members are numbered."""

from typing import Any

import numpy as np

from search_spaces.blocks.joined_mbconv import JoinedMbconv
from search_spaces.core.architecture import Architecture

Member = tuple[dict[str, Any], list[int]]
STAGES = 3
DEPTH = 3


def family(
    widths: list[int], expands: list[int], kernels: list[int], depths: list[int], mix: int = 0, stem: int = 8
) -> Member:
    """A member with `expands` and `kernels` per position of STAGES x DEPTH blocks; expansion 0 is `mid == 0`."""
    blocks, positions, channels = [], [], stem
    for stage in range(STAGES):
        for place in range(depths[stage]):
            position = stage * DEPTH + place
            stride = 2 if place == 0 else 1
            kernel = kernels[position] if stride == 1 else max(kernels[position], 3)
            spec = {"in": channels, "mid": channels * expands[position], "out": widths[stage], "kernel": kernel}
            residual = stride == 1 and channels == widths[stage]
            blocks.append({**spec, "stride": stride, "residual": residual, "squeeze": 0})
            positions.append(position)
            channels = widths[stage]
    stem_spec = {"out": stem, "kernel": 3, "stride": 1}
    return {"input_size": [3, 24, 24], "stem": stem_spec, "blocks": blocks, "mix": mix, "classes": 7}, positions


class Family:
    """Numbers its members, so that an architecture can name one."""

    def __init__(self, largest_arguments: dict[str, Any]) -> None:
        self.members: list[Member] = []
        self.elastic = JoinedMbconv(largest_arguments, self.locate)

    def add(self, *member: Any) -> Architecture:
        self.members.append(member)
        return Architecture("test", {}, {"member": len(self.members) - 1})

    def locate(self, architecture: Architecture) -> Member:
        return self.members[int(architecture.options["member"])]


def largest(mix: int = 0) -> dict[str, Any]:
    every = STAGES * DEPTH
    return family([8, 12, 16], [4] * every, [7] * every, [DEPTH] * STAGES, mix)[0]


def random_member(rng: np.random.Generator, mix: int = 0) -> Member:
    every = STAGES * DEPTH
    return family(
        [int(rng.choice(options)) for options in ([4, 8], [6, 12], [8, 16])],
        [int(value) for value in rng.choice([0, 1, 2, 3, 4], every)],
        [int(value) for value in rng.choice([1, 3, 5, 7], every)],
        [int(value) for value in rng.integers(1, DEPTH + 1, STAGES)],
        mix and int(rng.choice([mix // 2, mix])),
        stem=int(rng.choice([4, 8])),
    )
