"""Deleting a run whose trials lie in a shared database."""

from pathlib import Path

import pytest

from benchmarks.synthetic_run import write_run
from nas.run import StoredRun
from nas.storage.database import sqlite_url
from nas.storage.store import Store
from search_spaces.core.errors import FitnasError, NotFound, Refused


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else sqlite_url(tmp_path / "all.db")


def test_the_rows_go_too_and_no_others(url, tmp_path):
    gone, kept = (write_run(tmp_path, name, 2, store=url) for name in ("gone", "kept"))
    size = gone.directory.size_bytes()
    assert gone.delete() == size > 0
    assert not gone.path.exists()
    with Store(url) as store:
        with pytest.raises(NotFound):
            store.run("gone")
        assert len(store.trials("kept")) == 2
        assert store.count("gone") == 0
    kept.delete()


def test_a_deletion_that_stopped_halfway_is_taken_up_again(tmp_path):
    url = sqlite_url(tmp_path / "all.db")
    run = write_run(tmp_path, "half", 2, store=url)
    with Store(url) as store:
        store.delete_run("half")
    run.delete()
    assert not run.path.exists()


def test_nothing_goes_where_the_database_does_not_answer(tmp_path):
    url = sqlite_url(tmp_path / "all.db")
    run = write_run(tmp_path, "stuck", 2, store=url)
    (tmp_path / "all.db").write_bytes(b"no database" * 100)
    for leftover in tmp_path.glob("all.db-*"):
        leftover.unlink()
    with pytest.raises(FitnasError):
        run.delete()
    assert run.directory.is_run()


def test_a_database_that_is_gone_is_no_obstacle(tmp_path):
    run = write_run(tmp_path, "lonely", 2, store=sqlite_url(tmp_path / "all.db"))
    for file in tmp_path.glob("all.db*"):
        file.unlink()
    run.delete()
    assert not run.path.exists()


def test_somebody_else_s_run_of_that_name_stays(tmp_path):
    url = sqlite_url(tmp_path / "all.db")
    mine = write_run(tmp_path / "mine", "same", 2, store=url)
    with Store(url) as store:
        store.delete_run("same")
    write_run(tmp_path / "theirs", "same", 2, store=url, seed=5)
    with pytest.raises(Refused, match="another configuration"):
        mine.delete()
    with Store(url) as store:
        assert store.count("same") == 2
    assert mine.directory.is_run()


def test_a_run_with_its_own_database_goes_though_its_configuration_is_damaged(tmp_path):
    run = write_run(tmp_path, "broken", 2)
    run.directory.config.write_text("no toml [")
    StoredRun(run.directory).delete()
    assert not run.path.exists()
