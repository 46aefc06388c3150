"""Batch-norm statistics: averages by hand, independence of the past, agreement of supernet and extracted network."""

import numpy as np
import pytest
import torch
from torch import nn

from nas.training.recalibrate import calibration_sample, even_parts, recalibrate
from search_spaces.mcunetv2.space import Mcunetv2


def test_statistics_are_averages_weighted_by_pictures() -> None:
    norm = nn.BatchNorm2d(1)
    norm.running_mean.fill_(99.0)  # type: ignore[union-attr]
    small, large = torch.tensor([1.0, 3.0]), torch.tensor([10.0, 10.0, 10.0, 10.0, 16.0, 16.0])
    recalibrate(norm, [batch.reshape(-1, 1, 1, 1) for batch in (small, large)])
    assert norm.running_mean.tolist() == pytest.approx([(2 * 2.0 + 6 * 12.0) / 8])  # type: ignore[union-attr]
    assert norm.running_var.tolist() == pytest.approx([(2 * 2.0 + 6 * 9.6) / 8])  # type: ignore[union-attr]


def test_the_layers_are_left_as_they_were_but_for_the_statistics() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, momentum=0.3), nn.Dropout(0.9)).train()
    weights = [value.clone() for value in network.parameters()]
    recalibrate(network, [torch.randn(8, 1, 5, 5)])
    assert not any(module.training for module in network.modules())
    assert network[1].momentum == 0.3
    assert network[1].track_running_stats
    assert all(torch.equal(old, new) for old, new in zip(weights, network.parameters(), strict=True))


def test_dropout_stays_off() -> None:
    network = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(1))
    recalibrate(network, [torch.ones(8, 1, 2, 2)])
    assert network[1].running_mean.tolist() == pytest.approx([1.0])


def test_without_batches_the_statistics_are_fresh() -> None:
    norm = nn.BatchNorm2d(2)
    norm.running_var.fill_(5.0)  # type: ignore[union-attr]
    recalibrate(norm, [])
    assert norm.running_mean.tolist() == [0.0, 0.0]  # type: ignore[union-attr]
    assert norm.running_var.tolist() == [1.0, 1.0]  # type: ignore[union-attr]


def test_supernet_and_extracted_network_agree_after_recalibration(space: Mcunetv2) -> None:
    torch.manual_seed(0)
    supernet = space.supernet()
    rng = np.random.default_rng(0)
    for architecture in (*space.extremes(), *space.sample(rng, 6)):
        batches = [torch.randn(count, *space.input_size(architecture)) for count in (16, 9)]
        supernet.activate(architecture)
        plain = supernet.extract(architecture)
        recalibrate(supernet, batches)
        recalibrate(plain, batches)
        with torch.no_grad():
            assert torch.allclose(supernet(batches[0]), plain(batches[0]), atol=1e-5)
            assert plain(batches[0]).std() > 1e-3
    assert not supernet.stem.norm.track_running_stats


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (64, [64]), (65, [32, 33]), (192, [64, 64, 64])])
def test_even_parts(count: int, sizes: list[int]) -> None:
    parts = even_parts(count, 64)
    assert [part.stop - part.start for part in parts] == sizes
    assert [index for part in parts for index in range(count)[part]] == list(range(count))


def test_the_calibration_sample_is_fixed_by_the_seed_and_shuffled() -> None:
    images = np.arange(1000, dtype=np.uint16).reshape(-1, 1, 1, 1).astype(np.uint8)
    numbered = np.arange(1000).reshape(-1, 1, 1, 1)
    assert np.array_equal(calibration_sample(images, 3), calibration_sample(images, 3))
    drawn = calibration_sample(numbered, 3).ravel()  # type: ignore[arg-type]
    assert len(set(drawn.tolist())) == 256
    assert 400 < drawn.mean() < 600
    assert not np.array_equal(drawn, calibration_sample(numbered, 4).ravel())  # type: ignore[arg-type]
    assert len(calibration_sample(images[:10], 0)) == 10
