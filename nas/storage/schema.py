"""Tables of one owner in a database, with the version that they were written in."""

import sqlalchemy as sa
from sqlalchemy import exc as sa_errors
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.schema import CreateTable

from search_spaces.core.errors import FitnasError


class Schema:
    """`tables`, and one more of that `name` which holds the version; this program reads and writes `version`."""

    def __init__(self, name: str, version: int, tables: sa.MetaData) -> None:
        self._version, self._tables = version, tables
        self._table = sa.Table(
            name,
            tables,
            sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("version", sa.Integer, nullable=False),
        )

    def create(self, engine: Engine) -> None:
        """Makes the tables where there are none; another program may do so at the same moment."""
        with engine.begin() as connection:
            if self._stored(connection) is not None:
                return
        with engine.begin() as connection:
            for table in self._tables.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
        try:
            with engine.begin() as connection:
                connection.execute(sa.insert(self._table).values(row=1, version=self._version))
        except sa_errors.IntegrityError:
            return  # the other program was first

    def is_there(self, connection: Connection, where: str) -> bool:
        """Whether the database `where` has the tables; `FitnasError` for those of another version."""
        stored = self._stored(connection)
        if stored is not None and stored != self._version:
            relation = "a newer" if stored > self._version else "an older"
            raise FitnasError(
                f"{where} was written by {relation} fitnas (schema {stored}, this one reads {self._version}); "
                f"{'upgrade with: pip install -U fitnas' if stored > self._version else 'read it with that version'}"
            )
        return stored is not None

    def _stored(self, connection: Connection) -> int | None:
        """The version of the tables; None where there are none or their creation was cut short."""
        if not sa.inspect(connection).has_table(self._table.name):
            return None
        version = connection.execute(sa.select(self._table.c.version)).scalar_one_or_none()
        return None if version is None else int(version)
