"""A library that an earlier version wrote opens with everything its owner said, and a copy of it is kept first."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.models import PhotoState, RootState, UnitState
from precious_daemon.store import Store, answers, photos, ratings, roots, suggestions, tallies, units
from tests.e2e.process import command

KEPT = Path(__file__).parent / "data" / "library-m008.sql"
"""40 photos, 12 comparisons, 10 labels, 2 photos moved to the trash and one of them put back, 1 suggestion dismissed."""


@pytest.fixture
def old(here: Places) -> Places:
    here.make()
    with closing(sqlite3.connect(here.library_db)) as db:
        db.executescript(KEPT.read_text())
    return here


def facts(db: sqlite3.Connection) -> dict[str, object]:
    """What must be the same before and after."""

    def rows(sql: str) -> list[tuple[object, ...]]:
        return db.execute(sql).fetchall()

    return {
        "photos": rows("SELECT uid, path, state, content_hash, taken_at FROM photos ORDER BY id"),
        "answers": rows("SELECT at, question, choice, photo_id, other_id, purpose FROM answers ORDER BY id"),
        "suggestions": rows("SELECT uid, photo_id, kind, state, reasons FROM suggestions ORDER BY id"),
        "units": rows("SELECT uid, photo_id, state, reason FROM units ORDER BY id"),
        "unit files": rows("SELECT unit_id, path, inode, content_hash, trash_path FROM unit_files ORDER BY unit_id, path"),
    }


def test_everything_the_owner_said_is_still_there(old: Places) -> None:
    with closing(sqlite3.connect(old.library_db)) as db:
        before = facts(db)
    with Store(old) as store:
        assert store.read(lambda db: facts(db.conn)) == before
        assert store.read(lambda db: db.execute("PRAGMA main.integrity_check").fetchone()[0]) == "ok"
        assert store.read(lambda db: db.execute("PRAGMA main.foreign_key_check").fetchall()) == []
        said = store.read(answers.counts, 1)
        assert (said["votes"], said["train"] + said["test"]) == (12, 10)
        assert Counter(u.state for u in store.read(units.in_states, *UnitState)) == {UnitState.DONE: 1, UnitState.UNDONE: 1}
        assert store.read(photos.counts)[PhotoState.TRASHED] == 1
        assert store.read(suggestions.counts, 1)
        assert [root.state for root in store.read(roots.all_roots)] == [RootState.WATCHED]


def test_tallies_of_an_upgraded_library_are_those_of_a_recount(old: Places) -> None:
    with Store(old) as store:
        sql = "SELECT what, whose, which, count FROM tallies WHERE count != 0 ORDER BY what, whose, which"
        kept = store.read(lambda db: db.execute(sql).fetchall())
        store.write(tallies.recount)
        assert store.read(lambda db: db.execute(sql).fetchall()) == kept


def test_ratings_are_made_anew_from_the_votes(old: Places) -> None:
    command("votes", "export")
    with Store(old) as store:
        assert store.read(ratings.count, 1) > 0


def test_command_that_only_reads_brings_an_old_library_up_to_date(old: Places) -> None:
    found = json.loads(command("status", "--json", status=2))
    assert found["answers"]["votes"] == 12
    assert list((old.data / "backups").iterdir())
    assert json.loads(command("status", "--json", status=2))["photos"]["present"] == 39


def test_copy_of_the_old_library_is_kept(old: Places) -> None:
    before = old.library_db.read_bytes()
    Store(old).close()
    (copy,) = (old.data / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as db, closing(sqlite3.connect(":memory:")) as memory:
        memory.deserialize(before)
        assert facts(db) == facts(memory)
        assert db.execute("SELECT max(name) FROM _sqlite_migrations").fetchone()[0] == "m008_out_of_the_ranking"
