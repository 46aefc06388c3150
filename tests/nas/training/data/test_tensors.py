import numpy as np
import pytest
import torch
from PIL import Image

from nas.training.data import resize, to_float
from nas.training.data.pictures import fit


def test_resizing_is_what_pillow_does_to_files() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for size in ((20, 30), (10, 15), (80, 120)):
        by_torch = resize(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], size)
        assert by_torch.dtype == torch.uint8
        assert np.abs(by_torch[0].numpy().astype(int) - fit(Image.fromarray(pixels), size)).max() <= 1


def test_the_same_size_costs_nothing() -> None:
    images = torch.zeros((2, 3, 8, 9), dtype=torch.uint8)
    assert resize(images, (8, 9)) is images


def test_an_empty_batch() -> None:
    assert resize(torch.zeros((0, 3, 8, 9), dtype=torch.uint8), (4, 5)).shape == (0, 3, 4, 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_accelerator_differs_by_one_at_most() -> None:
    images = torch.randint(0, 256, (4, 3, 40, 60), dtype=torch.uint8)
    there = resize(images.cuda(), (20, 30)).cpu()
    assert int((there.int() - resize(images, (20, 30)).int()).abs().max()) <= 1


def test_normalised_values() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    floats = to_float(images, mean=(0.5, 0.2, 0.0), std=(0.5, 0.1, 2.0))
    assert floats.dtype == torch.float32
    assert floats.flatten().tolist() == pytest.approx([-1.0, 0.0, 0.5], abs=1e-6)


def test_the_normalised_training_set_has_mean_zero_and_std_one() -> None:
    from nas.training.data import describe, load

    pictures = load(describe("digits"), (8, 8))
    floats = to_float(torch.from_numpy(pictures.train.images), pictures.mean, pictures.std)
    assert float(floats.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(floats.std()) == pytest.approx(1.0, abs=1e-4)
