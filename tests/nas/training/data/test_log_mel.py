import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nas.training.data.log_mel import LogMel, centred, fit, mel, mel_weights, power_spectra, resize, spectrogram
from tests.nas.training.data.sound_files import tone

RECIPE = LogMel(rate=16_000, length=16_000)
SLOW = LogMel(rate=8_000, length=8_000)


def test_one_second_is_49_frames_of_40_bands() -> None:
    assert (RECIPE.frame, RECIPE.hop, RECIPE.fft_size, RECIPE.frames) == (640, 320, 1024, 49)
    assert (SLOW.frame, SLOW.hop, SLOW.fft_size, SLOW.frames) == (320, 160, 512, 49)
    assert spectrogram(tone(440), RECIPE).shape == (1, 49, 40)


def reference_weights(rate: int, fft_size: int, bands: int, lowest: float) -> NDArray[np.float64]:
    """The filterbank by another formula: mel = 1127 ln(1 + f / 700), as Kaldi and TensorFlow write it (2595 / ln 10 is
    1126.99), each triangle by linear interpolation between its three corners.
    """

    def to_mel(hz: float) -> float:
        return 1127.0 * float(np.log(1.0 + hz / 700.0))

    corners = np.linspace(to_mel(lowest), to_mel(rate / 2), bands + 2)
    bins = [to_mel(k * rate / fft_size) for k in range(fft_size // 2 + 1)]
    return np.stack([np.interp(bins, corners[b : b + 3], [0, 1, 0]) for b in range(bands)], axis=1)


@pytest.mark.parametrize("recipe", [RECIPE, SLOW])
def test_the_filterbank_is_that_of_an_independent_formula(recipe: LogMel) -> None:
    expected = reference_weights(recipe.rate, recipe.fft_size, 40, 20.0)
    assert np.abs(mel_weights(recipe) - expected).max() < 1e-3
    assert (mel_weights(recipe) > 0).sum(axis=0).min() >= 3  # no band is empty


def test_centre_frequencies() -> None:
    # 42 corners from 31.748 mel (20 Hz) to 2840.023 mel (8 kHz), 68.4945 mel apart: the centres are
    # 700 (10^(mel / 2595) - 1) Hz, worked out for the first, eleventh, 26th and last
    for band, hz in {0: 65.116, 10: 704.997, 25: 2_796.208, 39: 7_486.994}.items():
        weights = mel_weights(RECIPE)[:, band]
        assert abs(weights.argmax() * 16_000 / 1_024 - hz) <= 16_000 / 1_024  # one bin
        assert spectrogram(tone(hz), RECIPE)[0].mean(axis=0).argmax() == band


def test_the_mel_scale() -> None:
    # the HTK Book's formula: 1,000 Hz are 1,000 mel to within 0.02
    found = mel(np.array([0.0, 700.0, 1_000.0, 8_000.0]))
    assert found == pytest.approx([0.0, 2595 * np.log10(2), 999.9856, 2840.0230], abs=1e-4)


def test_parseval() -> None:
    samples = np.random.default_rng(0).normal(size=RECIPE.frame)
    power = power_spectra(samples, RECIPE)[0]
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(RECIPE.frame) / RECIPE.frame))
    energy = float((((samples - samples.mean()) * window) ** 2).sum())
    both_sides = power[0] + 2 * power[1:-1].sum() + power[-1]
    assert both_sides == pytest.approx(RECIPE.fft_size * energy * (2 / window.sum()) ** 2, rel=1e-12)


def test_a_sine_of_full_scale_has_power_one() -> None:
    power = power_spectra(tone(1_000, level=1.0), RECIPE)
    assert power.max() == pytest.approx(1.0, rel=1e-6)


def test_decibels_become_bytes_by_constants() -> None:
    loud, quiet = (spectrogram(tone(1_000, level=level), RECIPE)[0, 20].max() for level in (0.5, 0.05))
    assert int(loud) - int(quiet) == pytest.approx(20 * 2.55, abs=1)  # 20 dB of 100 dB


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_silence_is_zero_whatever_its_offset(offset: float) -> None:
    assert not spectrogram(np.full(16_000, offset), RECIPE).any()
    assert not spectrogram(np.zeros(0), RECIPE).any()


def test_a_shift_by_two_hops_shifts_the_frames() -> None:
    noise = np.random.default_rng(1).normal(size=20_000) * 0.1
    first = spectrogram(noise[:16_000], RECIPE)[0]
    later = spectrogram(noise[640:16_640], RECIPE)[0]
    assert np.array_equal(first[2:], later[:-2])


def test_a_rising_tone_climbs_the_bands() -> None:
    at = np.arange(16_000) / 16_000
    loudest = spectrogram(0.5 * np.sin(2 * np.pi * (200 * at + 1_900 * at**2)), RECIPE)[0].argmax(axis=1)
    assert (np.diff(loudest.astype(int)) >= 0).all()
    assert loudest[-1] > loudest[0] + 15


def test_the_middle_and_the_padding() -> None:
    assert centred(np.arange(7.0), 4).tolist() == [1, 2, 3, 4]
    assert centred(np.ones(3), 6).tolist() == [0, 1, 1, 1, 0, 0]
    assert centred(np.ones(3), 3).tolist() == [1, 1, 1]


def test_16_bit_samples_are_their_fractions() -> None:
    whole = np.rint(tone(500) * 32_767).astype(np.int16)
    assert np.array_equal(spectrogram(whole, RECIPE), spectrogram(whole / 32_768, RECIPE))


@pytest.mark.parametrize("given", [(48, 40), (49, 40), (17, 64), (120, 8)])
@pytest.mark.parametrize("wanted", [(40, 32), (32, 24), (24, 16), (16, 16), (48, 40), (96, 80)])
def test_resizing_gives_the_bytes_of_torch(given: tuple[int, int], wanted: tuple[int, int]) -> None:
    images = np.random.default_rng(2).integers(0, 256, (3, 1, *given), dtype=np.uint8)
    theirs = functional.interpolate(torch.from_numpy(images), wanted, mode="bilinear", antialias=True).numpy()
    assert np.array_equal(np.stack([resize(image, wanted) for image in images]), theirs)


def test_few_surplus_rows_are_cut_and_nothing_else_is() -> None:
    image = np.random.default_rng(3).integers(0, 256, (1, 49, 40), dtype=np.uint8)
    assert np.array_equal(fit(image, (48, 40)), image[:, :48])
    assert np.array_equal(fit(image, (44, 40)), image[:, 2:46])
    assert np.array_equal(fit(image, (24, 40)), resize(image, (24, 40)))
    assert np.array_equal(fit(image, (56, 40)), resize(image, (56, 40)))


def test_the_recipe_needs_numpy_alone(tmp_path: Path) -> None:
    source = Path(sys.modules[LogMel.__module__].__file__ or "").read_text()
    (tmp_path / "recipe.py").write_text(source)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import recipe, numpy as np\n"
        "recipe.spectrogram(np.zeros(9), recipe.LogMel(8000, 8000))\n"
        "assert not {'nas', 'torch', 'scipy', 'pandas'} & {name.split('.')[0] for name in sys.modules}"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
