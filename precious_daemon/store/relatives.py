"""Rows of videos and RAW files, whosever they are: what they say of themselves, by which they are paired with photos."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from precious_daemon.models import Stamp, Told
from precious_daemon.store import Database


class Relative(NamedTuple):
    inode: int
    size: int
    mtime_ns: int
    content_id: str | None
    taken_at: float | None

    @property
    def told(self) -> Told:
        return Told(self.content_id, self.taken_at)

    def is_still_at(self, status: os.stat_result) -> bool:
        return self[:3] == (status.st_ino, status.st_size, status.st_mtime_ns)


def in_folder(db: Database, root_id: int, folder: str) -> dict[str, Relative]:
    """By name."""
    sql = "SELECT path, inode, size, mtime_ns, content_id, taken_at FROM relatives WHERE root_id = ? AND folder = ?"
    rows = db.execute(sql, [root_id, os.fsencode(folder)])
    return {posixpath.basename(os.fsdecode(path)): Relative(*its) for path, *its in rows}


def have(db: Database, root_id: int, folder: str) -> bool:
    """Whether there are any in a folder."""
    sql = "SELECT 1 FROM relatives WHERE root_id = ? AND folder = ? LIMIT 1"
    return db.execute(sql, [root_id, os.fsencode(folder)]).fetchone() is not None


def unseen(db: Database, limit: int, roots: Iterable[int]) -> list[tuple[int, str]]:
    """(root, path) of some that were not looked into yet."""
    marks = ",".join(str(int(root)) for root in roots)
    sql = f"SELECT root_id, path FROM relatives WHERE seen = 0 AND root_id IN ({marks}) LIMIT ?"
    return [(root_id, os.fsdecode(path)) for root_id, path in db.execute(sql, [limit]).fetchall()]


# --- writing -----------------------------------------------------------------------------------------------------------


def put(db: Database, root_id: int, folder: str, stamps: Mapping[str, Stamp]) -> None:
    """These and no others are in a folder; those that are new or have changed wait to be looked into."""
    place, known = os.fsencode(folder), in_folder(db, root_id, folder)
    for name in known.keys() - stamps.keys():
        path = os.fsencode(posixpath.join(folder, name))
        db.execute("DELETE FROM relatives WHERE root_id = ? AND path = ?", [root_id, path])
    for name, stamp in stamps.items():
        its = (stamp.inode, stamp.size, stamp.mtime_ns)
        if name not in known or known[name][:3] != its:
            path = os.fsencode(posixpath.join(folder, name))
            sql = "INSERT OR REPLACE INTO relatives (root_id, path, folder, inode, size, mtime_ns) VALUES (?, ?, ?, ?, ?, ?)"
            db.execute(sql, [root_id, path, place, *its])


def record(db: Database, found: Iterable[tuple[tuple[int, str], Told]]) -> None:
    """What was found in each (root, path). One that has changed meanwhile is looked into again after the next scan."""
    for (root_id, path), told in found:
        sql = "UPDATE relatives SET seen = 1, content_id = ?, taken_at = ? WHERE root_id = ? AND path = ?"
        db.execute(sql, [told.content_id, told.taken_at, root_id, os.fsencode(path)])
