import sys
from pathlib import Path

import pytest

import search_spaces
from search_spaces.core.errors import WrongUse
from search_spaces.core.registry import ENTRY_POINT_GROUP, space_class, space_names
from search_spaces.mcunetv2 import Mcunetv2

MODULE = """
from search_spaces.mcunetv2 import Mcunetv2
class Foreign(Mcunetv2):
    name = "{name}"
SPACE = Foreign
"""


def test_our_own_spaces() -> None:
    assert "mcunetv2" in space_names()
    assert space_names() == sorted(space_names())
    assert not {"core", "blocks"} & set(space_names())
    assert space_class("mcunetv2") is Mcunetv2


@pytest.mark.parametrize("name", ["mcunet", "core", "blocks", "", "..", "a" * 10_000, "mcunetv2.space"])
def test_an_unknown_space_is_wrong_use(name: str) -> None:
    with pytest.raises(WrongUse, match="Known: ") as caught:
        space_class(name)
    assert len(str(caught.value)) < 300


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(WrongUse, match=r"unknown space 'mcunetv'; did you mean 'mcunetv2'\? Known: .*mcunetv2"):
        space_class("mcunetv")


def test_a_new_file_is_a_new_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "by_file.py").write_text(MODULE.format(name="by_file"))
    monkeypatch.setattr(search_spaces, "__path__", [*search_spaces.__path__, str(tmp_path)])
    try:
        assert "by_file" in space_names()
        assert "search_spaces.by_file" not in sys.modules
        assert space_class("by_file").name == "by_file"
    finally:
        sys.modules.pop("search_spaces.by_file", None)


def test_another_distribution_adds_one_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_package.py").write_text(MODULE.format(name="by_entry_point"))
    information = tmp_path / "foreign-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    points = "by_entry_point = foreign_package:Foreign\nmcunetv2 = foreign_package:Foreign\n"
    (information / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert space_names().count("mcunetv2") == 1
        assert "foreign_package" not in sys.modules
        assert space_class("by_entry_point").name == "by_entry_point"
        # nobody replaces one of ours
        assert space_class("mcunetv2") is Mcunetv2
    finally:
        sys.modules.pop("foreign_package", None)
