"""A database by its URL, for whatever tables: how it is opened, and what its errors mean to people.

SQLite in write-ahead mode with synchronous=FULL, so that neither kill -9 nor a power cut loses what was committed; any
SQLAlchemy URL otherwise (PostgreSQL: `pip install 'fitnas[postgres]'`). Passwords in URLs are never shown.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc as sa_errors
from sqlalchemy.engine import URL, Engine, make_url

from nas.storage.files import disk_full_message
from search_spaces.core.errors import FitnasError, WrongUse, did_you_mean

_ALMOST_NOTHING_BYTES = 1 << 20


def now() -> str:
    """UTC, ISO 8601, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def shown_url(url: str) -> str:
    """A store's URL as it may be shown to anybody: its password as '***'.

    >>> shown_url("postgresql://me:secret@host/runs")
    'postgresql+psycopg://me:***@host/runs'
    """
    parsed = _checked_url(url)
    return url if _sqlite_path(parsed) is not None else parsed.render_as_string(hide_password=True)


class Database:
    """An engine, whose errors are explained. One that another program locks is waited for during `wait_seconds`.

    `WrongUse` for a URL that is none, `FitnasError` for a driver that is not installed. Close it behind the last use.
    """

    def __init__(self, url: str, wait_seconds: float = 10.0) -> None:
        self._url = _checked_url(url)
        self._wait_seconds = wait_seconds
        self.engine = _engine(self._url, wait_seconds)

    @property
    def where(self) -> str:
        """The database's file, or its URL without the password."""
        return _where(self._url)

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database; None of another, or of one in memory."""
        return _sqlite_path(self._url)

    def close(self) -> None:
        """Gives its connections back."""
        self.engine.dispose()

    @contextmanager
    def explained(self, run: str) -> Iterator[None]:
        """Turns what the database reports into a `FitnasError`; `run` is the name in the advice."""
        try:
            yield
        except (sa_errors.DBAPIError, sa_errors.TimeoutError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            raise FitnasError(_explanation(self._url, str(cause).strip(), run, self._wait_seconds)) from error


def _checked_url(text: str) -> URL:
    try:
        url = make_url(text)
    except sa_errors.ArgumentError:
        raise WrongUse(
            "--store: this is no SQLAlchemy URL; for example sqlite:///runs.db or postgresql://user@host/database"
        ) from None
    # SQLAlchemy has dropped the short form, which many services still hand out.
    backend, _, driver = url.drivername.partition("+")
    backend = "postgresql" if backend == "postgres" else backend
    if backend == "postgresql" and not driver:
        driver = "psycopg"
    return url.set(drivername=f"{backend}+{driver}" if driver else backend)


def _engine(url: URL, wait_seconds: float) -> Engine:
    arguments: dict[str, Any] = {"timeout": wait_seconds} if url.get_backend_name() == "sqlite" else {}
    try:
        engine = sa.create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_timeout=wait_seconds)
    except sa_errors.NoSuchModuleError:
        known = ("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql")
        raise WrongUse(
            f"--store: no database is called '{url.drivername}'{did_you_mean(url.drivername, known)}; "
            f"for example sqlite:///runs.db or postgresql://user@host/database"
        ) from None
    except ModuleNotFoundError as error:
        postgres = url.get_backend_name() == "postgresql"
        way_out = "type: pip install 'fitnas[postgres]'" if postgres else "install the package that provides it"
        raise FitnasError(f"--store {url.drivername} needs the module '{error.name}'; {way_out}") from None
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _sqlite_path(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(url.database)


def _where(url: URL) -> str:
    return str(_sqlite_path(url) or url.render_as_string(hide_password=True))


def _explanation(url: URL, reported: str, run: str, wait_seconds: float) -> str:
    """The rule and the way out for what a database reported."""
    where, path = _where(url), _sqlite_path(url)
    resume = f"nas resume {run}"
    if "disk is full" in reported or "No space left" in reported or ("disk I/O" in reported and _is_full(path)):
        return disk_full_message(where, run)
    if "database is locked" in reported or "database is busy" in reported:
        return (
            f"{where} was locked by another program for more than {wait_seconds:g} s; nothing recorded was lost; close "
            f"that program (a database browser, a copy in progress) and type: {resume}"
        )
    if "malformed" in reported or "not a database" in reported:
        return f"{where} is damaged or no database ({reported}); restore it from a copy, then type: {resume}"
    if "readonly" in reported or "permission" in reported.lower():
        return f"{where} cannot be written ({reported}); check its owner and permissions, then type: {resume}"
    if "unable to open" in reported:
        return f"{where} cannot be opened; check that its folder exists and is yours to write, then type: {resume}"
    return f"the database {where} reports: {reported}; nothing recorded was lost; once it answers, type: {resume}"


def _is_full(path: Path | None) -> bool:
    """Whether an input or output error of SQLite comes from a full disk: it reports some of them so."""
    if path is None or not path.parent.is_dir():
        return False
    return shutil.disk_usage(path.parent).free < _ALMOST_NOTHING_BYTES
