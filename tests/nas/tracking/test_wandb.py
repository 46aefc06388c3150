import importlib.util
import time
from pathlib import Path

import pytest

from nas.tracking.wandb import Wandb
from search_spaces.core.errors import WrongUse


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WrongUse, match=r"pip install 'fitnas\[wandb\]'"):
        Wandb.check()
    with pytest.raises(WrongUse, match=r"fitnas\[wandb\]"):
        Wandb(tmp_path, "signs", "search")


def test_an_offline_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for last in (3, 5):
        sink = Wandb(tmp_path, "signs", "search")
        sink.event("configuration", "seed = 3", 0)
        for step in range(last):
            sink.scalar("trial/top1", step / 8, step)
        sink.close()
        time.sleep(1.1)  # wandb names its folders by the second
    files = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len({file.name for file in files}) == 1  # one id
    content = [file.read_bytes() for file in files]
    assert all(b"trial/top1" in one for one in content)
    assert b"0.25" in content[0]
    assert b"0.25" not in content[-1]  # written before
    assert b"0.5" in content[-1]
    assert (tmp_path / "search.steps").read_text().splitlines() == [f"trial/top1 {step}" for step in range(5)]
    fresh = Wandb(tmp_path, "signs", "search", fresh=True)
    fresh.scalar("trial/top1", 1.0, 0)
    fresh.close()
    assert (tmp_path / "search.steps").read_text() == "trial/top1 0\n"
