from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a picture of random pixels (or the given image) below tmp_path/data: each `name` its own content."""

    def save_picture(name: str, image: Image.Image | None = None, size: tuple[int, int] = (12, 10)) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if image is None:
            rng = np.random.default_rng(list(name.encode()))
            image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        image.save(path)
        return path

    return save_picture


@pytest.fixture
def two_classes(save: Save, tmp_path: Path) -> Path:
    """Ten cats and ten dogs of 12 x 10 pixels."""
    for index in range(10):
        save(f"cat/{index}.png")
        save(f"dog/{index}.png")
    return tmp_path / "data"
