"""A connection of the store: transactions begin and end where they are said to, whatever is done inside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from precious_daemon.store.database import Database, Migrations

SCRIPT = """
    CREATE TABLE a (x TEXT);  -- not the end; of it
    CREATE TABLE log (x TEXT);
    CREATE TRIGGER noted AFTER DELETE ON a BEGIN
        INSERT INTO log VALUES (old.x); INSERT INTO log VALUES (';');
    END;
    INSERT INTO a VALUES ('one; two')
"""


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield Database(connection)


def tables(db: Database) -> list[str]:
    return [row["name"] for row in db.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def test_script_is_run_statement_by_statement(db: Database) -> None:
    db.executescript(SCRIPT)
    db.execute("DELETE FROM a")
    assert [row["x"] for row in db.query("SELECT x FROM log")] == ["one; two", ";"]


def test_script_inside_a_transaction_is_part_of_it(db: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="nonsense"), db.atomic():
        db.executescript(SCRIPT + "; nonsense")
    assert tables(db) == []
    assert not db.conn.in_transaction


def test_script_without_its_end_is_refused(db: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match=r"syntax error|incomplete"):
        db.executescript("CREATE TABLE a (x); CREATE TRIGGER t AFTER DELETE ON a BEGIN DELETE FROM a;")


def test_rows_that_a_write_returns_are_written_before_they_are_read(db: Database) -> None:
    db.executescript(SCRIPT)
    rows = db.query("INSERT INTO a VALUES ('three') RETURNING x, rowid AS id")
    assert db.execute("SELECT count(*) FROM a").fetchone() == (2,)
    assert list(rows) == [{"x": "three", "id": 2}]


def test_replacing_a_row_tells_the_triggers(db: Database) -> None:
    db.executescript(SCRIPT + "; CREATE UNIQUE INDEX once ON a (x)")
    db.execute("INSERT OR REPLACE INTO a VALUES ('one; two')")
    assert db.execute("SELECT count(*) FROM log").fetchone() == (2,)


def test_change_of_the_tables_that_fails_is_undone_and_done_later_with_those_after_it(db: Database) -> None:
    changes, fails = Migrations("test"), [True]

    @changes()
    def m001_first(db: Database) -> None:
        db.execute("CREATE TABLE first (x)")

    @changes()
    def m002_second(db: Database) -> None:
        db.execute("CREATE TABLE second (x)")
        if fails:
            raise sqlite3.OperationalError(fails.pop())

    assert changes.pending(db) == ["m001_first", "m002_second"]
    with pytest.raises(sqlite3.OperationalError):
        changes.apply(db)
    assert changes.applied(db) == ["m001_first"]
    assert "second" not in tables(db)
    changes.apply(db)
    assert changes.pending(db) == []
    assert "second" in tables(db)
    assert Migrations("another of the same file").applied(db) == []
