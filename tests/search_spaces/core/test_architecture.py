import pickle
from dataclasses import FrozenInstanceError

import pytest

from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse


def make(**options: float) -> Architecture:
    return Architecture("toy", {"classes": 10, "resolutions": [16, 24]}, {"kernel": 3, "width": 0.5, **options})


def test_json_is_canonical_and_the_id_its_hash() -> None:
    architecture = make()
    text = '{"options":{"kernel":3,"width":0.5},"settings":{"classes":10,"resolutions":[16,24]},"space":"toy"}'
    assert architecture.to_json() == text
    assert architecture.id == "567d33e458"
    turned = Architecture("toy", {"resolutions": [16, 24], "classes": 10}, {"width": 0.5, "kernel": 3})
    assert turned == architecture
    assert hash(turned) == hash(architecture)
    assert turned.id == architecture.id


def test_every_part_tells_architectures_apart() -> None:
    one = make()
    others = [make(kernel=5), Architecture("toys", one.settings, one.options), Architecture("toy", {}, one.options)]
    assert len({one, *others}) == 4
    assert one != "toy"


def test_it_is_a_value() -> None:
    architecture = make()
    assert pickle.loads(pickle.dumps(architecture)) == architecture
    assert Architecture.from_json(architecture.to_json()) == architecture
    with pytest.raises(FrozenInstanceError):
        architecture.space = "else"  # type: ignore[misc]
    assert repr(architecture) == f"Architecture(toy, {architecture.id})"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"space": "toy"}',
        '{"space": "toy", "settings": [], "options": {}}',
        '{"space": 1, "settings": {}, "options": {}}',
        '{"space": "toy", "settings": {}, "options": {"kernel": [3]}}',
        '{"space": "toy", "settings": {}, "options": {"kernel": null}}',
        '{"space": "toy", "settings": {}, "options": {"kernel": NaN}}',
        "[" * 100_000,
        "9" * 10_000,
    ],
)
def test_what_is_no_architecture_is_wrong_use(text: str) -> None:
    with pytest.raises(WrongUse, match="an architecture"):
        Architecture.from_json(text)
