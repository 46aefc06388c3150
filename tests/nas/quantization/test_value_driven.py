"""Scores of bits: entropies, outliers, lambda, the memory limit."""

import math

import pytest
import torch

from nas.core.per_patch import ENTROPIES, PerPatch
from nas.quantization.affine import activation
from nas.quantization.patches import PatchStage
from nas.quantization.per_patch import BranchMemory, PatchQuantized, Schedule, quantize_per_patch
from nas.quantization.ranges import Range
from nas.quantization.value_driven import (
    Corrected,
    Outliers,
    branch_bitops,
    chosen_bits,
    closest,
    entropy,
    noise_entropy,
)
from search_spaces.core.errors import Infeasible, WrongUse
from tests.nas.quantization.patched import RUNTIME, Example

NONE = math.inf


@pytest.fixture(scope="module")
def example() -> Example:
    return Example(1, grid=2)


def test_entropy_of_known_distributions() -> None:
    assert entropy(torch.arange(16).repeat(3)) == pytest.approx(4)
    assert entropy(torch.full((2, 3, 4, 4), 7)) == 0
    assert entropy(torch.tensor([0, 0, 0, -5])) == pytest.approx(0.811278, abs=1e-6)
    assert entropy(torch.zeros(0, 3, 2, 2)) == 0
    values = torch.randn(200_000, generator=torch.manual_seed(0))
    how = activation(Range(float(values.min()), float(values.max())), 8)
    differential = 0.5 * math.log2(2 * math.pi * math.e)  # of a normal distribution, in cells of width 1
    assert entropy(how.integers(values)) == pytest.approx(differential - math.log2(how.scale), abs=0.01)


def test_entropy_of_noise() -> None:
    values = torch.randn(200_000, generator=torch.manual_seed(0))
    noise = torch.randn(200_000, generator=torch.manual_seed(1))
    assert noise_entropy(values, values) == 0
    assert noise_entropy(values, values + noise) == pytest.approx(0.5, abs=0.01)  # twice the variance
    assert noise_entropy(torch.ones(9), torch.zeros(9)) == 0
    errors = [noise_entropy(values, closest(values, bits).round_(values.clone())) for bits in (2, 4, 8)]
    assert errors == sorted(errors, reverse=True)


def test_rounding_keeps_the_mean_of_each_channel() -> None:
    values = torch.rand(8, 3, 6, 6, generator=torch.manual_seed(0)) ** torch.tensor([1.0, 3.0, 6.0])[:, None, None]
    found = Corrected.of(values, 2)
    means = [kept.mean(dim=(0, 2, 3)) for kept in (values, found.round_(values.clone()))]
    assert torch.allclose(*means, atol=1e-5)
    assert not torch.allclose(means[0], found.affine.round_(values.clone()).mean(dim=(0, 2, 3)), atol=1e-3)


def test_the_closest_range_leaves_out_a_rare_value() -> None:
    values = torch.cat([torch.rand(4000), torch.tensor([3.0])]).reshape(1, 1, 1, -1)
    plain = activation(Range(0.0, 3.0), 2)
    found = closest(values, 2)
    assert found.scale < plain.scale
    errors = [float((how.round_(values.clone()) - values).square().mean()) for how in (found, plain)]
    assert errors[0] < errors[1]


def test_outliers_by_picture() -> None:
    pictures = torch.randn(40, 3, 8, 8, generator=torch.manual_seed(0)).clamp(-2, 2)
    pictures[3, 1, 6, 7] = 30.0
    outliers = Outliers.of([pictures], 4.0)
    assert outliers.found(pictures).nonzero().flatten().tolist() == [3]
    assert not outliers.found(pictures[:, :, :4]).any()
    assert not Outliers.of([pictures], NONE).found(pictures).any()
    constant = torch.ones(2, 3, 4, 4)
    assert not Outliers.of([constant], 2.0).found(constant).any()
    assert Outliers.of([constant], 2.0).found(constant * math.nan).all()


def test_a_larger_lambda_never_takes_fewer_bits() -> None:
    omega = {8: 0.0, 4: 0.3, 3: 0.45, 2: 0.7}
    phi = {bits: (8 - bits) / 6 for bits in omega}
    chosen = [chosen_bits(omega, phi, step / 50) for step in range(51)]
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (2, 8)
    assert chosen_bits({8: 0.0, 4: 0.0}, {8: 0.0, 4: 0.0}, 0.5) == 8  # a tie


@pytest.mark.parametrize("estimator", ENTROPIES)
def test_lambda_decides_between_cost_and_entropy(example: Example, estimator: str) -> None:
    costs = []
    for weight in (0.0, 0.4, 0.9, 1.0):
        settings = PerPatch(weight=weight, outliers=NONE, bits=(8, 4, 2), entropy=estimator)
        found = quantize_per_patch(example.captured, example.table, example.schedule, [example.pictures], settings)
        costs.append(found.stage_bitops())
    assert costs == sorted(costs)
    assert costs[0] == pytest.approx(found.int8_stage_bitops() / 4)
    assert costs[-1] == found.int8_stage_bitops()


def test_bit_operations_of_a_branch(example: Example) -> None:
    stage = example.stage()
    branch = stage.branches[0]
    picture, *_ = stage.maps
    first = stage.macs(branch)[stage.maps[1].node]
    assert branch_bitops(stage, branch, {}) == 64 * sum(stage.macs(branch).values())
    assert branch_bitops(stage, branch, {}) - branch_bitops(stage, branch, {picture.node: 2}) == first * 8 * 6


def test_eight_bits_need_what_was_priced(example: Example) -> None:
    memory = BranchMemory(example.stage(), example.table, example.schedule)
    assert memory.peak_bytes({}) == example.price["peak_sram_bytes"]


def test_the_memory_limit_is_kept(example: Example) -> None:
    memory = _tight(example)
    few = {each.node: 2 for each in memory.stage.maps[:-1]}
    least, eight = memory.peak_bytes(few), memory.peak_bytes({})
    patient = PerPatch(weight=1.0, outliers=NONE, bits=(8, 4, 2))  # of itself it would keep 8 bits everywhere

    def found(settings: PerPatch, limit: int) -> PatchQuantized:
        how = (example.captured, example.table, memory.schedule, [example.pictures], settings, limit)
        return quantize_per_patch(*how)

    for limit in (least, (least + eight) // 2, eight):
        one = found(patient, limit)
        assert one.peak_sram_bytes() <= limit
        assert (one.stage_bitops() < one.int8_stage_bitops()) == (limit < eight)
    with pytest.raises(Infeasible, match="with 2 bits everywhere"):
        found(patient, least - 1)
    with pytest.raises(Infeasible, match="outliers=none"):
        found(PerPatch(outliers=3.0), (least + eight) // 2)


def _tight(example: Example) -> BranchMemory:
    """A schedule whose peak lies in the patches."""
    for split in range(2, 9):
        try:
            stage = PatchStage.of(example.captured, example.table, 2, split)
        except WrongUse:
            continue
        memory = BranchMemory(stage, example.table, Schedule(2, split, RUNTIME))
        if memory.peak_bytes({each.node: 2 for each in stage.maps[:-1]}) < 0.9 * memory.peak_bytes({}):
            return memory
    raise AssertionError("no such schedule")
