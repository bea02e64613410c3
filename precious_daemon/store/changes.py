"""What scans and readers found of photos and their files, written down."""

from __future__ import annotations

import os
import posixpath
import secrets

from precious_daemon.models import FileEntry, Glimpse, Photo, PhotoFacts, PhotoState, Role, Stamp
from precious_daemon.store import Database, insert, named, photos, pictures

NOWHERE = b"//nowhere"  # where a file is that another has taken the place of: never a path in a root


def add_still(db: Database, root_id: int, path: str, stamp: Stamp, now: float) -> int:
    """A new capture, known by its name so far."""
    photo_id = insert(db, "photos",
        {
            "uid": secrets.token_hex(16), "root_id": root_id, "path": os.fsencode(path), "size": stamp.size,
            "added_at": now, "changed_at": now, "taken_at": stamp.mtime_ns / 1e9,  # until it is read
        }
    )  # fmt: skip
    put_file(db, photo_id, root_id, path, Role.STILL, stamp)
    return photo_id


def put_file(db: Database, photo_id: int, root_id: int, path: str, role: Role, stamp: Stamp, bond: str | None = None) -> None:
    """Know a file of a capture, or what has become of it. `bond`: how it is known to be of it, where not by its name."""
    db.execute(
        """
        INSERT INTO files (photo_id, root_id, folder, path, role, dev, inode, size, mtime_ns, bond)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (root_id, path) DO UPDATE SET photo_id = excluded.photo_id, role = excluded.role, dev = excluded.dev,
            inode = excluded.inode, size = excluded.size, mtime_ns = excluded.mtime_ns, bond = excluded.bond,
            content_hash = NULL
        """,
        [photo_id, root_id, os.fsencode(posixpath.dirname(path)), os.fsencode(path), role,
         stamp.dev, stamp.inode, stamp.size, stamp.mtime_ns, bond],
    )  # fmt: skip


def join(db: Database, photo_id: int, root_id: int, path: str, now: float) -> int:
    """The file at `path`, until now a photo of its own, is a companion of this photo: both are one capture from now on.

    Returns its id: that of the one of which the owner said something. Where that is both, or neither, it is the photo that the
    still was, and the other is left without a file.
    """
    sql = "SELECT photo_id FROM files WHERE root_id = ? AND path = ? AND role = 'still' AND photo_id != ?"
    row = db.execute(sql, [root_id, os.fsencode(path), photo_id]).fetchone()
    if row is None:
        return photo_id
    alone = photos.get(db, row[0])
    if (
        alone.state is not PhotoState.TRASHED
        and _has_history(db, alone.id)
        and _merge(db, photos.get(db, photo_id), alone, now) == alone.id
    ):
        return alone.id
    sql = "UPDATE photos SET state = 'missing', changed_at = ? WHERE id = ? AND state NOT IN ('trashed', 'purged')"
    db.execute(sql, [now, alone.id])
    return photo_id


def still_of(db: Database, photo_id: int) -> FileEntry | None:
    for row in db.query("SELECT * FROM files WHERE photo_id = ? AND role = 'still'", [photo_id]):
        return photos.file_from(row)
    return None


def still_replaced(db: Database, gone: FileEntry, path: str, stamp: Stamp, now: float) -> None:
    """The still is gone and a companion, its RAW twin, stands for the capture: the photo stays what it was to the owner."""
    db.execute("DELETE FROM files WHERE id = ?", [gone.id])
    db.execute("UPDATE photos SET path = ? WHERE id = ?", [os.fsencode(path), gone.photo_id])
    still_changed(db, gone.photo_id, path, stamp, now)


def still_changed(db: Database, photo_id: int, path: str, stamp: Stamp, now: float) -> None:
    """The file has other content: it is read again. Its answers stay, for they were about this photo."""
    photo = photos.get(db, photo_id)
    put_file(db, photo_id, photo.root_id, path, Role.STILL, stamp)
    db.execute(
        "UPDATE photos SET state = 'new', error = NULL, size = ?, changed_at = ? WHERE id = ?", [stamp.size, now, photo_id]
    )


def file_moved(db: Database, entry: FileEntry, root_id: int, path: str, now: float) -> int | None:
    """A file with the same stamp stands elsewhere: the photo goes with it.

    Returns the id of the file that was known at that place before, if any. It is somewhere else now, or gone; until that
    is known its row has the place `NOWHERE`.
    """
    other = db.execute(
        "SELECT id FROM files WHERE root_id = ? AND path = ? AND id != ?", [root_id, os.fsencode(path), entry.id]
    ).fetchone()
    if other:
        db.execute(
            "UPDATE files SET folder = ?, path = ? WHERE id = ?",
            [NOWHERE, NOWHERE + f"/{other[0]}".encode(), other[0]],
        )
    db.execute(
        "UPDATE files SET root_id = ?, folder = ?, path = ? WHERE id = ?",
        [root_id, os.fsencode(posixpath.dirname(path)), os.fsencode(path), entry.id],
    )
    if entry.role is Role.STILL:
        db.execute(
            f"""
            UPDATE photos SET root_id = ?, path = ?, changed_at = ?,
                state = CASE WHEN state NOT IN ('missing', 'trashed', 'purged') THEN state ELSE {photos.READ_OR_NOT} END
            WHERE id = ?
            """,
            [root_id, os.fsencode(path), now, entry.photo_id],
        )
    return other[0] if other else None


def file_gone(db: Database, entry: FileEntry, now: float) -> None:
    """A file is no longer where it was. A photo whose still is gone is missing, and keeps everything else.

    The row of the still stays, so that the photo can be told when its file comes back; a companion's does not.
    """
    if entry.role is not Role.STILL:
        db.execute("DELETE FROM files WHERE id = ?", [entry.id])
        return
    db.execute(
        "UPDATE photos SET state = 'missing', changed_at = ? WHERE id = ? AND state NOT IN ('trashed', 'missing', 'purged')",
        [now, entry.photo_id],
    )
    photo = photos.get(db, entry.photo_id)
    if photo.state is PhotoState.MISSING and photo.content_hash:
        _hand_over(db, photo, now)


def file_back(db: Database, photo_id: int, now: float) -> None:
    """A photo thought missing, or in the trash, is there again with its old stamp."""
    db.execute(
        f"UPDATE photos SET state = {photos.READ_OR_NOT}, changed_at = ? "
        "WHERE id = ? AND state IN ('missing', 'trashed', 'purged') "
        "AND NOT EXISTS (SELECT 1 FROM units WHERE photo_id = photos.id AND units.state = 'planned')",  # just before its move
        [now, photo_id],
    )


def set_ambiguous(db: Database, photo_id: int, why: str | None) -> None:
    db.execute("UPDATE photos SET ambiguous = ? WHERE id = ? AND ambiguous IS NOT ?", [why, photo_id, why])


def record_glimpse(db: Database, entry: FileEntry, seen: Glimpse, now: float) -> None:
    """A photo that can be looked at and voted on before it has been read is present, without a content hash yet.

    Of one that cannot be seen yet only its shape and time are known: it stays new, and nothing is asked about it.
    """
    sql = """
        UPDATE photos SET state = ?, width = ?, height = ?, format = ?, taken_at = ?, taken_from = ?, camera = ?,
            changed_at = ? WHERE id = ? AND state = 'new'
    """
    state = PhotoState.PRESENT if seen.thumbnail else PhotoState.NEW
    values = [state, seen.width, seen.height, seen.format, seen.taken_at, seen.taken_from, seen.camera, now, entry.photo_id]
    if db.execute(sql, values).rowcount and seen.thumbnail:
        pictures.put_first_look(db, entry.photo_id, seen.thumbnail)


def record_facts(db: Database, entry: FileEntry, facts: PhotoFacts, now: float) -> int:
    """Store what reading a still gave, and return the photo's id.

    Where a missing photo had the same bytes, this file is that photo, moved: the new row gives way to the old one. A file that
    is no longer in the library, because it or its folder went while it was read, brings nothing back.
    """
    if not db.execute("UPDATE files SET content_hash = ? WHERE id = ?", [facts.content_hash, entry.id]).rowcount:
        return entry.photo_id
    db.execute(
        """
        UPDATE photos SET state = 'present', error = NULL, content_hash = ?, perceptual_hash = ?, width = ?, height = ?,
            format = ?, taken_at = ?, taken_from = ?, camera = ?, taken_offset = ?, lens = ?, exposure = ?, latitude = ?,
            longitude = ?, bracketed = ?, exposure_bias = ?, focus_distance = ?, content_id = ?, changed_at = ? WHERE id = ?
        """,
        [
            facts.content_hash, _signed(facts.perceptual_hash), facts.width, facts.height, facts.format, facts.taken_at,
            facts.taken_from, facts.camera, facts.taken_offset, facts.lens, facts.exposure, facts.latitude, facts.longitude,
            facts.bracketed, facts.exposure_bias, facts.focus_distance, facts.content_id, now, entry.photo_id,
        ],
    )  # fmt: skip
    pictures.forget_first_look(db, entry.photo_id)
    named.put(db, facts.content_hash, facts.people)
    sql = "SELECT id FROM photos WHERE content_hash = ? AND state = 'missing' AND id != ? ORDER BY id LIMIT 1"
    old = db.execute(sql, [facts.content_hash, entry.photo_id]).fetchone()
    if old:
        return _merge(db, photos.get(db, entry.photo_id), photos.get(db, old[0]), now)
    return entry.photo_id


def record_broken(db: Database, photo_id: int, reason: str, now: float) -> None:
    db.execute("UPDATE photos SET state = 'broken', error = ?, changed_at = ? WHERE id = ?", [reason, now, photo_id])
    pictures.forget_first_look(db, photo_id)


def _hand_over(db: Database, missing: Photo, now: float) -> None:
    """A photo just went missing: a younger one with the same bytes, of which the owner said nothing yet, is it, moved."""
    sql = """
        SELECT id FROM photos AS p WHERE content_hash = ? AND state = 'present' AND id > ?
        AND NOT EXISTS (SELECT 1 FROM answers WHERE photo_id = p.id OR other_id = p.id OR third_id = p.id OR fourth_id = p.id)
        AND NOT EXISTS (SELECT 1 FROM suggestions WHERE photo_id = p.id OR keeper_id = p.id) LIMIT 1
    """
    twin = db.execute(sql, [missing.content_hash, missing.id]).fetchone()
    said = db.execute(
        """
        SELECT 1 FROM answers WHERE photo_id = :id OR other_id = :id OR third_id = :id OR fourth_id = :id
        UNION SELECT 1 FROM task_answers WHERE photo_id = :id
        """,
        {"id": missing.id},
    ).fetchone()
    if twin and said:
        _merge(db, photos.get(db, twin[0]), missing, now)


def _merge(db: Database, young: Photo, old: Photo, now: float) -> int:
    """Make the `young` row's files those of the `old` photo, which keeps its id and all that was said about it."""
    if _has_history(db, young.id):
        return young.id  # both have a history of their own: they stay two photos
    columns = """
        root_id, path, state, error, content_hash, perceptual_hash, width, height, format, size, taken_at, taken_from, camera,
        taken_offset, lens, exposure, latitude, longitude, bracketed, exposure_bias, focus_distance, content_id, ambiguous
    """
    db.execute("DELETE FROM files WHERE photo_id = ?", [old.id])
    db.execute("UPDATE files SET photo_id = ? WHERE photo_id = ?", [old.id, young.id])
    db.execute(
        f"""
        UPDATE photos SET ({columns}) = (SELECT {columns} FROM photos WHERE id = ?), changed_at = ? WHERE id = ?
        """,
        [young.id, now, old.id],
    )
    for table in ("clusters", "group_members", "scores", "ratings", "guesses", "task_scores"):
        db.execute(f"DELETE FROM cache.{table} WHERE photo_id = ?", [young.id])
    for table in ("prompts", "said_elsewhere"):
        db.execute(f"DELETE FROM {table} WHERE photo_id = ?", [young.id])
    db.execute("DELETE FROM photos WHERE id = ?", [young.id])
    return old.id


def _has_history(db: Database, photo_id: int) -> bool:
    """Whether anything was said of a photo, or done with it, that has to stay with it."""
    found = db.execute(
        """
        SELECT 1 FROM answers WHERE photo_id = :id OR other_id = :id
        UNION SELECT 1 FROM answers WHERE third_id = :id
        UNION SELECT 1 FROM answers WHERE fourth_id = :id
        UNION SELECT 1 FROM prompts WHERE photo_id = :id AND source = 'owner'
        UNION SELECT 1 FROM units WHERE photo_id = :id OR keeper_id = :id
        UNION SELECT 1 FROM suggestions WHERE photo_id = :id OR keeper_id = :id
        UNION SELECT 1 FROM pool_members WHERE photo_id = :id
        UNION SELECT 1 FROM group_decision_members WHERE photo_id = :id
        UNION SELECT 1 FROM named_cluster_members WHERE photo_id = :id
        UNION SELECT 1 FROM priors WHERE photo_id = :id
        UNION SELECT 1 FROM task_answers WHERE photo_id = :id
        """,
        {"id": photo_id},
    ).fetchone()
    return found is not None


def _signed(number: int) -> int:
    """A 64-bit hash as SQLite's signed integer."""
    return number - (1 << 64) if number >= 1 << 63 else number
