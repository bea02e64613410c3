"""Rows of what the last run held back: what would be suggested if nothing spoke for it, and what did."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from precious_daemon.models import Photo
from precious_daemon.store import Database
from precious_daemon.store.photos import photo_from


@dataclass(frozen=True, slots=True)
class HeldRow:
    """`why` it is held back, and the reasons for which it would go."""

    photo: Photo
    kind: str
    why: str
    reasons: tuple[str, ...]
    place: int


def replace(db: Database, voter_id: int, rows: Iterable[tuple[int, str, str, tuple[str, ...]]]) -> None:
    """What the newest run held back: (photo id, kind, why, reasons), surest first."""
    db.execute("DELETE FROM held_back WHERE voter_id = ?", [voter_id])
    numbered = (
        (voter_id, photo, place, kind, why, json.dumps(reasons)) for place, (photo, kind, why, reasons) in enumerate(rows)
    )
    db.conn.executemany("INSERT INTO held_back VALUES (?, ?, ?, ?, ?, ?)", numbered)


def add(db: Database, voter_id: int, photo_id: int, kind: str, why: str, reasons: tuple[str, ...]) -> None:
    """One more, behind the others."""
    last = db.execute("SELECT coalesce(max(place), -1) FROM held_back WHERE voter_id = ?", [voter_id]).fetchone()[0]
    row = [voter_id, photo_id, last + 1, kind, why, json.dumps(reasons)]
    db.execute("INSERT OR REPLACE INTO held_back VALUES (?, ?, ?, ?, ?, ?)", row)


def page(db: Database, voter_id: int, after: int = -1, limit: int = 100) -> list[HeldRow]:
    """Surest first; `after` is the place of the last one shown."""
    sql = """
        SELECT photos.*, h.place AS held_place, h.kind AS held_kind, h.why, h.reasons
        FROM held_back AS h CROSS JOIN photos ON photos.id = h.photo_id
        WHERE h.voter_id = ? AND h.place > ? AND photos.state = 'present' ORDER BY h.place LIMIT ?
    """
    return [
        HeldRow(photo_from(row), row["held_kind"], row["why"], tuple(json.loads(row["reasons"])), row["held_place"])
        for row in db.query(sql, [voter_id, after, limit])
    ]


def count(db: Database, voter_id: int) -> int:
    return int(db.execute("SELECT count(*) FROM held_back WHERE voter_id = ?", [voter_id]).fetchone()[0])
