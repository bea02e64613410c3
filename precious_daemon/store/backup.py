"""Copies of `library.db` while it is in use, what is wrong with a database, and a cache made anew."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from precious_daemon.config import Places
from precious_daemon.errors import DatabaseError
from precious_daemon.store import Database, photos, tallies

log = logging.getLogger(__name__)

KEPT = 5  # copies made by ourselves before a migration; older ones give way


def back_up(places: Places, target: Path | None, now: float) -> Path:
    """Copy `library.db` to a file, by default one in `backups/` named by the time; return it.

    SQLite's online backup: whole as of one moment, while the service goes on writing. Raises DatabaseError where there is
    nothing to copy, the copy is not sound, or its place is taken or full; then there is no copy.
    """
    if not places.library_db.exists():
        raise DatabaseError("There is no library yet. Start one with: precious-daemon run FOLDER")
    if target is None:
        target = places.backups / f"library-{_moment(now)}.db"
    if target.is_dir():
        target /= f"library-{_moment(now)}.db"
    if target.exists():
        raise DatabaseError(f"{target} is there already. Give another name; nothing was changed.")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy(places.library_db, part)
        os.link(part, target)  # never over a file that came in the meantime
    except (OSError, sqlite3.OperationalError) as exc:
        raise DatabaseError(f"{target} could not be written ({exc}). The library is as it was.") from exc
    except sqlite3.DatabaseError as exc:
        raise DatabaseError(f"{places.library_db} is damaged ({exc}). No copy was made. {advice(places)}") from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return target


def _copy(source: Path, target: Path) -> None:
    """One step, so that no write in between makes it start anew. In one file: a copy has no write-ahead log beside it."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        if found := _damage(writing):
            raise sqlite3.DatabaseError(found[0])
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def before_migration(places: Places, name: str) -> Path:
    """A copy of the library as an older version left it. Of those, the newest `KEPT` stay."""
    copy = back_up(places, places.backups / f"before-{name}-{_moment(time.time())}.db", time.time())
    log.info("the library as it was is kept in %s", copy)
    for old in sorted(places.backups.glob("before-*.db"), key=lambda file: file.stat().st_mtime_ns)[:-KEPT]:
        old.unlink(missing_ok=True)
    return copy


def advice(places: Places) -> str:
    """What to do about a damaged library."""
    copies = sorted(places.backups.glob("*.db"), key=lambda file: file.stat().st_mtime_ns)
    if not copies:
        return "There is no backup. Your photos are not touched by this; move the file away to start anew."
    return f"Stop the service, and put the newest backup in its place: {copies[-1]}"


def damage(file: Path) -> list[str]:
    """What SQLite finds wrong with a database, in its words; empty where it is sound. Changes nothing."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            return _damage(connection)
    except sqlite3.DatabaseError as exc:
        return [str(exc)]


def _damage(connection: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
    found += [
        f"a row of {table} refers to none in {other}" for table, _, other, _ in connection.execute("PRAGMA foreign_key_check")
    ]
    return found


def forget_cache(db: Database, now: float) -> int:
    """The cache was made anew: every photo is to be read again, and nothing else is changed. How many."""
    db.execute("UPDATE photos SET state = 'new', changed_at = ? WHERE state = 'present'", [now])
    db.execute("UPDATE photos SET error = ? WHERE state IN ('missing', 'trashed', 'purged')", [photos.FORGOTTEN])
    tallies.recount(db)
    count: int = db.execute("SELECT count(*) FROM photos WHERE state = 'new'").fetchone()[0]
    return count


def _moment(now: float) -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
