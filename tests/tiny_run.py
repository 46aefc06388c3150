"""The smallest search that goes through every part, and its pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

import nas
from nas.api import Run

BUDGET = "sram=24k,flash=200k"


def draw_pictures(folder: Path, grey: bool = False) -> Path:
    """Two classes that can be told apart: bright discs and dark squares, 24 pictures of 32 x 32 each."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for name, mask, level in (
        ("disc", (rows - 16) ** 2 + (columns - 16) ** 2 < 90, 220),
        ("square", (abs(rows - 16) < 7) & (abs(columns - 16) < 7), 40),
    ):
        (folder / name).mkdir(parents=True)
        for index in range(24):
            image = rng.integers(100, 150, (32, 32, 3))
            image[np.roll(mask, rng.integers(-4, 5, 2), (0, 1))] = level
            picture = Image.fromarray(image.astype(np.uint8))
            (picture.convert("L") if grey else picture).save(folder / name / f"{index}.png")
    return folder


def search(folder: Path, name: str = "signs", grey: bool = False) -> Run:
    """A run of eight trials under a budget that binds, in `folder`/runs, of the pictures in `folder`/pictures."""
    data = draw_pictures(folder / "pictures", grey)
    return nas.search(
        space="mcunetv2", budget=BUDGET, data=str(data), root=folder / "runs", run=name, trials=8, supernet_epochs=1,
        backend="inline", seed=3,
    )  # fmt: skip
