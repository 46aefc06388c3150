"""Tables of the service: what happens to those of another version."""

import sqlite3
from pathlib import Path

import pytest

from nas.storage.database import sqlite_url
from nas.storage.service_store import Labels, ServiceStore
from nas.storage.store import Store
from search_spaces.core.errors import FitnasError


def changed(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_another_schema_is_refused(tmp_path: Path) -> None:
    ServiceStore(sqlite_url(tmp_path / "service.db")).close()
    changed(tmp_path / "service.db", "UPDATE fitnas_service_schema SET version = 2")
    with pytest.raises(FitnasError, match=r"newer fitnas.*pip install -U fitnas"):
        ServiceStore(sqlite_url(tmp_path / "service.db"))


def test_tables_from_before_versions_are_those_of_the_first(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "service.db")
    with ServiceStore(url) as store:
        store.set_labels("signs", Labels("good"))
    changed(tmp_path / "service.db", "DROP TABLE fitnas_service_schema")
    with ServiceStore(url) as store:
        assert store.labels() == {"signs": Labels("good")}


def test_runs_may_lie_in_the_same_database(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "all.db")
    ServiceStore(url).close()
    with Store(url) as store:
        assert store.runs() == []
    ServiceStore(url).close()
