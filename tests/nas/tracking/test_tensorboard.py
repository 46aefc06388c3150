from collections.abc import Callable
from pathlib import Path

import pytest

from nas.tracking.tensorboard import TensorBoard
from tests.nas.tracking.reading import events, scalars, texts


def test_figures_and_texts_are_read_back(tmp_path: Path) -> None:
    sink = TensorBoard(tmp_path, "signs", "search")
    sink.event("configuration", 'space = "mcunetv2"\nseed = 3', 0)
    for step in range(200):
        sink.scalar("supernet/loss", 1 / (1 + step), step)
    sink.scalar("trial/macs", 154_864, 7)
    sink.close()
    (file,) = (tmp_path / "search").iterdir()
    assert events(file)[0].file_version == "brain.Event:2"
    found = scalars(tmp_path / "search")
    assert found["trial/macs"] == [(7, 154_864.0)]
    assert found["supernet/loss"] == [(step, pytest.approx(1 / (1 + step))) for step in range(200)]
    (text,) = texts(tmp_path / "search")["configuration/text_summary"]
    assert text == '    space = "mcunetv2"\n    seed = 3\n'


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    for session in range(3):  # within one second, so that the files' names must differ otherwise
        sink = TensorBoard(tmp_path, "signs", "search")
        sink.event("configuration", "a = 1", 0)
        for step in (4, 2, 0, 1)[: session + 2]:
            sink.scalar("trial/top1", step / 10, step)
        sink.close()
    assert len(list((tmp_path / "search").iterdir())) == 3
    assert [step for step, _ in scalars(tmp_path / "search")["trial/top1"]] == [4, 2, 0, 1]
    assert len(texts(tmp_path / "search")["configuration/text_summary"]) == 1


def test_a_torn_end_is_written_anew(tmp_path: Path) -> None:
    sink = TensorBoard(tmp_path, "signs", "search")
    sink.scalar("a", 1.0, 1)
    sink.scalar("a", 2.0, 2)
    sink.close()
    (file,) = (tmp_path / "search").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    sink = TensorBoard(tmp_path, "signs", "search")
    for step in (1, 2, 3):
        sink.scalar("a", float(step), step)
    sink.close()
    _, second = sorted((tmp_path / "search").iterdir())
    assert [event.step for event in events(second)[1:]] == [2, 3]


def test_a_fresh_part_replaces_the_earlier_one_alone(tmp_path: Path) -> None:
    for part, fresh in (("search", False), ("member-1", False), ("member-1", True)):
        sink = TensorBoard(tmp_path, "signs", part, fresh)
        sink.scalar("a", 3.0 if fresh else 2.0, 1)
        sink.close()
    assert scalars(tmp_path / "member-1") == {"a": [(1, 3.0)]}
    assert scalars(tmp_path / "search") == {"a": [(1, 2.0)]}


def test_importing_the_sinks_loads_nothing_heavy(run_python: Callable[[str], str]) -> None:
    code = (
        "import sys, nas.tracking.tensorboard, nas.tracking.wandb, nas.tracking.tracker\n"
        "heavy = {'torch', 'tensorboardX', 'tensorflow', 'wandb', 'ray', 'pandas'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
        "import torch, time\n"
        "before = time.perf_counter(); import tensorboardX; print(time.perf_counter() - before < 0.3)\n"
        "print('tensorflow' in sys.modules)"
    )
    assert run_python(code).split("\n")[:3] == ["[]", "True", "False"]
