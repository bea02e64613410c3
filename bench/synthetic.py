"""Libraries that nobody has: rows written straight into the databases, as many as wanted."""

from __future__ import annotations

import os
import posixpath
import random
import secrets
from collections.abc import Iterable, Iterator
from itertools import islice

from precious_daemon.models import Stamp
from precious_daemon.store import Database

BATCH = 10_000


def batches(rows: Iterable[tuple[str, Stamp]]) -> Iterator[list[tuple[str, Stamp]]]:
    waiting = iter(rows)
    while part := list(islice(waiting, BATCH)):
        yield part


def add_photos(db: Database, root_id: int, first_id: int, rows: Iterable[tuple[str, Stamp]], rng: random.Random) -> int:
    """Photos that have been read, one for each (path, stamp), with ids from `first_id` on; how many."""
    photos, files = [], []
    for photo_id, (path, stamp) in enumerate(rows, first_id):
        taken_at = None if photo_id % 1000 == 0 else 1.1e9 + rng.random() * 6e8
        name, folder = os.fsencode(path), os.fsencode(posixpath.dirname(path))
        content_hash = photo_id.to_bytes(32, "big")
        photos.append(
            (photo_id, secrets.token_hex(16), root_id, name, "present", content_hash, rng.getrandbits(63), 4000, 3000, "JPEG",
             stamp.size, taken_at, "exif", "Canon EOS R6", 1.7e9, 1.7e9)
        )  # fmt: skip
        files.append((photo_id, root_id, folder, name, "still", stamp.dev, stamp.inode, stamp.size, stamp.mtime_ns, content_hash))
    sql = """
        INSERT INTO photos (id, uid, root_id, path, state, content_hash, perceptual_hash, width, height, format, size, taken_at,
            taken_from, camera, added_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """
    db.conn.executemany(sql, photos)
    sql = """
        INSERT INTO files (photo_id, root_id, folder, path, role, dev, inode, size, mtime_ns, content_hash)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """
    db.conn.executemany(sql, files)
    return len(photos)
