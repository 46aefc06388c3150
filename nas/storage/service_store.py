"""What the service keeps for itself: tokens, an audit log, jobs and labels of runs.

In the database of the runs where the service was given one, else in a SQLite file of its own. Every change is one
transaction; several services may share a database, in which each has jobs of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import exc as sa_errors

from nas.storage.database import Database, now
from nas.storage.schema import Schema
from search_spaces.core.errors import NotFound, WrongUse, did_you_mean

Role = Literal["read", "run", "admin"]
JobState = Literal["queued", "running", "complete", "failed", "cancelled", "interrupted"]
LIVE: tuple[JobState, ...] = ("queued", "running")
_MOST_NAME_CHARACTERS = 64
_SERVICE = "SERVICE"  # the name in advices; what goes wrong here belongs to no run

_TABLES = sa.MetaData()


def _name(column: str, **more: Any) -> sa.Column[str]:
    return sa.Column(column, sa.String(_MOST_NAME_CHARACTERS), **more)


_TOKENS = sa.Table(
    "fitnas_tokens",
    _TABLES,
    _name("name", primary_key=True),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("used", sa.String(32)),
    sa.Column("revoked", sa.String(32)),
)
_AUDIT = sa.Table(
    "fitnas_audit",
    _TABLES,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),
    _name("who", nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
)
_JOBS = sa.Table(
    "fitnas_jobs",
    _TABLES,
    _name("id", primary_key=True),
    _name("place", nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    _name("run", nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    _name("by", nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("started", sa.String(32)),
    sa.Column("ended", sa.String(32)),
    sa.Column("pid", sa.Integer),
    sa.Column("born", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("exit_code", sa.Integer),
    sa.Column("message", sa.Text),
)
_LABELS = sa.Table(
    "fitnas_labels",
    _TABLES,
    _name("run", primary_key=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
)
_SCHEMA = Schema("fitnas_service_schema", 1, _TABLES)


@dataclass(frozen=True)
class Token:
    """A named token without its secret; times are UTC, ISO 8601. `digest`: SHA-256 of the secret, in hex."""

    name: str
    role: Role
    digest: str
    created: str
    used: str | None = None
    revoked: str | None = None


@dataclass(frozen=True)
class Change:
    """One line of the audit log: who asked for what, and the HTTP status of the answer."""

    number: int
    at: str
    who: str
    action: str
    status: int


@dataclass(frozen=True)
class Job:
    """Long work. `arguments`: what its command gets. `pid`, `born`: its process and when that began, in seconds since
    the machine did, which together name it for good; None before it runs. `started`: the newest attempt of `attempts`.
    """

    id: str
    kind: str
    run: str
    state: JobState
    by: str
    arguments: Mapping[str, Any]
    created: str
    started: str | None = None
    ended: str | None = None
    pid: int | None = None
    born: float | None = None
    attempts: int = 0
    exit_code: int | None = None
    message: str | None = None


@dataclass(frozen=True)
class Labels:
    """What people wrote on a run."""

    note: str = ""
    tags: tuple[str, ...] = ()


class ServiceStore:
    """Tables of the service in a database, made where they are missing. Close it behind the last use.

    `place` names the service whose jobs these are, among those that share the database.
    """

    def __init__(self, url: str, place: str = "") -> None:
        self._place = place
        self._database = Database(url)
        self._engine = self._database.engine
        try:
            with self._database.explained(_SERVICE):
                _SCHEMA.create(self._engine)
                with self._engine.connect() as connection:
                    _SCHEMA.is_there(connection, self._database.where)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ServiceStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back."""
        self._database.close()

    # tokens

    def add_token(self, token: Token) -> None:
        """`WrongUse` where the name is taken, also by a token that was revoked: the audit log names it."""
        row = {field.name: getattr(token, field.name) for field in fields(Token)}
        try:
            self._write(sa.insert(_TOKENS).values(row))
        except _Taken:
            raise WrongUse(f"there is a token '{token.name}' already, or was; choose another name") from None

    def tokens(self) -> list[Token]:
        """All, the oldest first; the revoked among them."""
        return [_token(row) for row in self._read(sa.select(_TOKENS).order_by(_TOKENS.c.created, _TOKENS.c.name))]

    def token_of(self, digest: str) -> Token | None:
        """The token of that secret that is not revoked; None where there is none."""
        query = sa.select(_TOKENS).where(_TOKENS.c.digest == digest, _TOKENS.c.revoked.is_(None))
        return next((_token(row) for row in self._read(query)), None)

    def token_was_used(self, name: str) -> None:
        """Notes the time."""
        self._write(sa.update(_TOKENS).where(_TOKENS.c.name == name).values(used=now()))

    def revoke_token(self, name: str) -> None:
        """From now on it opens nothing; `NotFound` with the nearest name where there is no such token in use."""
        found = sa.update(_TOKENS).where(_TOKENS.c.name == name, _TOKENS.c.revoked.is_(None)).values(revoked=now())
        if not self._write(found):
            names = [token.name for token in self.tokens() if token.revoked is None]
            raise NotFound(f"there is no token '{name}' in use{did_you_mean(name, names)}")

    # audit

    def audit(self, who: str, action: str, status: int) -> None:
        """Adds a line."""
        self._write(sa.insert(_AUDIT).values(at=now(), who=who, action=action, status=status))

    def changes(self, limit: int = 1000) -> list[Change]:
        """The last lines, the newest first."""
        query = sa.select(_AUDIT).order_by(_AUDIT.c.number.desc()).limit(limit)
        return [Change(row.number, row.at, row.who, row.action, row.status) for row in self._read(query)]

    # jobs

    def add_job(self, job: Job) -> None:
        """A new one."""
        row = {field.name: getattr(job, field.name) for field in fields(Job)}
        written = {"place": self._place, "arguments": json.dumps(dict(job.arguments))}
        self._write(sa.insert(_JOBS).values(row | written))

    def job(self, job_id: str) -> Job:
        """`NotFound` where there is none of that id."""
        found = self.jobs(ids=[job_id])
        if not found:
            raise NotFound(f"there is no job '{job_id}'; list them with GET /api/v1/jobs")
        return found[0]

    def jobs(
        self, states: Sequence[JobState] | None = None, run: str | None = None, ids: Sequence[str] | None = None
    ) -> list[Job]:
        """Those that match all that is given, the oldest first."""
        query = sa.select(_JOBS).where(_JOBS.c.place == self._place).order_by(_JOBS.c.created, _JOBS.c.id)
        if states is not None:
            query = query.where(_JOBS.c.state.in_(states))
        if run is not None:
            query = query.where(_JOBS.c.run == run)
        if ids is not None:
            query = query.where(_JOBS.c.id.in_(ids))
        return [_job(row) for row in self._read(query)]

    def change_job(self, job_id: str, expected: Sequence[JobState], **values: Any) -> bool:
        """Writes values where the job is in one of the states expected; whether it was. So no two steps race."""
        found = sa.update(_JOBS).where(_JOBS.c.id == job_id, _JOBS.c.state.in_(expected)).values(**values)
        return bool(self._write(found))

    def last_starts(self) -> dict[str, str]:
        """When a job last began, by who asked for it."""
        newest = sa.select(_JOBS.c.by, sa.func.max(_JOBS.c.started).label("at")).group_by(_JOBS.c.by)
        query = newest.where(_JOBS.c.place == self._place, _JOBS.c.started.is_not(None))
        return {row.by: row.at for row in self._read(query)}

    # labels

    def labels(self) -> dict[str, Labels]:
        """By run; those without any are missing."""
        return {row.run: Labels(row.note, tuple(json.loads(row.tags))) for row in self._read(sa.select(_LABELS))}

    def set_labels(self, run: str, labels: Labels) -> None:
        """In the place of what was there."""
        with self._database.explained(_SERVICE), self._engine.begin() as connection:
            connection.execute(sa.delete(_LABELS).where(_LABELS.c.run == run))
            if labels != Labels():
                row = {"run": run, "note": labels.note, "tags": json.dumps(labels.tags)}
                connection.execute(sa.insert(_LABELS).values(row))

    def rename(self, run: str, name: str) -> None:
        """Labels and jobs follow a run to its new name."""
        with self._database.explained(_SERVICE), self._engine.begin() as connection:
            for table in (_LABELS, _JOBS):
                connection.execute(sa.update(table).where(table.c.run == run).values(run=name))

    def _read(self, query: Any) -> Sequence[Any]:
        with self._database.explained(_SERVICE), self._engine.connect() as connection:
            return connection.execute(query).all()

    def _write(self, statement: Any) -> int:
        with self._database.explained(_SERVICE):
            try:
                with self._engine.begin() as connection:
                    return int(connection.execute(statement).rowcount)
            except sa_errors.IntegrityError as error:
                raise _Taken from error


class _Taken(Exception):
    """A key is there already."""


def _token(row: Any) -> Token:
    return Token(**{field.name: getattr(row, field.name) for field in fields(Token)})


def _job(row: Any) -> Job:
    values = {field.name: getattr(row, field.name) for field in fields(Job)}
    return Job(**{**values, "arguments": json.loads(values["arguments"])})
