"""Networks whose patches have bits of their own."""

import math

import numpy as np
import pytest
import torch

from nas.core.per_patch import PerPatch
from nas.quantization.per_patch import quantize_per_patch
from tests.nas.quantization.patched import Example

FEW = PerPatch(weight=0.0, outliers=4.0, bits=(8, 2))


@pytest.fixture(scope="module")
def example() -> Example:
    return Example(1, grid=2)


def quantized(example: Example, settings: PerPatch):
    return quantize_per_patch(example.captured, example.table, example.schedule, [example.pictures], settings)


def _sees_the_corner(found) -> list[bool]:
    picture = found.stage.maps[0].node
    return [max(start for start, _ in branch.regions[picture]) <= 0 for branch in found.stage.branches]


@pytest.mark.parametrize("settings", [PerPatch(outliers=1e-3), PerPatch(weight=1.0, outliers=math.inf)])
def test_eight_bits_everywhere_is_int8(example: Example, settings: PerPatch) -> None:
    found = quantized(example, settings)
    logits, in_eight = found.run(example.pictures)
    with torch.no_grad():
        assert torch.equal(logits, found.eight.simulated()(example.pictures))
    assert bool(in_eight.all()) == (settings.outliers < 1)
    assert found.bitops(in_eight.double().mean(dim=0).numpy()) == found.int8_bitops() == 64 * example.price["macs"]


def test_a_patch_with_an_outlier_keeps_eight_bits_in_that_picture_alone(example: Example) -> None:
    found = quantized(example, FEW)
    pictures = example.pictures[:2].clone()
    pictures[1, 0, 0, 0] = 40.0  # in the halos of others it would be seen by them too
    logits, in_eight = found.run(pictures)
    assert _sees_the_corner(found) == [True, False, False, False]
    assert in_eight.tolist() == [[False] * 4, [True, False, False, False]]
    stage, branch = found.stage, found.stage.branches[0]
    kept = {}

    def keep(each, values):
        rounded = found.eight.kept[each.node].round_(values.clone())
        kept[each.node] = rounded
        return rounded

    with torch.no_grad():
        own = stage.compute(stage.tile(pictures[1:], branch), branch, keep, found._weights)
        tiles = [found._patch(pictures, one, few)[0] for one, few in zip(stage.branches, found.searched, strict=True)]
        assert torch.equal(tiles[0][1:], own)
        assert torch.equal(logits, found._rest(stage.joined(tiles)))
    few = found.searched[0]
    assert few is not None
    assert set(few.bits.values()) <= {2, 8}
    assert len(few.how[stage.maps[0].node].integers(pictures[:1]).unique()) <= 4
    assert len(kept[stage.maps[0].node].unique()) > 4


def test_positions_are_decided_once(example: Example) -> None:
    pictures = example.pictures.clone()
    pictures[: len(pictures) // 2 + 1, 0, 0, 0] = 40.0
    settings = PerPatch(weight=0.0, outliers=4.0, bits=(8, 2), by="position")
    found = quantize_per_patch(example.captured, example.table, example.schedule, [pictures], settings)
    assert [branch is None for branch in found.searched] == [True] + [False] * (len(found.searched) - 1)
    _, in_eight = found.run(example.pictures)  # whatever these hold
    assert in_eight[:, 0].all()
    assert not in_eight[:, 1:].any()
    shares = in_eight.double().mean(dim=0).numpy()
    assert found.bitops(shares) == found.bitops(np.zeros_like(shares))


def test_the_share_of_outliers_weighs_the_bit_operations(example: Example) -> None:
    found = quantized(example, FEW)
    none, half, every = (found.bitops(np.full(len(found.searched), share)) for share in (0.0, 0.5, 1.0))
    assert none < half < every == found.int8_bitops()
    assert half == pytest.approx((none + every) / 2)


def test_the_document_names_operators_of_the_table(example: Example) -> None:
    document = quantized(example, FEW).to_document()
    assert document["policy"] == "per-patch"
    assert len(document["branches"]) == document["patches"] ** 2
    names = set(document["branches"][0]["bits"])
    assert "image" in names
    assert names - {"image"} <= set(example.table.slot_names)
