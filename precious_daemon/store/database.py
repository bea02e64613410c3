"""A connection to SQLite as the store uses it: statements, rows by name, transactions, and the changes of its tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

Values = Sequence[Any] | Mapping[str, Any]
Change = Callable[["Database"], None]


class Database:
    """What the functions of the store take. Each statement is a transaction of its own, but for those inside `atomic`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.isolation_level = None  # Python would begin transactions where it sees fit
        connection.execute("PRAGMA recursive_triggers=ON")  # so that REPLACE tells the triggers what it removes
        self.conn = connection

    def execute(self, sql: str, values: Values = ()) -> sqlite3.Cursor:
        return self.conn.execute(sql, values)

    def query(self, sql: str, values: Values = ()) -> Iterator[dict[str, Any]]:
        """The rows, by the names of their columns. The statement is run at once, the rows are read as they are asked for."""
        cursor = self.conn.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return (dict(zip(names, row, strict=True)) for row in cursor)

    def executescript(self, sql: str) -> None:
        """Several statements. sqlite3's own way of doing this would end the transaction that it finds."""
        for statement in _statements(sql):
            self.conn.execute(statement)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All that is done inside, or nothing of it."""
        self.conn.execute("BEGIN")
        try:
            yield
            self.conn.execute("COMMIT")
        except BaseException:
            self.conn.rollback()
            raise


def _statements(sql: str) -> Iterator[str]:
    """One by one. A semicolon in a comment, in quotes or in a trigger ends none: SQLite itself says what does."""
    statement = ""
    for part in sql.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement:
        yield statement  # it lacks its end: SQLite says so


class Migrations:
    """What has been done to a database since its first day, in order. The database itself says which of it was done there."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.changes: dict[str, Change] = {}  # by name

    def __call__(self) -> Callable[[Change], Change]:
        """Decorates one more change, which is known by the name of its function."""

        def add(change: Change) -> Change:
            assert change.__name__ not in self.changes, change.__name__
            self.changes[change.__name__] = change
            return change

        return add

    def applied(self, db: Database) -> list[str]:
        """What was done, in that order; of newer versions, too."""
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
            return []
        sql = "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid"
        return [name for (name,) in db.execute(sql, [self._name])]

    def pending(self, db: Database) -> list[str]:
        applied = set(self.applied(db))
        return [name for name in self.changes if name not in applied]

    def apply(self, db: Database) -> None:
        """Do what is pending: each in one transaction with the note that it was done."""
        with db.atomic():
            db.executescript("""
                CREATE TABLE IF NOT EXISTS _sqlite_migrations (
                    id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT
                );
                CREATE UNIQUE INDEX IF NOT EXISTS idx__sqlite_migrations_migration_set_name
                    ON _sqlite_migrations (migration_set, name);
            """)
        for name in self.pending(db):
            with db.atomic():
                self.changes[name](db)
                note = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)"
                db.execute(note, [self._name, name, str(datetime.now(UTC))])
