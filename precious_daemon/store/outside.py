"""Rows behind what the owner says with other programs: photos that went and came back, sidecars and plugins as last heard."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from precious_daemon.models import Answer
from precious_daemon.store import Database
from precious_daemon.store.answers import answer_from

_KEY = "deletions looked through until"
_HEARD = "heard by "


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
        AND a.purpose IN ('outside', 'duplicate') AND NOT EXISTS (SELECT 1 FROM said_elsewhere WHERE answer_id = a.id)
    """
    return [answer_from(row) for row in db.query(sql, [voter_id])]


def newest(db: Database, voter_id: int, photo_id: int, purpose: str) -> Answer | None:
    """What was last said of a photo with another program, for this purpose, and still counts."""
    sql = """
        SELECT * FROM live_answers
        WHERE question = 'outside' AND photo_id = ? AND +voter_id = ? AND purpose = ? ORDER BY id DESC LIMIT 1
    """
    return next((answer_from(row) for row in db.query(sql, [photo_id, voter_id, purpose])), None)


def kept(db: Database, voter_id: int, purpose: str) -> int:
    """How many photos are kept because of what was said for this purpose."""
    sql = "SELECT count(*) FROM labels WHERE voter_id = ? AND purpose = ? AND keep"
    return int(db.execute(sql, [voter_id, purpose]).fetchone()[0])


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


# --- what plugins heard ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """What a plugin heard of a photo the last time."""

    keep: bool
    how: str
    since: float  # it was said no earlier than that; 0 where nobody knows
    answer_id: int | None  # None while another answer stands


def heard_until(db: Database, plugin: str) -> float | None:
    """When this plugin was last asked about every photo; None before the first time."""
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [_HEARD + plugin]).fetchone()
    return float(row[0]) if row else None


def hear_on(db: Database, plugin: str, until: float) -> None:
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [_HEARD + plugin, repr(until)])


def heard(db: Database, plugin: str, photo_ids: Collection[int]) -> dict[int, Heard]:
    """What was heard of those of the photos of which anything was, by photo."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, keep, how, since, answer_id FROM said_elsewhere WHERE plugin = ? AND photo_id IN ({marks})"
    return {row[0]: Heard(bool(row[1]), *row[2:]) for row in db.execute(sql, [plugin])}


def remember(db: Database, plugin: str, photo_id: int, now: Heard | None) -> None:
    if now is None:
        db.execute("DELETE FROM said_elsewhere WHERE plugin = ? AND photo_id = ?", [plugin, photo_id])
    else:
        values = [plugin, photo_id, now.keep, now.how, now.since, now.answer_id]
        db.execute("INSERT OR REPLACE INTO said_elsewhere VALUES (?, ?, ?, ?, ?, ?)", values)


def how(db: Database, answer_ids: Collection[int]) -> Mapping[int, str]:
    """How it was said with another program, by answer: "a favourite in Immich"."""
    marks = ",".join(str(int(i)) for i in answer_ids)
    return dict(db.execute(f"SELECT answer_id, how FROM said_elsewhere WHERE answer_id IN ({marks})"))
