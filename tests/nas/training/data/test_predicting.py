import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.training.data import describe, load, preprocessing, read_picture
from search_spaces.core.errors import NotFound, WrongUse

Save = Callable[..., Path]


def test_a_picture_is_read_as_in_training(two_classes: Path) -> None:
    pictures = load(describe(two_classes), (7, 9))
    trained_on = {image.tobytes() for image in pictures.train.images}
    read = {read_picture(path, 3, (7, 9)).tobytes() for path in two_classes.rglob("*.png")}
    assert trained_on < read


def test_colour_for_a_network_of_grey_pictures_and_the_other_way_round(save: Save) -> None:
    colour = save("c.png", Image.new("RGB", (9, 9), (255, 0, 0)))
    grey = save("g.png", Image.new("L", (9, 9), 50))
    assert read_picture(colour, 1, (4, 4)).tolist() == np.full((1, 4, 4), 76).tolist()
    assert read_picture(grey, 3, (4, 4)).tolist() == np.full((3, 4, 4), 50).tolist()


def test_what_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no\.jpg' does not exist"):
        read_picture(tmp_path / "no.jpg", 3, (8, 8))
    for name, content, reason in (("e.jpg", b"", "empty file"), ("b.jpg", b"x", "broken, cut short or not a picture")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WrongUse, match=reason):
            read_picture(tmp_path / name, 3, (8, 8))
    with pytest.raises(WrongUse, match="not a regular file"):
        read_picture(tmp_path, 3, (8, 8))


def test_the_steps_are_plain_json() -> None:
    steps = preprocessing(3, (96, 80), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    assert json.loads(json.dumps(steps)) == steps
    assert [step["step"] for step in steps["steps"]] == [
        "decode", "composite", "convert", "resize", "crop", "scale", "normalise"]  # fmt: skip
    assert (steps["channels"], steps["height"], steps["width"]) == (3, 96, 80)
    assert preprocessing(1, (8, 8))["steps"][-1] == {"step": "scale", "divide_by": 255}
