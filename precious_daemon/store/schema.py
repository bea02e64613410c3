"""Brings both databases to the tables of today."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlite_utils import Migrations

from precious_daemon.config import Places
from precious_daemon.errors import DatabaseError
from precious_daemon.store import Database, backup
from precious_daemon.store.cache_tables import cache
from precious_daemon.store.library_tables import library


def migrate(places: Places) -> None:
    """Bring both databases to the present schema, or refuse one that a newer version wrote.

    What cannot be made again is copied to `backups/` before it is changed; where that fails, nothing is.
    """
    _migrate(places.library_db, library, lambda name: backup.before_migration(places, name))
    _migrate(places.cache_db, cache, lambda name: None)


def is_behind(places: Places) -> bool:
    """Whether one of the databases is missing, or of an earlier version."""
    for file, migrations in ((places.library_db, library), (places.cache_db, cache)):
        if not file.exists():
            return True
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            try:
                if migrations.pending(Database(connection, execute_plugins=False)):
                    return True
            except sqlite3.DatabaseError:
                return False  # damaged: whoever reads it says so
    return False


def _migrate(file: Path, migrations: Migrations, keep_copy: Callable[[str], object]) -> None:
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            db = Database(connection, execute_plugins=False)
            known = {migration.name for migration in migrations._migrations}
            applied = migrations.applied(db)
            unknown = [m.name for m in applied if m.name not in known]
            if unknown:
                raise DatabaseError(
                    f"{file} was written by a newer version of precious-daemon ({unknown[-1]}). "
                    "Update the program; nothing was changed."
                )
            pending = migrations.pending(db)
            if applied and pending:
                keep_copy(pending[0].name)
            connection.execute("PRAGMA journal_mode=WAL")
            migrations.apply(db)
    except sqlite3.DatabaseError as exc:
        raise DatabaseError(
            f"{file} is damaged or no database ({exc}). Put a backup in its place, or move it away to start anew."
        ) from exc
