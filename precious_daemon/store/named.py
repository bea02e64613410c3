"""Who is in photos, as their own XMP named them when they were read; by content, so that a copy knows it too."""

from __future__ import annotations

from collections.abc import Iterable

from precious_daemon.store import Database


def put(db: Database, content_hash: bytes, names: Iterable[str]) -> None:
    """Store what a file says now, in place of what was known of these bytes."""
    db.execute("DELETE FROM people_named WHERE content_hash = ?", [content_hash])
    db.conn.executemany("INSERT INTO people_named VALUES (?, ?)", [(content_hash, name) for name in names])


def everybody(db: Database) -> dict[int, set[str]]:
    """The names in every photo that is there, by its id; photos in which nobody is named are absent."""
    sql = "SELECT p.id, n.name FROM people_named AS n JOIN photos AS p USING (content_hash) WHERE p.state = 'present'"
    found: dict[int, set[str]] = {}
    for photo, name in db.execute(sql):
        found.setdefault(photo, set()).add(name)
    return found
