"""The store: one writer, append-only answers, a database from elsewhere refused."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.errors import DatabaseError, LibraryLocked, NotFound, PreciousError
from precious_daemon.models import Choice, Photo, PhotoState, Question, Stamp
from precious_daemon.store import READERS, STUDIES, Database, Store, answers, changes, photos, pictures, roots, voters


@pytest.fixture
def three(store: Store, tmp_path: Path) -> list[Photo]:
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)
    ids = [store.write(changes.add_still, root.id, f"{n}.jpg", Stamp(1, n, 10, 0), float(n)) for n in (1, 2, 3)]
    return [store.read(photos.get, i) for i in ids]


def vote(store: Store, choice: Choice, first: Photo, second: Photo, request: str | None = None) -> int:
    return store.write(answers.add, 1, Question.PAIR, choice, first.id, second.id, "rank", 0.0, request).id


def test_second_writer_is_refused_with_the_process_that_has_it(here: Places, store: Store) -> None:
    code = "from precious_daemon.config import places; from precious_daemon.store import Store; Store(places())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "LibraryLocked" in done.stderr
    with pytest.raises(LibraryLocked, match="already open in process"):
        Store(here)


def test_reader_needs_no_lock_and_cannot_write(here: Places, store: Store) -> None:
    with Store(here, writer=False) as reader:
        assert reader.read(roots.all_roots) == []
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.read(lambda db: db.execute("DELETE FROM roots"))


def test_database_of_a_newer_version_is_refused_untouched(here: Places) -> None:
    Store(here).close()
    with sqlite3.connect(here.library_db) as connection:
        connection.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, 'm999_future', '2030')",
                           ["precious-daemon library"])  # fmt: skip
    connection.close()
    with pytest.raises(DatabaseError, match="newer version"):
        Store(here)


def test_file_that_is_no_database_is_refused(here: Places) -> None:
    here.make()
    here.library_db.write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(DatabaseError, match="damaged"):
        Store(here)


def test_failed_write_leaves_nothing_behind(store: Store, three: list[Photo]) -> None:
    def half(db: Database) -> None:
        answers.add(db, 1, Question.LABEL, Choice.KEEP, three[0].id, None, "train", 0.0)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        store.write(half)
    assert store.read(answers.labels, 1) == []


def test_answers_cannot_be_changed_or_deleted(store: Store, three: list[Photo]) -> None:
    vote(store, Choice.FIRST, three[0], three[1])
    for sql in ("DELETE FROM answers", "UPDATE answers SET choice = 'second'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.write(lambda db, sql=sql: db.execute(sql))


def test_repeated_send_is_stored_once(store: Store, three: list[Photo]) -> None:
    assert vote(store, Choice.FIRST, three[0], three[1], "r1") == vote(store, Choice.FIRST, three[0], three[1], "r1")
    assert len(list(store.read(lambda db: list(answers.votes(db, 1))))) == 1
    other = store.write(voters.add, "Ben", 0.0).id
    with pytest.raises(PreciousError, match="for another profile"):
        store.write(answers.add, other, Question.LABEL, Choice.KEEP, three[0].id, None, "train", 0.0, "r1")


def test_undo_takes_back_the_newest_that_counts_and_keeps_the_row(store: Store, three: list[Photo]) -> None:
    a, b, c = three
    vote(store, Choice.FIRST, a, b)
    vote(store, Choice.SECOND, b, c)
    assert store.write(answers.undo, 1, 1.0).choice is Choice.SECOND
    assert [v.winner for _, v in store.read(lambda db: list(answers.votes(db, 1)))] == [a.id]
    store.write(answers.undo, 1, 2.0)
    with pytest.raises(NotFound):
        store.write(answers.undo, 1, 3.0)
    assert store.read(lambda db: db.execute("SELECT count(*) FROM answers").fetchone()[0]) == 4


def test_both_go_is_a_delete_label_for_each(store: Store, three: list[Photo]) -> None:
    vote(store, Choice.BOTH_DELETE, three[0], three[1])
    assert {(label.photo_id, label.keep) for label in store.read(answers.labels, 1)} == {
        (three[0].id, False),
        (three[1].id, False),
    }
    assert store.read(answers.counts, 1)["votes"] == 0


def test_newest_label_of_a_photo_counts(store: Store, three: list[Photo]) -> None:
    for choice in (Choice.KEEP, Choice.DELETE):
        store.write(answers.add, 1, Question.LABEL, choice, three[0].id, None, "train", 0.0)
    assert [label.keep for label in store.read(answers.labels, 1)] == [False]


def test_previews_beyond_the_limit_give_way_to_newer_ones(store: Store) -> None:
    for number in range(10):
        store.write(pictures.put_preview, bytes([number]) * 32, b"x" * 1000, 5500)
    store.write(pictures.put_preview, bytes([9]) * 32, b"y" * 1000, 5500)
    kept = [number for number in range(10) if store.read(pictures.preview, bytes([number]) * 32)]
    assert kept == [5, 6, 7, 8, 9]
    assert store.read(pictures.preview_bytes) == 5000


def test_files_are_readable_by_their_owner_alone(here: Places, store: Store) -> None:
    for file in (here.library_db, here.cache_db):
        assert file.stat().st_mode & 0o077 == 0


def test_writes_are_on_disk_when_they_return(here: Places) -> None:
    """A process killed right after an answer was acknowledged has it."""
    code = """
import os, signal
from precious_daemon.config import places
from precious_daemon.models import Choice, Question, Stamp
from precious_daemon.store import Store, answers, changes, roots
store = Store(places())
root = store.write(roots.add, "/x", "m", 1, 0.0)
photo = store.write(changes.add_still, root.id, "a.jpg", Stamp(1, 1, 1, 1), 0.0)
store.write(answers.add, 1, Question.LABEL, Choice.KEEP, photo, None, "train", 0.0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    with Store(here) as store:
        assert len(store.read(answers.labels, 1)) == 1
        assert store.read(lambda db: db.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"


def test_closing_finishes_what_is_queued(here: Places) -> None:
    store = Store(here)
    store.write(roots.add, "/x", "m", 1, time.time())
    store.close()
    with Store(here) as again:
        assert len(again.read(roots.all_roots)) == 1


def test_where_no_folder_is_there_nothing_waits(store: Store) -> None:
    assert store.read(photos.waiting_count, []) == 0
    assert store.read(photos.unread_sizes, []) == {}
    assert store.read(photos.unseen_count, [], 0) == 0


def test_measures_of_all_photos_are_read_without_their_pictures(store: Store) -> None:
    plan = "EXPLAIN QUERY PLAN SELECT content_hash, quality FROM pictures"  # as learning and grouping ask
    assert "COVERING INDEX" in store.read(lambda db: db.execute(plan).fetchone()[3])


def test_months_and_parts_of_a_large_library_are_found_without_looking_at_all_of_it(store: Store, tmp_path: Path) -> None:
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)
    days = [(root.id, f"{day}.jpg", day * 86400.0) for day in range(2 * 365)]
    add = """INSERT INTO photos (uid, root_id, path, state, taken_at, added_at, changed_at)
        VALUES (hex(randomblob(16)), ?, ?, 'present', ?, 0, 0)"""
    store.write(lambda db: db.conn.executemany(add, days) and None)
    steps: list[int] = []

    def months(db: Database) -> list[str]:
        db.conn.set_progress_handler(lambda: steps.append(100), 100)
        return [f"{month:%Y-%m}" for month in photos.months(db, PhotoState.PRESENT)]

    def some(db: Database) -> list[int]:
        db.conn.set_progress_handler(lambda: steps.append(100), 100)
        return [photo.id for photo in photos.parts(db, 300, 5)]

    assert store.read(months) == [f"{year}-{month:02}" for year in (1971, 1970) for month in range(12, 0, -1)]
    assert sum(steps) < 5000  # of SQLite's machine; looking at each of the photos takes 70,000
    store.write(lambda db: db.execute("UPDATE photos SET content_hash = randomblob(32)") and None)
    steps.clear()
    assert store.read(some) == [301, 302, 303, 304, 305]
    assert sum(steps) < 1000  # putting all of them in order takes four times as many


async def test_what_several_say_at_once_is_stored_together_and_whatever_fails_fails_alone(
    store: Store, three: list[Photo]
) -> None:
    held, free = threading.Event(), threading.Event()

    def hold(db: Database) -> None:
        db.conn.set_trace_callback(statements.append)
        held.set()
        free.wait(10)

    def half(db: Database, photo: Photo) -> None:
        say(db, photo)
        raise ValueError("half way")

    def say(db: Database, photo: Photo) -> int:
        return answers.add(db, 1, Question.LABEL, Choice.KEEP, photo.id, None, "train", 0.0).id

    statements: list[str] = []
    holding = asyncio.create_task(store.awrite(hold))
    await asyncio.to_thread(held.wait, 10)
    first, second, third = (
        asyncio.create_task(store.asay(act, photo)) for act, photo in zip((say, half, say), three, strict=True)
    )
    given_up = asyncio.create_task(store.asay(say, three[1]))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    free.set()
    await holding
    assert await first < await third
    with pytest.raises(ValueError, match="half way"):
        await second
    assert [label.photo_id for label in store.read(answers.labels, 1)] == [three[0].id, three[2].id]
    assert statements.count("COMMIT") == 2, "one for what was held, one for all that was said"


async def test_nobody_who_spoke_is_told_that_it_is_stored_where_the_disk_refused_it(store: Store, three: list[Photo]) -> None:
    def say(db: Database, photo: Photo) -> None:
        answers.add(db, 1, Question.LABEL, Choice.KEEP, photo.id, None, "train", 0.0)

    def fill(db: Database, photo: Photo) -> None:
        say(db, photo)
        db.execute("INSERT OR ROLLBACK INTO roots SELECT * FROM roots")  # as SQLite does by itself when the disk is full

    told = await asyncio.gather(
        *(store.asay(act, photo) for act, photo in zip((say, fill, say), three, strict=True)), return_exceptions=True
    )
    stored = len(store.read(answers.labels, 1))
    assert isinstance(told[1], sqlite3.IntegrityError)
    assert stored == told.count(None), "the third may come with the next transaction"
    await store.asay(say, three[0])
    assert len(store.read(answers.labels, 1)) > stored


async def test_a_page_does_not_wait_for_what_goes_through_the_whole_library(store: Store) -> None:
    over = threading.Event()
    studies = [asyncio.create_task(store.astudy(lambda db: over.wait(60))) for _ in range(STUDIES + READERS)]
    try:
        assert await asyncio.wait_for(store.aread(roots.all_roots), 30) == []
    finally:
        over.set()
    assert all(await asyncio.gather(*studies))
