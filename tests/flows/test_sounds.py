"""The commands of the README on sounds: WAV files in class folders, and spectrograms that somebody else computed."""

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from nas.api import load as load_run
from nas.training.data import Reading, load

TINY = ("--space", "mcunetv2", "--budget", "sram=32k", "--trials", "6", "--supernet-epochs", "1", "--backend", "inline")

# knows the folder, NumPy and Python's own library alone
CLEAN = """
import sys, wave
sys.path.insert(0, sys.argv[1])
import numpy as np
import preprocessing
with wave.open(sys.argv[2]) as sound:
    assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (preprocessing.RECIPE.rate, 1, 2)
    samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
at = preprocessing.fit(preprocessing.spectrogram(samples, preprocessing.RECIPE), preprocessing.TRAINED_AT)
seen, given = preprocessing.network_bytes(samples), preprocessing.network_input(samples)
np.savez(sys.argv[3], trained_on=at, seen=seen, input=given)
foreign = {"nas", "predictors", "search_spaces", "scipy", "torch", "PIL"}
assert not foreign & {name.split(".")[0] for name in sys.modules}
"""


@pytest.fixture
def searched(search_once):
    result = search_once(*TINY, "--run", "words", data="words")
    assert "30 sounds of 1 s at 16,000 Hz, log-mel 49 frames x 40 bands, in 2 classes" in result.err
    assert "training pictures vary: shifts in time up to 10 %; a mask" in result.err
    return Path("words").absolute()


def clean(folder: Path, sound: Path, out: Path) -> dict[str, np.ndarray]:
    command = [sys.executable, "-I", "-c", CLEAN, str(folder.resolve()), str(sound), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(np.load(out))


def test_from_wav_files_to_an_export_with_its_recipe(nas, searched, tmp_path):
    trained = nas("train", "words", "--pick", "best", "--epochs", "1", "--json").document
    assert sum(map(sum, trained["confusion"])) == 6
    assert nas("export", "words", "--pick", "best", "--out", "out").code == 0
    out = Path("out")
    steps, manifest = (json.loads((out / f"{name}.json").read_text()) for name in ("preprocessing", "manifest"))
    assert steps["recipe"] == manifest["data"]["recipe"]
    assert (steps["recipe"]["rate"], steps["recipe"]["length"], steps["code"]) == (16_000, 16_000, "preprocessing.py")
    assert manifest["data"]["content"] == "sounds"
    assert "`preprocessing.py` needs NumPy alone" in (out / "README.md").read_text()

    sound = searched / "up" / "0.wav"
    found = nas("predict", "words", str(sound), "--json").document[0]
    again = nas("predict", "out", str(sound), "--json").document[0]
    assert found["class"] in ("up", "down")
    assert again["probabilities"] == pytest.approx(found["probabilities"], abs=1e-5)

    refused = nas("predict", "out", "out/README.md")
    assert refused.code == 2
    assert "broken, cut short or not a WAV; give a WAV file" in refused.err


@pytest.mark.usefixtures("unchecked_exports")
def test_the_exported_recipe_gives_the_bytes_that_were_trained_on(nas, searched, tmp_path):
    run = load_run("runs/words")
    pictures = load(run.described_data(), run.picture_size, run.config.seed, cache=run.cache, include_test=True)
    every = {image.tobytes() for part in (pictures.train, pictures.validation, pictures.test) for image in part.images}
    smallest = min(run.trials, key=lambda trial: run.parts.space.input_size(trial.architecture))
    for number, trial in enumerate((run.best(), smallest)):
        channels, *size = run.parts.space.input_size(trial.architecture)
        assert nas("export", "words", "--pick", trial.architecture.id, "--out", f"out{number}").code == 0
        data = {**run.data_document(), "trained_at": run.picture_size}
        reading = Reading.from_document(data, channels, (size[0], size[1]))
        sound = searched / "down" / "3.wav"
        theirs = clean(Path(f"out{number}"), sound, tmp_path / f"{number}.npz")
        assert theirs["trained_on"].tobytes() in every
        assert np.array_equal(theirs["seen"], reading.inputs(sound)[0][1])
        mean, std = data["mean"][0], data["std"][0]
        assert theirs["input"] == pytest.approx((theirs["seen"][None] / 255 - mean) / std, abs=1e-5)
    import torch

    from nas.training.data import resize

    trained_on = torch.from_numpy(theirs["trained_on"][None])
    assert np.array_equal(resize(trained_on, (size[0], size[1]))[0].numpy(), theirs["seen"])


def test_spectrograms_of_an_npz(nas, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 90, (40, 49, 40, 1), dtype=np.uint8)
    images[20:, :, :20] += 100
    np.savez(tmp_path / "words.npz", x=images, y=np.arange(40) // 20, kind=np.array("spectrograms"))
    result = nas("search", *TINY, "--data", "words.npz", "--run", "rows")
    assert result.code == 0, result.err
    assert "40 spectrograms of 49 frames x 40 bands in 2 classes" in result.err
    trained = nas("train", "rows", "--pick", "best", "--epochs", "1", "--quiet", "--json")
    assert trained.code == 0, trained.err
    assert nas("export", "rows", "--pick", "best", "--out", "out").code == 0
    assert not Path("out/preprocessing.py").exists()
    assert json.loads(Path("out/manifest.json").read_text())["data"]["recipe"].startswith("the user's own")
    found = nas("predict", "rows", "words.npz:x:3", "words.npz:x:30", "--json").document
    again = nas("predict", "out", "words.npz:x", "--json").document
    assert [one["picture"] for one in found] == ["words.npz:x[3]", "words.npz:x[30]"]
    assert len(again) == 40
    assert again[30]["probabilities"] == pytest.approx(found[1]["probabilities"], abs=1e-5)
    refused = nas("predict", "rows", "x.wav")
    assert refused.code == 2
    assert "give rows of an .npz" in refused.err


def test_mixed_folders_are_refused(nas, pictures):
    with wave.open(str(pictures / "disc" / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(100))
    result = nas("search", *TINY, "--data", str(pictures))
    assert result.code == 2
    assert "mixes 48 pictures" in result.err
