"""The database of runs and trials.

SQLite by default, any SQLAlchemy URL otherwise (PostgreSQL: `pip install 'fitnas[postgres]'`). One trial is one row and
one transaction, durable before `record` returns: SQLite in write-ahead mode with synchronous=FULL, so that neither
kill -9 nor a power cut loses or doubles a recorded trial. One process, the run's driver, writes; others may read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import sqlalchemy as sa
from sqlalchemy import exc as sa_errors
from sqlalchemy.engine import Connection

from nas.core.trial import Trial
from nas.storage.database import Database, now
from nas.storage.schema import Schema
from search_spaces.core.errors import NotFound, Refused, WrongUse, did_you_mean

RunState = Literal["created", "training", "searching", "complete", "interrupted", "stopped", "failed"]

_MOST_NAME_CHARACTERS = 64

# Table names carry the project's: a shared database may well have somebody else's `runs` and `trials`.
_TABLES = sa.MetaData()
_RUNS = sa.Table(
    "fitnas_runs",
    _TABLES,
    sa.Column("name", sa.String(_MOST_NAME_CHARACTERS), primary_key=True),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("space", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("data_hash", sa.String(_MOST_NAME_CHARACTERS), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("updated", sa.String(32), nullable=False),
)
_TRIALS = sa.Table(
    "fitnas_trials",
    _TABLES,
    sa.Column("run", sa.ForeignKey("fitnas_runs.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("architecture", sa.String(16), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
_SCHEMA = Schema("fitnas_schema", 1, _TABLES)


@dataclass(frozen=True)
class RunRecord:
    """What the database knows of a run; times are UTC, ISO 8601."""

    name: str
    config_json: str
    space_json: str
    reference_json: str
    data_hash: str
    state: RunState
    created: str
    updated: str


class Store:
    """Runs and trials in a database.

    With `create` the tables (and the SQLite file) are made where missing; without, a missing one is `NotFound`. A
    database that another program locks is waited for during `wait_seconds`. Everything that goes wrong is a
    `FitnasError` that says the way out; passwords in URLs are not shown. Close it, or use it as a context manager.
    """

    def __init__(self, url: str, *, create: bool = True, wait_seconds: float = 10.0) -> None:
        self._database = Database(url, wait_seconds)
        try:
            self._open(create)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The database's file, or its URL without the password."""
        return self._database.where

    def close(self) -> None:
        """Closes every connection; the object can be used again and opens new ones."""
        self._database.close()

    def create_run(
        self, name: str, *, config_json: str, space_json: str, reference_json: str, data_hash: str = ""
    ) -> RunRecord:
        """A new run in the state 'created'; `WrongUse` where the name is taken."""
        begun = now()
        record = RunRecord(name, config_json, space_json, reference_json, data_hash, "created", begun, begun)
        row = {"name": name, "config": config_json, "space": space_json, "reference": reference_json}
        row |= {"data_hash": data_hash, "state": record.state, "created": begun, "updated": begun}
        with self._database.explained(name):
            try:
                with self._database.engine.begin() as connection:
                    connection.execute(sa.insert(_RUNS).values(row))
            except sa_errors.IntegrityError:
                raise WrongUse(
                    f"{self.where} has a run '{name}' already; go on with: nas resume {name}, or choose another --run"
                ) from None
        return record

    def run(self, name: str) -> RunRecord:
        """The run of that name; `NotFound` with the nearest name otherwise."""
        with self._database.explained(name), self._database.engine.connect() as connection:
            row = connection.execute(sa.select(_RUNS).where(_RUNS.c.name == name)).one_or_none()
            if row is None:
                names = list(connection.execute(sa.select(_RUNS.c.name)).scalars())
                raise NotFound(f"{self.where} has no run '{name}'{did_you_mean(name, names)}")
        return _record(row)

    def runs(self) -> list[RunRecord]:
        """All runs, the oldest first, equal times by name; may be empty."""
        with self._database.explained("RUN"), self._database.engine.connect() as connection:
            rows = connection.execute(sa.select(_RUNS).order_by(_RUNS.c.created, _RUNS.c.name)).all()
        return [_record(row) for row in rows]

    def set_state(self, run: str, state: RunState) -> None:
        """Where the run stands. `NotFound` for an unknown run, `ValueError` for an unknown state."""
        if state not in get_args(RunState):
            raise ValueError(f"unknown state '{state}'; known: {', '.join(get_args(RunState))}")
        with self._database.explained(run), self._database.engine.begin() as connection:
            touched = _touch(connection, run, state=state)
        if not touched:
            raise NotFound(f"{self.where} has no run '{run}'")

    def record(self, run: str, trial: Trial) -> None:
        """Writes one trial as one row in one transaction; it is durable when this returns.

        `Refused` where the run has a trial of this number already: the first one stands. `NotFound` for an unknown run.
        """
        row = {"run": run, "number": trial.number, "state": trial.state, "architecture": trial.architecture.id}
        with self._database.explained(run):
            try:
                with self._database.engine.begin() as connection:
                    connection.execute(sa.insert(_TRIALS).values(row | {"document": trial.to_json()}))
                    _touch(connection, run)
            except sa_errors.IntegrityError:
                self.run(run)  # says so where it is the run that is missing
                self._refuse_double(run, trial)

    def _refuse_double(self, run: str, trial: Trial) -> None:
        query = sa.select(_TRIALS.c.document).where(_TRIALS.c.run == run, _TRIALS.c.number == trial.number)
        with self._database.engine.connect() as connection:
            stored = Trial.from_json(connection.execute(query).scalar_one())
        same = "the same result" if stored == trial else "another result, which stands"
        raise Refused(f"trial {trial.number} of run '{run}' is recorded already, with {same}; nothing was written")

    def trials(self, run: str) -> list[Trial]:
        """The trials of a run by number; empty before the first. `NotFound` for an unknown run."""
        self.run(run)
        query = sa.select(_TRIALS.c.document).where(_TRIALS.c.run == run).order_by(_TRIALS.c.number)
        with self._database.explained(run), self._database.engine.connect() as connection:
            documents = connection.execute(query).scalars().all()
        return [Trial.from_json(document) for document in documents]

    def numbers_from(self, run: str, number: int) -> list[int]:
        """The numbers of the trials of a run that are `number` or higher, ascending; none for an unknown run."""
        query = sa.select(_TRIALS.c.number).where(_TRIALS.c.run == run, _TRIALS.c.number >= number)
        with self._database.explained(run), self._database.engine.connect() as connection:
            return list(connection.execute(query.order_by(_TRIALS.c.number)).scalars())

    def trials_of(self, run: str, numbers: Sequence[int]) -> list[tuple[str, Trial]]:
        """The trials of these numbers, at most 500, by number; those that a run has not are left out.

        Beside each the id of its network as it was recorded: to compute it takes as long as to read the trial.
        """
        columns = (_TRIALS.c.architecture, _TRIALS.c.document)
        query = sa.select(*columns).where(_TRIALS.c.run == run, _TRIALS.c.number.in_(numbers))
        with self._database.explained(run), self._database.engine.connect() as connection:
            rows = connection.execute(query.order_by(_TRIALS.c.number)).all()
        return [(row.architecture, Trial.from_json(row.document)) for row in rows]

    def count(self, run: str) -> int:
        """How many trials a run has; 0 for an unknown one."""
        query = sa.select(sa.func.count()).select_from(_TRIALS).where(_TRIALS.c.run == run)
        with self._database.explained(run), self._database.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def rename_run(self, run: str, name: str) -> None:
        """Gives a run and its trials another name, in one transaction; nothing where only the new name is there.

        `NotFound` for an unknown run, `WrongUse` where the name is another run's.
        """
        names = {record.name for record in self.runs()}
        if run not in names and name in names:
            return  # done, before something else stopped
        if name in names:
            raise WrongUse(f"{self.where} has a run '{name}' already; choose another name")
        record = self.run(run)
        row = {"name": name, "config": record.config_json, "space": record.space_json, "updated": now()}
        row |= {"reference": record.reference_json, "data_hash": record.data_hash, "state": record.state}
        with self._database.explained(run), self._database.engine.begin() as connection:
            connection.execute(sa.insert(_RUNS).values(row | {"created": record.created}))
            connection.execute(sa.update(_TRIALS).where(_TRIALS.c.run == run).values(run=name))
            connection.execute(sa.delete(_RUNS).where(_RUNS.c.name == run))

    def delete_run(self, run: str) -> None:
        """Removes a run and its trials in one transaction; `NotFound` for an unknown run."""
        with self._database.explained(run), self._database.engine.begin() as connection:
            connection.execute(sa.delete(_TRIALS).where(_TRIALS.c.run == run))
            deleted = connection.execute(sa.delete(_RUNS).where(_RUNS.c.name == run)).rowcount
        if not deleted:
            raise NotFound(f"{self.where} has no run '{run}'")

    def _open(self, create: bool) -> None:
        path = self._database.path
        if path is not None and not create and not path.is_file():
            raise NotFound(f"the database {path} does not exist; check the name, or start a run with: nas search")
        with self._database.explained("RUN"):
            if create:
                _SCHEMA.create(self._database.engine)
            with self._database.engine.connect() as connection:
                there = _SCHEMA.is_there(connection, self.where)
        if not there:
            raise NotFound(f"{self.where} holds no runs of fitnas; check the name, or start a run with: nas search")


def _touch(connection: Connection, run: str, **values: str) -> bool:
    statement = sa.update(_RUNS).where(_RUNS.c.name == run).values(updated=now(), **values)
    return bool(connection.execute(statement).rowcount)


def _record(row: Any) -> RunRecord:
    state = cast(RunState, row.state)
    return RunRecord(row.name, row.config, row.space, row.reference, row.data_hash, state, row.created, row.updated)
