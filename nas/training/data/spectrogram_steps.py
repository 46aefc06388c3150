"""What an export says and carries of the way from a sound to a network's input: plain values, and code."""

import inspect
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nas.training.data import log_mel
from nas.training.data.log_mel import LogMel

OWN_RECIPE = "the user's own: the data held finished spectrograms, and how they were computed is not known here"
CODE = "preprocessing.py"

Size = tuple[int, int]

_ENTRANCE = '''
RECIPE = {recipe!r}
TRAINED_AT = {trained_at!r}  # height and width of the largest spectrograms that the training saw
SIZE = {size!r}  # of this network's input
MEAN, STD = {mean!r}, {std!r}  # of bytes as fractions 0-1


def network_bytes(samples: NDArray[np.floating] | NDArray[np.int16]) -> NDArray[np.uint8]:
    """Mono samples (n,) at RECIPE.rate as the bytes (1, height, width) that the network was trained on."""
    return resize(fit(spectrogram(samples, RECIPE), TRAINED_AT), SIZE)


def network_input(samples: NDArray[np.floating] | NDArray[np.int16]) -> NDArray[np.float32]:
    """Mono samples (n,) at RECIPE.rate as the network's normalised input (1, 1, height, width)."""
    fractions = network_bytes(samples)[None].astype(np.float32) / 255
    return ((fractions - MEAN) / STD).astype(np.float32)
'''


def spectrogram_preprocessing(
    recipe: LogMel | None, channels: int, trained_at: Size, size: Size, mean: Sequence[float], std: Sequence[float]
) -> dict[str, Any]:
    """The steps from a sound, or without `recipe` from a spectrogram, to a network's input, as JSON values."""
    own: list[dict[str, Any]] = [{"step": "spectrogram", "recipe": OWN_RECIPE}]
    steps = own if recipe is None else _sound_steps(recipe)
    for name, (height, width) in (("fit", trained_at), ("resize", size)):
        rule = {"filter": "bilinear", "antialias": True, "each_axis_alone": True}
        steps.append({"step": name, "height": height, "width": width, **rule})
    steps[-2]["whole_rows_cut_below"] = 8
    steps.append({"step": "scale", "divide_by": 255})
    steps.append({"step": "normalise", "mean": list(mean), "std": list(std)})
    document: dict[str, Any] = {"channels": channels, "height": size[0], "width": size[1], "layout": "NCHW"}
    document |= {"content": "spectrograms" if recipe is None else "sounds", "trained_at": list(trained_at)}
    document |= {"recipe": None, "code": None} if recipe is None else {"recipe": asdict(recipe), "code": CODE}
    return document | {"steps": steps}


def _sound_steps(recipe: LogMel) -> list[dict[str, Any]]:
    low, high = recipe.lowest_hz, recipe.rate / 2
    return [
        {"step": "decode", "channels": "mean", "integers": "divided by the greatest value"},
        {"step": "resample", "rate": recipe.rate, "filter": "polyphase (scipy.signal.resample_poly)"},
        {"step": "length", "samples": recipe.length, "longer": "the middle", "shorter": "silence at both ends"},
        {"step": "frames", "samples": recipe.frame, "hop": recipe.hop, "mean": "subtracted", "window": "periodic Hann"},
        {"step": "power", "fft_size": recipe.fft_size, "one_is": "a sine of full scale"},
        {"step": "mel", "bands": recipe.bands, "from_hz": low, "to_hz": high, "scale": "2595 log10(1 + f / 700)"},
        {"step": "bytes", "decibels_of_0": recipe.floor_db, "decibels_of_255": recipe.top_db},
    ]


def preprocessing_source(
    recipe: LogMel, trained_at: Size, size: Size, mean: Sequence[float], std: Sequence[float]
) -> str:
    """The text of `preprocessing.py`: the source of the recipe that the training used, and this network's constants."""
    constants = {"recipe": recipe, "trained_at": tuple(trained_at), "size": tuple(size), "mean": mean[0], "std": std[0]}
    return f"{inspect.getsource(log_mel).rstrip()}\n\n{_ENTRANCE.format(**constants)}"
