"""Rows behind what the owner says with other programs: photos that went and came back, sidecars as they were last read."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass

from precious_daemon.models import Answer
from precious_daemon.store import Database
from precious_daemon.store.answers import answer_from

_KEY = "deletions looked through until"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """An XMP file of a photo that is there."""

    file_id: int
    photo_id: int
    path: str
    mtime_ns: int
    size: int


def looked_through(db: Database) -> float | None:
    """The time up to which deletions were looked for; None before the first time."""
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [_KEY]).fetchone()
    return float(row[0]) if row else None


def look_on(db: Database, until: float) -> None:
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [_KEY, repr(until)])


def gone_between(db: Database, since: float, until: float) -> list[int]:
    """Photos that were read once, and went missing in that time from a folder that is watched and of which photos are left."""
    sql = """
        SELECT photos.id FROM photos JOIN roots ON roots.id = photos.root_id
        WHERE photos.state = 'missing' AND changed_at > ? AND changed_at <= ? AND content_hash IS NOT NULL
        AND roots.state = 'watched' ORDER BY photos.id
    """
    return [row[0] for row in db.execute(sql, [since, until])]


def deleted_and_back(db: Database, voter_id: int) -> list[Answer]:
    """Answers that say a file was deleted, of photos that are there again."""
    sql = """
        SELECT a.* FROM answers AS a INDEXED BY answers_outside CROSS JOIN photos ON photos.id = a.photo_id
        WHERE a.question = 'outside' AND a.voter_id = ? AND a.choice = 'delete' AND +a.undoes IS NULL AND photos.state = 'present'
        AND NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = a.id)
        AND a.purpose != 'xmp'
    """
    return [answer_from(row) for row in db.query(sql, [voter_id])]


def newest(db: Database, voter_id: int, photo_id: int, purpose: str | None = None) -> Answer | None:
    """What was last said of a photo with another program, for that purpose where one is given, and still counts."""
    sql = """
        SELECT * FROM live_answers
        WHERE question = 'outside' AND photo_id = ? AND +voter_id = ? AND purpose = coalesce(?, purpose) ORDER BY id DESC LIMIT 1
    """
    return next((answer_from(row) for row in db.query(sql, [photo_id, voter_id, purpose])), None)


def kept_by_sidecars(db: Database, voter_id: int) -> int:
    sql = "SELECT count(*) FROM labels WHERE voter_id = ? AND purpose = 'xmp' AND keep"
    return int(db.execute(sql, [voter_id]).fetchone()[0])


def changed_sidecars(db: Database) -> list[Sidecar]:
    """Those that are new or not as they were last read, newest first."""
    sql = """
        SELECT files.id, files.photo_id, roots.path, files.path, files.mtime_ns, files.size
        FROM files INDEXED BY files_sidecars JOIN roots ON roots.id = files.root_id JOIN photos ON photos.id = files.photo_id
        LEFT JOIN cache.sidecars_read AS s ON s.file_id = files.id
        WHERE files.role = 'sidecar' AND (s.file_id IS NULL OR s.mtime_ns != files.mtime_ns OR s.size != files.size)
        AND roots.state = 'watched' AND photos.state = 'present' ORDER BY files.mtime_ns DESC
    """
    found = [
        Sidecar(row[0], row[1], posixpath.join(os.fsdecode(row[2]), os.fsdecode(row[3])), row[4], row[5])
        for row in db.execute(sql)
    ]
    return [sidecar for sidecar in found if sidecar.path.lower().endswith(".xmp")]


def remember_sidecar(db: Database, sidecar: Sidecar, said: str | None) -> str | None:
    """Note what a sidecar says, and return what it said before."""
    row = db.execute("SELECT said FROM cache.sidecars_read WHERE file_id = ?", [sidecar.file_id]).fetchone()
    values = [sidecar.file_id, sidecar.mtime_ns, sidecar.size, said]
    db.execute("INSERT OR REPLACE INTO cache.sidecars_read VALUES (?, ?, ?, ?)", values)
    return row[0] if row else None
