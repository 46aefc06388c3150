"""Patches compute what the whole map is."""

from typing import Any

import pytest
import torch

from nas.quantization.patches import PatchStage, Region, behind
from nas.quantization.ranges import watched
from search_spaces.core.errors import WrongUse
from tests.nas.quantization.patched import Example


@pytest.mark.parametrize("seed", range(6))
def test_patched_is_unpatched(seed: int) -> None:
    example = Example(seed)
    stage = example.stage()
    with torch.no_grad():
        whole = example.captured.graph(example.pictures)
        patched = behind(example.captured.graph, stage.output.node)(stage.run(example.pictures))
        assert torch.allclose(patched, example.network(example.pictures), atol=1e-4)
    assert torch.allclose(patched, whole, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_integers_are_equal_bit_for_bit(seed: int) -> None:
    example = Example(seed)
    for operator in example.captured.operators:
        module: Any = example.captured.module(example.captured.node(operator.node))
        module.weight.data.copy_(torch.randint_like(module.weight, -1, 2))
        module.bias.data.copy_(torch.randint_like(module.bias, -3, 4))
    pictures = torch.randint(-3, 4, (4, 3, 32, 32)).double()
    stage = example.stage()
    with torch.no_grad():
        example.captured.graph.double()
        [seen] = watched(example.captured, [stage.output.node], [pictures])
        patched = stage.run(pictures)
    assert patched.std() > 0
    assert torch.equal(patched, seen[stage.output.node])


@pytest.mark.parametrize("seed", range(6))
def test_work_is_what_was_priced(seed: int) -> None:
    example = Example(seed)
    stage = example.stage()
    counted = sum(sum(stage.macs(branch).values()) for branch in stage.branches) + stage.macs_behind
    assert counted == example.price["macs"]
    assert counted > example.price["macs_layerwise"] or example.schedule.split == 1


def test_patches_of_the_output_are_a_partition() -> None:
    stage = Example(0).stage()
    seen = torch.zeros(stage.output.height, stage.output.width)
    for branch in stage.branches:
        (top, bottom), (left, right) = branch.regions[stage.output.node]
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()


def test_a_region_beyond_the_map() -> None:
    region = Region((-2, 5), (3, 9))
    assert region.positions == 42
    assert region.clipped(4, 8) == Region((0, 4), (3, 8))
    assert region.around(Region((0, 6), (0, 4))) == Region((-2, 6), (0, 9))


def test_schedules_that_a_network_does_not_admit() -> None:
    example = Example(0)
    with pytest.raises(WrongUse, match="only after: "):
        PatchStage.of(example.captured, example.table, 2, 99)
    with pytest.raises(WrongUse, match="leave none empty"):
        PatchStage.of(example.captured, example.table, 31, example.schedule.split)
