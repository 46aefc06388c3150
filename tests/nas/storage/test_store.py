import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.core.trial import Trial
from nas.storage.database import sqlite_url
from nas.storage.store import Store
from search_spaces.core.errors import FitnasError, NotFound, Refused, WrongUse

MakeTrial = Callable[..., Trial]

RECORDER = """
import pathlib, sys
from nas.core.trial import Trial
from nas.storage.database import sqlite_url
from nas.storage.store import Store
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError

store = Store(sqlite_url(pathlib.Path(sys.argv[1])))
number = store.count("signs")
print("start", number, flush=True)
try:
    while number < int(sys.argv[2]):
        architecture = Architecture("toy", {}, {"number": number})
        store.record("signs", Trial(number, architecture, "complete", {"top1": number / 7}))
        print(number, flush=True)
        number += 1
except FitnasError as error:
    print(error, flush=True)
"""


def create(store: Store, name: str = "signs") -> None:
    store.create_run(name, config_json='{"seed": 0}', space_json='{"w": 1}', reference_json="{}", data_hash="d1")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The same tests against both databases."""
    url = sqlite_url(tmp_path / "run.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Store(url) as opened:
        yield opened
        for run in opened.runs():
            opened.delete_run(run.name)


def test_a_run_is_stored_whole(store: Store) -> None:
    create(store)
    run = store.run("signs")
    assert (run.config_json, run.space_json, run.reference_json) == ('{"seed": 0}', '{"w": 1}', "{}")
    assert (run.data_hash, run.state) == ("d1", "created")
    assert run.created.endswith("+00:00")
    store.set_state("signs", "searching")
    after = store.run("signs")
    assert after.state == "searching"
    assert after.updated >= run.updated
    assert after.created == run.created


def test_runs_are_listed_and_unknown_ones_not_found(store: Store) -> None:
    assert store.runs() == []
    for name in ("b", "a"):
        create(store, name)
        time.sleep(0.002)  # the clock of a run counts milliseconds
    assert [run.name for run in store.runs()] == ["b", "a"]
    with pytest.raises(NotFound, match="no run 'signs'"):
        store.trials("signs")
    create(store)
    with pytest.raises(NotFound, match="did you mean 'signs'"):
        store.run("sings")
    with pytest.raises(NotFound):
        store.set_state("x", "complete")
    with pytest.raises(ValueError, match="unknown state"):
        store.set_state("signs", "paused")  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match=r"already.*nas resume signs"):
        create(store)


def test_trials_come_back_equal_and_by_number(store: Store, make_trial: MakeTrial) -> None:
    create(store)
    create(store, "other")
    trials = [make_trial(i, top1=0.1 + i / 3, macs=2**53 + i) for i in range(20)]
    trials.append(Trial(20, trials[0].architecture, "failed", {}, error="lost\0 worker"))
    for trial in random.Random(0).sample(trials, len(trials)):
        store.record("signs", trial)
    store.record("other", trials[3])
    assert store.trials("signs") == trials
    assert store.count("signs") == 21
    assert store.trials("other") == [trials[3]]
    store.delete_run("signs")
    assert store.count("signs") == 0
    assert store.trials("other") == [trials[3]]
    with pytest.raises(NotFound):
        store.delete_run("signs")


def test_a_double_is_refused_and_the_first_stands(store: Store, make_trial: MakeTrial) -> None:
    create(store)
    first = make_trial(0, top1=0.5)
    store.record("signs", first)
    with pytest.raises(Refused, match="trial 0 of run 'signs' is recorded already, with the same result"):
        store.record("signs", first)
    with pytest.raises(Refused, match="another result, which stands"):
        store.record("signs", make_trial(0, top1=0.6))
    with pytest.raises(NotFound, match="no run 'sign'; did you mean 'signs'"):
        store.record("sign", first)
    assert store.trials("signs") == [first]


def test_threads_may_record_at_once(store: Store, make_trial: MakeTrial) -> None:
    create(store)
    threads = [
        threading.Thread(target=lambda k=k: [store.record("signs", make_trial(i)) for i in range(k, 40, 4)])
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [trial.number for trial in store.trials("signs")] == list(range(40))


def test_a_store_is_read_by_another_while_it_is_written(store: Store, tmp_path: Path, make_trial: MakeTrial) -> None:
    create(store)
    store.record("signs", make_trial(0))
    url = store._database.engine.url.render_as_string(hide_password=False)
    with Store(url, create=False) as reader:
        assert len(reader.trials("signs")) == 1
        store.record("signs", make_trial(1))
        assert len(reader.trials("signs")) == 2


def test_sqlite_is_in_write_ahead_mode_and_synchronous(tmp_path: Path) -> None:
    with Store(sqlite_url(tmp_path / "run.db")) as store, store._database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_a_path_with_odd_characters_is_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%20é"
    folder.mkdir()
    Store(sqlite_url(folder / "run.db")).close()
    assert (folder / "run.db").is_file()


def test_a_missing_database_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        Store(sqlite_url(tmp_path / "run.db"), create=False)
    assert not (tmp_path / "run.db").exists()
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(NotFound, match="holds no runs"):
        Store(sqlite_url(tmp_path / "empty.db"), create=False)
    with pytest.raises(FitnasError, match=r"cannot be opened.*folder"):
        Store(sqlite_url(tmp_path / "none" / "run.db"))


@pytest.mark.parametrize(("version", "said"), [(2, "newer fitnas.*pip install -U fitnas"), (0, "older fitnas")])
def test_another_schema_is_refused(tmp_path: Path, version: int, said: str) -> None:
    Store(sqlite_url(tmp_path / "run.db")).close()
    connection = sqlite3.connect(tmp_path / "run.db")
    connection.execute("UPDATE fitnas_schema SET version = ?", (version,))
    connection.commit()
    connection.close()
    with pytest.raises(FitnasError, match=said):
        Store(sqlite_url(tmp_path / "run.db"))


def test_a_locked_database_says_so_and_loses_nothing(tmp_path: Path, make_trial: MakeTrial) -> None:
    url = sqlite_url(tmp_path / "run.db")
    with Store(url, wait_seconds=0.05) as store:
        create(store)
        browser = sqlite3.connect(tmp_path / "run.db", isolation_level=None)
        browser.execute("BEGIN IMMEDIATE")
        with pytest.raises(FitnasError, match=r"locked by another program for more than 0\.05 s.*nas resume signs"):
            store.record("signs", make_trial(0))
        browser.execute("ROLLBACK")
        browser.close()
        store.record("signs", make_trial(0))
        assert store.count("signs") == 1


def test_a_damaged_database_says_so(tmp_path: Path, make_trial: MakeTrial) -> None:
    path = tmp_path / "run.db"
    path.write_bytes(b"this is no database, but long enough to be taken for one" * 100)
    with pytest.raises(FitnasError, match="damaged or no database"):
        Store(sqlite_url(path))
    path.unlink()
    with Store(sqlite_url(path)) as store:
        create(store)
        for i in range(200):
            store.record("signs", make_trial(i, top1=0.5))
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(bytes(content))
    with pytest.raises(FitnasError, match="damaged"), Store(sqlite_url(path)) as store:
        store.trials("signs")


def test_a_damaged_row_says_so(tmp_path: Path, make_trial: MakeTrial) -> None:
    with Store(sqlite_url(tmp_path / "run.db")) as store:
        create(store)
        store.record("signs", make_trial(0))
        connection = sqlite3.connect(tmp_path / "run.db")
        connection.execute("UPDATE fitnas_trials SET document = substr(document, 1, 20)")
        connection.commit()
        connection.close()
        with pytest.raises(FitnasError, match="damaged"):
            store.trials("signs")


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("nonsense", WrongUse, "no SQLAlchemy URL"),
        ("", WrongUse, "no SQLAlchemy URL"),
        ("sqlit:///x.db", WrongUse, "did you mean 'sqlite'"),
        ("postgresql+psycopg://u:secret@/d?host=/nonexistent", FitnasError, "reports"),
    ],
)
def test_bad_urls_are_explained_without_the_password(url: str, kind: type[FitnasError], said: str) -> None:
    if "psycopg" in url:
        pytest.importorskip("psycopg")
    with pytest.raises(kind, match=said) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_missing_driver_names_the_extra(tmp_path: Path) -> None:
    # A real interpreter that cannot find psycopg: an entry of None in sys.modules makes its import fail.
    code = "import sys; sys.modules['psycopg'] = None\nfrom nas.storage.store import Store\nStore('postgres://u:secret@h/d')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'fitnas[postgres]'" in done.stderr.splitlines()[-1]
    assert "FitnasError" in done.stderr.splitlines()[-1]


def test_several_programs_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\nfrom nas.storage.database import sqlite_url\n"
        "from nas.storage.store import Store\n"
        "sys.stdin.readline()\nStore(sqlite_url(pathlib.Path(sys.argv[1]))).close()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run.db")]
    programs = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [program.communicate("\n")[1] for program in programs]
    assert [program.returncode for program in programs] == [0] * 4, errors


def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with Store(sqlite_url(path)) as store:
        create(store)
    rng = random.Random(1)
    acknowledged: list[int] = []
    for _ in range(5):
        recorder = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(path), "100000"], stdout=subprocess.PIPE, text=True
        )
        assert recorder.stdout is not None
        assert recorder.stdout.readline().startswith("start")
        time.sleep(rng.uniform(0, 0.2))
        recorder.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in recorder.communicate()[0].split("\n") if line]
        with Store(sqlite_url(path)) as store:
            numbers = [trial.number for trial in store.trials("signs")]
        assert numbers == list(range(len(numbers)))
        # A trial may be durable although the kill came before its acknowledgement, but never the other way round.
        assert len(numbers) - len(set(acknowledged)) <= 5
        assert set(acknowledged) <= set(numbers)
    assert len(acknowledged) == len(set(acknowledged))
    assert acknowledged


def test_a_full_disk_says_so_and_the_run_goes_on_when_there_is_room(
    small_disk: Path, fill: Callable[[Path], Path], make_trial: MakeTrial
) -> None:
    url = sqlite_url(small_disk / "run.db")
    recorded: list[int] = []

    def record_until_full(store: Store) -> None:
        while len(recorded) < 10_000:
            store.record("signs", make_trial(len(recorded), top1=0.5))
            recorded.append(len(recorded))

    with Store(url) as store:
        create(store)
        filler = fill(small_disk)
        with pytest.raises(FitnasError, match=r"disk is full.*nothing recorded was lost.*nas resume signs"):
            record_until_full(store)
        assert [trial.number for trial in store.trials("signs")] == recorded
    filler.unlink()
    with Store(url) as store:
        assert [trial.number for trial in store.trials("signs")] == recorded
        store.record("signs", make_trial(len(recorded), top1=0.5))
        assert store.count("signs") == len(recorded) + 1


def test_a_full_disk_before_the_first_trial_says_so(small_disk: Path, fill: Callable[[Path], Path]) -> None:
    filler = fill(small_disk)
    with pytest.raises(FitnasError, match="disk is full"):
        Store(sqlite_url(small_disk / "run.db"))
    filler.unlink()
    with Store(sqlite_url(small_disk / "run.db")) as store:
        create(store)


def test_a_limit_on_file_size_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with Store(sqlite_url(path)) as store:
        create(store)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    command = [sys.executable, "-c", RECORDER, str(path), "100000"]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, timeout=60)
    *numbers, message = done.stdout.splitlines()[1:]
    assert "nas resume signs" in message, done.stderr
    with Store(sqlite_url(path)) as store:
        assert [trial.number for trial in store.trials("signs")] == list(range(len(numbers)))
