"""Parts found by the name of their file."""

import sys

import pytest

import predictors.hardware.memory as memory
from search_spaces.core.by_file import exported, file_names
from search_spaces.core.errors import WrongUse


def test_names_are_those_of_files_and_folders_sorted(tmp_path):
    for name in ("zeta.py", "alpha.py", "base.py", "notes.txt", "__init__.py"):
        (tmp_path / name).write_text("raise RuntimeError('nobody may import this')\n")
    (tmp_path / "middle").mkdir()
    (tmp_path / "middle" / "__init__.py").write_text("")
    assert file_names([str(tmp_path)], {"base"}) == ["alpha", "middle", "zeta"]
    assert file_names([str(tmp_path / "nowhere")]) == []


def test_what_a_file_exports_is_given_once_it_is_asked_for():
    rule = exported(memory.__name__, "tinyengine", "RULE", "runtime", ["analytic", "tinyengine"])
    assert rule is sys.modules["predictors.hardware.memory.tinyengine"].RULE


def test_an_unknown_name_is_told_with_the_nearest_and_all():
    with pytest.raises(WrongUse, match=r"unknown runtime 'tinyengin'; did you mean 'tinyengine'\? Known: analytic, t"):
        exported(memory.__name__, "tinyengin", "RULE", "runtime", ["analytic", "tinyengine"])
