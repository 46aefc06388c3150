import contextlib
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from nas.training.data import describe, load
from nas.training.data.decoding import decode_files
from nas.training.data.layout import BACKGROUND
from nas.training.data.log_mel import LogMel, spectrogram
from nas.training.data.pictures import EMPTY, MAX_BYTES, TOO_MANY_BYTES, UnreadablePictureError
from nas.training.data.sounds import (
    BROKEN_SOUND,
    FOREIGN_ENCODING,
    NO_SAMPLES,
    NOT_FINITE_SOUND,
    SoundHeader,
    decode_sound,
    read_sound_header,
    recipe_for,
    samples_of,
)
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from tests.nas.training.data.sound_files import stored, tone, write, write_words

RECIPE = LogMel(16_000, 16_000)
KINDS = ["uint8", "int16", "int24", "int32", "float32", "float64"]
WHOLE = stored(tone(500))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_number_is_the_same_sound(kind: str) -> None:
    samples = samples_of(stored(tone(1_000), kind=kind), RECIPE)
    assert np.abs(samples - tone(1_000)).max() < (0.02 if kind == "uint8" else 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_become_their_mean(kind: str) -> None:
    both = np.stack([tone(1_000), 0.5 * tone(3_000)], axis=1)
    content = stored(both, kind=kind)
    assert read_sound_header(content) == SoundHeader(16_000, 16_000)
    assert np.abs(samples_of(content, RECIPE) - both.mean(axis=1)).max() < (0.02 if kind == "uint8" else 1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 12_345])
def test_other_rates_are_resampled(rate: int) -> None:
    content = stored(tone(1_000, rate), rate)
    resampled = samples_of(content, RECIPE)
    assert len(resampled) == pytest.approx(16_000, abs=1)
    middle = slice(2_000, 14_000)
    assert np.abs(resampled[middle] - tone(1_000)[middle]).max() < 0.01


def test_what_is_above_half_the_rate_does_not_fold_back() -> None:
    assert np.abs(samples_of(stored(tone(7_000, 48_000), 48_000), LogMel(8_000, 8_000))[500:-500]).max() < 0.005


def test_of_a_long_file_the_middle_counts() -> None:
    long = np.concatenate([tone(300, seconds=5), tone(2_000), tone(300, seconds=5)])
    short, middle = (decode_sound(lambda s=s: io.BytesIO(stored(s)), RECIPE, (49, 40)) for s in (tone(2_000), long))
    assert np.abs(short[0, 2:-2].astype(int) - middle[0, 2:-2]).max() <= 1


def test_rate_and_length_follow_from_the_data() -> None:
    def chosen(*files: tuple[int, int]) -> tuple[int, int]:
        recipe = recipe_for([SoundHeader(*file) for file in files])
        return recipe.rate, recipe.length

    assert chosen((4_000, 8_000)) == (8_000, 8_000)
    assert chosen((4_000, 8_000), (9_000, 44_100)) == (8_000, 8_000)
    assert chosen((4_000, 8_000), (9_000, 44_100), (9_000, 16_000)) == (16_000, 16_000)
    assert chosen(*[(24_000, 16_000)] * 19, (160_000, 16_000)) == (16_000, 24_000)  # one in twenty is longer
    assert chosen(*[(24_000, 16_000)] * 18, *[(27_000, 16_000)] * 2) == (16_000, 27_200)
    assert chosen((16_000 * 90, 16_000)) == (16_000, 64_000)


def damaged(position: int, content: bytes) -> bytes:
    return WHOLE[:position] + content + WHOLE[position + len(content) :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", EMPTY),
        (b"no sound at all", BROKEN_SOUND),
        (b"RIFF\0\0\0\0WAVE", BROKEN_SOUND),
        (WHOLE[:30], BROKEN_SOUND),
        (WHOLE[:-2], BROKEN_SOUND),
        (WHOLE[: len(WHOLE) // 2], BROKEN_SOUND),
        (WHOLE[:40] + bytes(4), NO_SAMPLES),
        (damaged(20, struct.pack("<H", 6)), FOREIGN_ENCODING),  # A-law
        (damaged(34, struct.pack("<H", 12)), FOREIGN_ENCODING),
        (damaged(24, struct.pack("<I", 0)), BROKEN_SOUND),
        (damaged(24, struct.pack("<I", 2**31)), BROKEN_SOUND),
        (damaged(22, struct.pack("<H", 0) ), FOREIGN_ENCODING),
    ],
)  # fmt: skip
def test_what_cannot_be_used_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePictureError) as caught:
        read_sound_header(content)
    assert caught.value.reason == reason


def test_a_file_of_unknown_length_ends_where_it_ends() -> None:
    piped = WHOLE[:4] + b"\xff" * 4 + WHOLE[8:40] + b"\xff" * 4 + WHOLE[44:]
    assert read_sound_header(piped) == SoundHeader(16_000, 16_000)
    assert np.array_equal(samples_of(piped, RECIPE), samples_of(WHOLE, RECIPE))


def test_numbers_that_are_not_finite() -> None:
    sound = tone(500)
    sound[3] = np.nan
    with pytest.raises(UnreadablePictureError) as caught:
        samples_of(stored(sound, kind="float32"), RECIPE)
    assert caught.value.reason == NOT_FINITE_SOUND


def test_random_damage_never_raises_anything_else() -> None:
    rng = np.random.default_rng(0)
    for kind in ("uint8", "int24", "float32"):
        whole = stored(tone(500, seconds=0.05), kind=kind)
        for _ in range(100):
            broken = bytearray(whole[: rng.integers(len(whole) // 2, len(whole) + 1)])
            for position in rng.integers(0, 60, 3):
                broken[position] = rng.integers(256)
            content = bytes(broken)
            with contextlib.suppress(UnreadablePictureError), np.errstate(all="ignore"):
                decode_sound(lambda content=content: io.BytesIO(content), RECIPE, (48, 40))


def test_a_folder_of_words(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words")
    description = describe(words)
    assert (description.kind, description.content) == ("folder", "sounds")
    assert description.facts == InputFacts(channels=1, height=49, width=40, classes=2, pictures=20)
    assert description.recipe == RECIPE
    assert description.counts == {"train": (6, 6), "validation": (2, 2), "test": (2, 2)}
    assert description.lines() == [
        f"{words}: 20 sounds of 1 s at 16,000 Hz, log-mel 49 frames x 40 bands, in 2 classes "
        "(12 train / 4 validation / 4 test)"
    ]


def test_the_hash_is_the_content_not_the_names(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words")
    first = describe(words).hash
    (words / "up" / "0.wav").rename(words / "up" / "z.WAV")
    assert describe(words).hash == first
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        for path in sorted(words.rglob("*.[wW]*")):
            archive.write(path, f"around/{path.relative_to(words)}")
    assert describe(tmp_path / "w.zip").hash == first
    content = bytearray((words / "up" / "z.WAV").read_bytes())
    content[-1] ^= 1
    (words / "up" / "z.WAV").write_bytes(content)
    assert describe(words).hash != first


def test_odd_files_are_counted_and_named(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words")
    (words / "up" / "empty.wav").touch()
    (words / "up" / "none.wav").write_bytes(WHOLE[:40] + bytes(4))
    (words / "up" / "cut.wav").write_bytes(WHOLE[:-100])
    (words / "up" / "song.mp3").write_bytes(b"x")
    (words / "up" / "notes.txt").write_text("x")
    (words / "loose.wav").write_bytes(WHOLE)
    (words / "cover.png").write_bytes(b"x")
    (words / "rest").mkdir()
    with (words / "down" / "huge.wav").open("wb") as huge:
        huge.truncate(MAX_BYTES + 1)  # sparse
    Image.new("L", (9, 9)).save(words / "down" / "picture.png")
    (words / "down" / "picture.png").rename(words / "down" / "picture.wav")
    write(words / "_background_noise_" / "hiss.wav", tone(90))
    description = describe(words)
    assert description.facts.pictures == 20
    assert description.skipped == {
        BACKGROUND: ("_background_noise_/hiss.wav",),
        BROKEN_SOUND: ("down/picture.wav", "up/cut.wav"),
        "a format that is not read here: convert to WAV (PCM)": ("up/song.mp3",),
        "class folder without sounds": ("rest",),
        EMPTY: ("up/empty.wav",),
        NO_SAMPLES: ("up/none.wav",),
        TOO_MANY_BYTES: ("down/huge.wav",),
        "not a sound by its name": ("cover.png", "up/notes.txt"),
        "outside the class folders": ("loose.wav",),
    }


def test_what_only_decoding_shows_is_named_by_loading(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words")
    bad = np.full(16_000, np.inf)
    write(words / "up" / "inf.wav", bad, kind="float32")
    pictures = load(describe(words), (48, 40), include_test=True)
    assert pictures.skipped == {NOT_FINITE_SOUND: ("up/inf.wav",)}


def test_pictures_and_sounds_together_are_refused(tmp_path: Path, two_classes: Path) -> None:
    write(two_classes / "cat" / "meow.wav", tone(500))
    with pytest.raises(WrongUse, match=r"mixes 20 pictures .*cat/0\.png.* and 1 sounds .*meow\.wav.*take one of them"):
        describe(two_classes)


def test_sounds_of_a_format_that_is_not_read(tmp_path: Path) -> None:
    for name in ("yes", "no"):
        (tmp_path / "mp3" / name).mkdir(parents=True)
        (tmp_path / "mp3" / name / "1.mp3").write_bytes(b"x")
    with pytest.raises(
        WrongUse, match=r"no class with sounds; left out: 2 x a format .*convert to WAV.*words/yes/1\.wav"
    ):
        describe(tmp_path / "mp3")


def test_loading_gives_the_spectrograms_and_caches_them(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words")
    description = describe(words)
    pictures = load(description, (48, 40), include_test=True, cache=tmp_path / "cache")
    assert pictures.train.images.shape == (12, 1, 48, 40)
    assert pictures.test is not None
    every = np.concatenate([pictures.train.images, pictures.validation.images, pictures.test.images])
    expected = {spectrogram(wavfile.read(path)[1], RECIPE)[:, :48].tobytes() for path in words.rglob("*.wav")}
    assert {image.tobytes() for image in every} == expected
    again = load(describe(words), (48, 40), cache=tmp_path / "cache")
    assert np.array_equal(again.train.images, pictures.train.images)


def test_workers_deliver_what_this_process_would(tmp_path: Path) -> None:
    words = write_words(tmp_path / "words", each=3)
    (words / "up" / "1.wav").write_bytes(b"broken")
    names = sorted(str(path.relative_to(words)) for path in words.rglob("*.wav"))
    here, there = (list(decode_files(words, names, 1, (48, 40), workers, RECIPE)) for workers in (0, 2))
    assert there[names.index("up/1.wav")] == BROKEN_SOUND
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one, other)


def test_describing_sounds_loads_neither_torch_nor_scipy(tmp_path: Path, run_python: Callable[[str], str]) -> None:
    words = write_words(tmp_path / "words", each=4)
    run_python(
        f"import sys; from nas.training.data import describe; describe({str(words)!r});"
        "assert not {'torch', 'scipy', 'PIL', 'sklearn'} & set(sys.modules)"
    )
