"""Rows of files, as a scan compares them with the disk folder by folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from precious_daemon.models import FileEntry, Stamp
from precious_daemon.store import Database, tallies
from precious_daemon.store.photos import file_from


class Known(NamedTuple):
    """A file as a scan compares it with the disk: light, for there may be a million of them."""

    path: bytes
    id: int
    photo_id: int
    role: str
    dev: int
    inode: int
    size: int
    mtime_ns: int
    state: str  # of its photo
    ambiguous: str | None
    bond: str | None
    content_id: str | None  # of its photo, as the following
    taken_at: float | None
    taken_from: str | None

    def is_still_at(self, status: os.stat_result) -> bool:
        """The same file, unchanged. Its disk may have another number than before the machine was started anew."""
        return (self.inode, self.size, self.mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns)


def in_folder(db: Database, root_id: int, folder: str) -> tuple[dict[str, Known], dict[str, int]]:
    """The known files of a folder by name, and how many there are of each suffix that cannot be read."""
    sql = """
        SELECT files.path, files.id, photo_id, role, dev, inode, files.size, mtime_ns, state, ambiguous,
            bond, content_id, taken_at, taken_from
        FROM files CROSS JOIN photos ON photos.id = photo_id WHERE files.root_id = ? AND folder = ?
    """
    place = os.fsencode(folder)
    start = len(place) + 1 if place else 0
    known = {os.fsdecode(row[0][start:]): Known._make(row) for row in db.execute(sql, [root_id, place])}
    sql = "SELECT suffix, count FROM unsupported WHERE root_id = ? AND folder = ?"
    return known, dict(db.execute(sql, [root_id, place]).fetchall())


def folders(
    db: Database, root_id: int, under: str = "", after: str | None = None, limit: int = 500, unsupported: bool = False
) -> list[str]:
    """Some folders of a root that hold known files, in the order of their bytes: `under` and all below it.

    With `unsupported`, those that hold files that cannot be read instead.
    """
    table = "unsupported" if unsupported else "files"
    sql = f"""
        WITH RECURSIVE found(folder) AS (
            SELECT min(folder) FROM {table} WHERE root_id = :root AND folder > :after
            UNION ALL SELECT (SELECT min(folder) FROM {table} WHERE root_id = :root AND folder > found.folder)
            FROM found WHERE found.folder IS NOT NULL
        )
        SELECT folder FROM found WHERE folder IS NOT NULL AND (:under = x'' OR folder < :end) LIMIT :limit
    """
    place = os.fsencode(under)
    found: list[str] = []
    if after is None:
        row = db.execute(f"SELECT 1 FROM {table} WHERE root_id = ? AND folder = ? LIMIT 1", [root_id, place]).fetchone()
        found, after = [under] if row else [], under + "/" if under else ""
    end = place + b"0"  # "0" follows "/"
    values = {"root": root_id, "after": os.fsencode(after), "under": place, "end": end, "limit": limit}
    return found + [os.fsdecode(row[0]) for row in db.execute(sql, values)]


def is_known(db: Database, root_id: int, path: str, file_id: int | None = None) -> bool:
    """Whether there is a row for a path; with `file_id`, that very row."""
    row = db.execute("SELECT id FROM files WHERE root_id = ? AND path = ?", [root_id, os.fsencode(path)]).fetchone()
    return row is not None and file_id in (None, row[0])


def ids(db: Database, root_id: int, folder: str) -> list[int]:
    rows = db.execute("SELECT id FROM files WHERE root_id = ? AND folder = ?", [root_id, os.fsencode(folder)])
    return [row[0] for row in rows]


def of_root(db: Database, root_id: int, after: int, limit: int) -> list[FileEntry]:
    """Files of photos that should be there, in the order of their ids; `after` is the id of the last one seen."""
    sql = """
        SELECT files.* FROM files CROSS JOIN photos ON photos.id = photo_id
        WHERE files.id > ? AND files.root_id = ? AND state NOT IN ('missing', 'trashed', 'purged') ORDER BY files.id LIMIT ?
    """
    return [file_from(row) for row in db.query(sql, [after, root_id, limit])]


def should_be_there(db: Database, file_ids: Iterable[int]) -> list[FileEntry]:
    """Those of these files that belong to photos that are neither missing nor in the trash."""
    marks = ",".join(str(int(i)) for i in file_ids)
    sql = f"""
        SELECT files.* FROM files JOIN photos ON photos.id = photo_id
        WHERE files.id IN ({marks}) AND state NOT IN ('missing', 'trashed', 'purged') ORDER BY files.id
    """
    return [file_from(row) for row in db.query(sql)]


def by_stamps(db: Database, stamps: Mapping[str, Stamp]) -> dict[str, list[FileEntry]]:
    """Stills known with exactly these stamps, wherever they were."""
    sql = "SELECT * FROM files WHERE inode = ? AND dev = ? AND size = ? AND mtime_ns = ? AND role = 'still'"
    return {
        name: [file_from(row) for row in db.query(sql, [stamp.inode, stamp.dev, stamp.size, stamp.mtime_ns])]
        for name, stamp in stamps.items()
    }


def with_content(db: Database, content_hash: bytes, root_ids: Iterable[int]) -> list[FileEntry]:
    """Stills of these roots that should be there and have this content."""
    marks = ",".join(str(int(i)) for i in root_ids)
    sql = f"""
        SELECT files.* FROM photos CROSS JOIN files ON files.photo_id = photos.id AND role = 'still'
        WHERE photos.content_hash = ? AND state NOT IN ('missing', 'trashed', 'purged') AND photos.root_id IN ({marks})
    """
    return [file_from(row) for row in db.query(sql, [content_hash])]


# --- writing -----------------------------------------------------------------------------------------------------------


def on_disk(db: Database, file_id: int, dev: int) -> None:
    """The disk of a file has another number than it had."""
    db.execute("UPDATE files SET dev = ? WHERE id = ?", [dev, file_id])


def number_anew(db: Database, root_id: int, folder: str, found: Mapping[str, os.stat_result]) -> None:
    """Files by name that have other inode numbers than they had, and are the same."""
    for name, status in found.items():
        path, number = os.fsencode(posixpath.join(folder, name)), status.st_ino
        db.execute("UPDATE files SET inode = ?, dev = ? WHERE root_id = ? AND path = ?", [number, status.st_dev, root_id, path])
        db.execute("UPDATE relatives SET inode = ? WHERE root_id = ? AND path = ?", [number, root_id, path])


def forget_companion(db: Database, file_id: int) -> None:
    """A file that is there, but belongs to the photo no more."""
    db.execute("DELETE FROM files WHERE id = ? AND role != 'still'", [file_id])


def count_unsupported(db: Database, root_id: int, folder: str, by_suffix: dict[str, int]) -> None:
    """Files of a folder that cannot be read as photos, by the end of their name."""
    place = os.fsencode(folder)
    db.execute("DELETE FROM unsupported WHERE root_id = ? AND folder = ?", [root_id, place])
    for suffix, count in by_suffix.items():
        db.execute("INSERT INTO unsupported VALUES (?, ?, ?, ?)", [root_id, place, suffix, count])


def unsupported(db: Database) -> dict[str, int]:
    """How many files of each suffix cannot be read as photos, the most first."""
    found = tallies.of(db, "unsupported")
    return {suffix: found[suffix] for suffix in sorted(found, key=lambda suffix: -found[suffix]) if found[suffix]}
