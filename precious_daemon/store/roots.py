"""Rows of watched folders."""

from __future__ import annotations

import os
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import Root, RootState
from precious_daemon.store import Database, insert

NO_LONGER_WATCHED = "no longer watched"


def _root(row: dict[str, Any]) -> Root:
    return Root(
        row["id"],
        os.fsdecode(row["path"]),
        row["marker"],
        row["device"],
        RootState(row["state"]),
        row["reason"],
        row["added_at"],
        row["filesystem"],
    )


def all_roots(db: Database) -> list[Root]:
    return [_root(row) for row in db.query("SELECT * FROM roots ORDER BY id")]


def get(db: Database, root_id: int) -> Root:
    for row in db.query("SELECT * FROM roots WHERE id = ?", [root_id]):
        return _root(row)
    raise NotFound(f"There is no folder {root_id} in this library.")


def add(db: Database, path: str, marker: str | None, device: int, now: float, filesystem: str | None = None) -> Root:
    row = {"path": os.fsencode(path), "marker": marker, "device": device, "added_at": now, "filesystem": filesystem}
    return get(db, insert(db, "roots", row))


def set_state(db: Database, root_id: int, state: RootState, reason: str | None) -> None:
    db.execute("UPDATE roots SET state = ?, reason = ? WHERE id = ?", [state, reason, root_id])


def remember(db: Database, root_id: int, marker: str | None, device: int, filesystem: str | None = None) -> None:
    """The owner confirmed that this is the folder."""
    sql = "UPDATE roots SET marker = ?, device = ?, filesystem = ?, suggest_only = NULL WHERE id = ?"
    db.execute(sql, [marker, device, filesystem, root_id])


def set_disk(db: Database, root_id: int, device: int, filesystem: str | None) -> None:
    """The same disk has another number, or its file system has told its id for the first time."""
    db.execute("UPDATE roots SET device = ?, filesystem = ? WHERE id = ?", [device, filesystem, root_id])


def set_marker(db: Database, root_id: int, marker: str) -> None:
    """It can be written for the first time, and is known by this from here on."""
    db.execute("UPDATE roots SET marker = ? WHERE id = ?", [marker, root_id])


def set_suggest_only(db: Database, root_id: int, why: str) -> None:
    """Nothing can be moved safely in this folder, so its photos are only suggested."""
    db.execute("UPDATE roots SET suggest_only = ? WHERE id = ?", [why, root_id])


def suggest_only(db: Database, root_id: int) -> str | None:
    """Why nothing can be moved in this folder, or None."""
    row = db.execute("SELECT suggest_only FROM roots WHERE id = ?", [root_id]).fetchone()
    return row[0] if row else None


def remove(db: Database, root_id: int, now: float) -> None:
    """Stop watching a folder: its photos become missing, and keep their answers."""
    db.execute(
        "UPDATE photos SET state = 'missing', changed_at = ? WHERE root_id = ? AND state NOT IN ('trashed', 'purged')",
        [now, root_id],
    )
    db.execute("DELETE FROM files WHERE root_id = ? AND photo_id IN (SELECT id FROM photos WHERE state = 'missing')", [root_id])
    db.execute("DELETE FROM unsupported WHERE root_id = ?", [root_id])
    db.execute("DELETE FROM relatives WHERE root_id = ?", [root_id])
    set_state(db, root_id, RootState.OFFLINE, NO_LONGER_WATCHED)
