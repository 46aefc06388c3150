"""What the command line makes of signals."""

import os
import signal
import time
from typing import Any

import pytest

from nas.cli import main as command_line


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
@pytest.mark.parametrize("replaced", [False, True])
def test_a_signal_ends_a_command_whatever_native_code_makes_of_it(
    number: int,
    code: int,
    word: str,
    replaced: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A handler's exception inside NumPy's comparison of structured arrays comes out as a TypeError of NumPy's."""
    before = signal.getsignal(number)

    def killed(*_: Any, **__: Any) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except BaseException:
            if replaced:
                raise TypeError("Cannot compare structured arrays") from None
            raise

    monkeypatch.setattr(command_line, "app", killed)
    assert command_line.main(["search"]) == code
    assert word in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_an_error_without_a_signal_stays_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise TypeError("a defect")

    monkeypatch.setattr(command_line, "app", broken)
    with pytest.raises(TypeError, match="a defect"):
        command_line.main(["search"])
