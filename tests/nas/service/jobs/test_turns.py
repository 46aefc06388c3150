"""Who comes next."""

from nas.service.jobs.turns import in_turn
from nas.storage.service_store import Job


def job(name: str, by: str, created: str, state: str = "queued", attempts: int = 0) -> Job:
    return Job(name, "search", name, state, by, {}, created, attempts=attempts)  # type: ignore[arg-type]


def names(jobs: list[Job], last_starts: dict[str, str] | None = None) -> str:
    return " ".join(each.id for each in in_turn(jobs, last_starts or {}))


def test_those_who_ask_take_turns_and_of_one_the_oldest_comes_first():
    many = [job(f"a{number}", "ann", f"1{number}") for number in range(3)]
    assert names([*reversed(many), job("b0", "bob", "20"), job("b1", "bob", "21")]) == "a0 b0 a1 b1 a2"


def test_who_was_served_last_waits_though_nothing_of_hers_runs_any_more():
    waiting = [job("a1", "ann", "10"), job("b1", "bob", "20"), job("c1", "cem", "30")]
    assert names(waiting, {"ann": "2026-01-01T00:00:02", "bob": "2026-01-01T00:00:01"}) == "c1 b1 a1"


def test_who_has_fewer_running_comes_first():
    running = [job("a0", "ann", "00", "running")]
    assert names([*running, job("a1", "ann", "10"), job("b1", "bob", "20")], {"bob": "9"}) == "b1 a1"


def test_work_that_was_lost_goes_on_before_new_work():
    assert names([job("a1", "ann", "10"), job("b1", "bob", "20", attempts=1)], {"bob": "9"}) == "b1 a1"


def test_nobody_waits():
    assert in_turn([job("a0", "ann", "00", "running")], {}) == []
