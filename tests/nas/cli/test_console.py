"""What a log file shows of long work."""

import pytest

from nas.cli import console
from nas.cli.console import TerminalReporter
from nas.conductor import Event
from search_spaces.core.architecture import Architecture
from tests.nas.toy_space import ToySpace


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    moment = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: moment[0])
    return moment


def test_plain_lines_of_a_number_that_nobody_knows(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalReporter().progress("measuring speed") as report:
        for done, moment in enumerate([0.0, 1.0, 5.0, 6.0, 16.0]):
            now[0] = moment
            report(done, 0, "network a")
        report(5, 5, "")
    lines = ["measuring speed: 2 (network a)", "measuring speed: 4 (network a)", "measuring speed: 5/5"]
    assert capsys.readouterr().err.splitlines() == lines


def test_nothing_is_said_of_what_takes_two_seconds(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalReporter().progress("measuring speed") as report:
        report(0, 1, "")
        now[0] = 1.9
        report(1, 1, "")
    assert capsys.readouterr().err == ""


def test_a_search_that_waits_for_speeds_says_so(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    reporter = TerminalReporter()
    with reporter.searching():
        for moment in (0.0, 1.0, 5.0):
            now[0] = moment
            reporter.event(Event("measuring", 0, network(), 0, 40, 7, 0, None))
    assert capsys.readouterr().err == "searching: 0/40 (front 0, rejected 7, speed measured of 3)\n"


def network() -> Architecture:
    return ToySpace().extremes()[0]
