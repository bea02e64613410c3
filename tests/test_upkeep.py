"""Copies of the library, damage that is found, and a cache made anew."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from precious_daemon.config import Places, WatchSettings
from precious_daemon.errors import DatabaseError, LibraryLocked
from precious_daemon.folders.scan import scan
from precious_daemon.folders.upkeep import repair, verify
from precious_daemon.folders.watched import add_root
from precious_daemon.models import Choice, PhotoState, Question, Root
from precious_daemon.pictures.ingest import read_photo
from precious_daemon.store import Store, answers, backup, changes, photos, pictures, roots, schema
from tests.e2e.process import command
from tests.pictures import save, settle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        save(tmp_path / "pictures" / f"{number}.jpg", number)
    return tmp_path / "pictures"


@pytest.fixture
def library(here: Places, folder: Path) -> Places:
    """A library of four photos that were read, one of them labelled; closed."""
    with Store(here) as store:
        root = add_root(store, str(folder), time.time())
        scan(store, root, WatchSettings(), time.time)
        read_all(store, root)
        first = store.read(photos.page, PhotoState.PRESENT)[0]
        store.write(answers.add, 1, Question.LABEL, Choice.KEEP, first.id, None, "train", 0.0)
    return here


def read_all(store: Store, root: Root) -> None:
    for entry in store.read(photos.to_ingest, 1000, [root.id]):
        facts = read_photo(os.path.join(root.path, entry.path), 10)
        store.write(pictures.put, facts)
        store.write(changes.record_facts, entry, facts, 0.0)


def spoil(file: Path) -> None:
    """Overwrite the middle of a database, as a failing disk would."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with open(file, "r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * (file.stat().st_size - 8192))


# --- backup ------------------------------------------------------------------------------------------------------------


def test_backup_of_a_library_in_use_is_whole_and_sound(library: Places) -> None:
    with Store(library) as store:
        stop = threading.Event()

        def answer() -> None:
            number = 0
            while not stop.is_set():
                store.write(answers.add, 1, Question.PAIR, Choice.FIRST, 1, 2, "rank", 0.0, f"r{(number := number + 1)}")

        busy = threading.Thread(target=answer)
        busy.start()
        copy = backup.back_up(library, None, 0.0)
        stop.set()
        busy.join()
    assert copy.parent == library.backups
    assert copy.stat().st_mode & 0o077 == 0
    assert backup.damage(copy) == []
    assert [file.name for file in library.backups.iterdir()] == [copy.name], "one file, with nothing beside it"


def test_backup_put_in_the_place_of_the_library_has_every_answer(library: Places) -> None:
    copy = backup.back_up(library, None, 0.0)
    for file in library.data.glob("library.db*"):
        file.unlink()
    copy.rename(library.library_db)
    with Store(library) as store:
        assert len(store.read(answers.labels, 1)) == 1


def test_backup_never_takes_the_place_of_a_file(library: Places, tmp_path: Path) -> None:
    taken = tmp_path / "mine.db"
    taken.write_text("mine")
    with pytest.raises(DatabaseError, match="is there already"):
        backup.back_up(library, taken, 0.0)
    assert taken.read_text() == "mine"
    assert backup.back_up(library, tmp_path, 0.0).parent == tmp_path


def test_backup_of_a_damaged_library_is_refused_with_what_to_do(library: Places) -> None:
    good = backup.back_up(library, None, 0.0)
    spoil(library.library_db)
    with pytest.raises(DatabaseError, match=f"is damaged.*put the newest backup in its place: {good}"):
        backup.back_up(library, None, 60.0)
    assert [file.name for file in library.backups.iterdir()] == [good.name]


def test_backup_where_nothing_can_be_written_says_so_and_leaves_nothing(library: Places) -> None:
    with pytest.raises(DatabaseError, match="could not be written"):
        backup.back_up(library, Path("/proc/nowhere/copy.db"), 0.0)


def test_library_is_copied_before_a_migration_and_the_newest_five_copies_stay(
    library: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema.library, "_migrations", list(schema.library._migrations))
    names = []
    for number in range(7):
        names.append(f"m{900 + number}_later")
        schema.library(name=names[-1])(lambda db: None)
        Store(library).close()
    kept = sorted(file.name for file in library.backups.iterdir())
    assert [name.split("-")[1] for name in kept] == names[-5:]
    assert backup.damage(library.backups / kept[-1]) == []
    Store(library).close()
    assert len(list(library.backups.iterdir())) == 5, "without a migration there is no copy"


def test_migration_is_refused_where_no_copy_can_be_made(library: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema.library, "_migrations", list(schema.library._migrations))
    schema.library(name="m999_later")(lambda db: None)
    library.backups.write_text("in the way")
    with pytest.raises(DatabaseError, match="could not be written"):
        Store(library)
    with sqlite3.connect(library.library_db) as connection:
        assert not connection.execute("SELECT 1 FROM _sqlite_migrations WHERE name = 'm999_later'").fetchone()
    connection.close()


# --- verify ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("everything", [False, True])
def test_sound_library_is_said_to_be_sound(library: Places, everything: bool) -> None:
    found = verify(library, everything)
    assert found.ok
    assert (found.read, found.changed, found.absent) == (4, 0, 0)


def test_photo_whose_bytes_changed_behind_its_date_is_damaged(library: Places, folder: Path) -> None:
    photo = folder / "1.jpg"
    status = photo.stat()
    with open(photo, "r+b") as file:
        file.seek(2000)
        file.write(b"\0\0\0\0")
    os.utime(photo, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = verify(library, everything=True)
    assert found.damaged == [str(photo)]
    assert not found.ok


def test_photo_that_was_edited_or_removed_is_not_damaged(library: Places, folder: Path) -> None:
    save(folder / "1.jpg", 99)
    settle(folder / "1.jpg", 30)
    (folder / "2.jpg").unlink()
    found = verify(library)
    assert found.ok
    assert (found.changed, found.absent) == (1, 1)


@pytest.mark.parametrize("name", ["library_db", "cache_db"])
def test_damaged_database_is_found_and_left_as_it_is(library: Places, name: str) -> None:
    file: Path = getattr(library, name)
    spoil(file)
    before = file.read_bytes()
    found = verify(library)
    assert not found.ok
    assert str(file) in found.databases[0]
    assert file.read_bytes() == before


def test_folder_that_is_away_is_said_to_be_not_looked_at(library: Places, folder: Path) -> None:
    with Store(library) as store:
        store.write(lambda db: db.execute("UPDATE roots SET state = 'offline'"))
    assert verify(library).away == [str(folder)]


# --- repair ------------------------------------------------------------------------------------------------------------


def test_repair_makes_a_damaged_cache_anew_and_keeps_all_that_was_said(library: Places, folder: Path) -> None:
    with Store(library) as store:
        before = {photo.path: photo.id for photo in store.read(photos.page, PhotoState.PRESENT)}
        labels = store.read(answers.labels, 1)
    spoil(library.cache_db)
    assert repair(library, time.time()) == 4
    assert verify(library).ok
    with Store(library) as store:
        assert store.read(photos.counts)[PhotoState.NEW] == 4
        read_all(store, store.read(roots.all_roots)[0])
        after = store.read(photos.page, PhotoState.PRESENT)
        assert {photo.path: photo.id for photo in after} == before
        assert all(photo.content_hash and store.read(pictures.thumbnail, photo.content_hash) for photo in after)
        assert store.read(answers.labels, 1) == labels


def test_photo_that_was_away_during_a_repair_is_read_again_when_it_is_back(library: Places, folder: Path, tmp_path: Path) -> None:
    (folder / "1.jpg").rename(tmp_path / "kept.jpg")
    with Store(library) as store:
        root = store.read(roots.all_roots)[0]
        assert scan(store, root, WatchSettings(), time.time).missing == 1
    repair(library, time.time())
    (tmp_path / "kept.jpg").rename(folder / "1.jpg")
    with Store(library) as store:
        assert scan(store, root, WatchSettings(), time.time).back == 1
        assert store.read(photos.counts)[PhotoState.NEW] == 4


def test_repair_is_refused_while_the_service_has_the_library(library: Places) -> None:
    with Store(library) as store:
        with pytest.raises(LibraryLocked):
            repair(library, 0.0)
        (photo, *_) = store.read(photos.page, PhotoState.PRESENT)
        assert store.read(pictures.thumbnail, photo.content_hash)


def test_repair_of_a_damaged_library_changes_nothing_and_names_the_backup(library: Places) -> None:
    good = backup.back_up(library, None, 0.0)
    spoil(library.library_db)
    before = library.cache_db.read_bytes()
    with pytest.raises(DatabaseError, match=str(good)):
        repair(library, 0.0)
    assert library.cache_db.read_bytes() == before


# --- as commands -------------------------------------------------------------------------------------------------------


def test_commands_say_what_they_did(library: Places, tmp_path: Path) -> None:
    assert "holds a copy" in command("backup", str(tmp_path / "copy.db"))
    assert "Both databases are sound. 4 photos were read; 0 are damaged." in command("verify", "--full")
    assert "4 photos are read again" in command("repair")
    spoil(library.library_db)
    assert "is damaged" in command("verify", status=5)
    assert "precious-daemon: " in command("backup", status=5)
