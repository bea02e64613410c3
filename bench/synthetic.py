"""Libraries that nobody has: rows written straight into the databases, or small files, as many as wanted."""

from __future__ import annotations

import csv
import os
import posixpath
import random
import secrets
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

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


def write_pictures(folder: Path, count: int) -> None:
    """So many JPEGs of 2 KB, each another picture of a camera, taken one a minute, in folders of 500; every fourth is dark, as
    truth.csv beside them says."""
    import numpy as np
    from PIL import Image
    from PIL.ExifTags import IFD, Base

    rng, then = np.random.default_rng(0), time.time() - 3600
    folder.mkdir(parents=True)
    with open(folder.parent / "truth.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "kind"))
        for number in range(count):
            kind = "dark" if number % 4 == 0 else "photo"
            path = folder / f"{number // 500:04}" / f"{number:07}.jpg"
            path.parent.mkdir(exist_ok=True)
            small = rng.integers(0, 60 if kind == "dark" else 256, (6, 8, 3), dtype=np.uint8)
            taken = then - 60 * number
            exif = Image.Exif()
            exif[Base.Make], exif[Base.Model] = "Canon", "Canon EOS R6"
            exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = time.strftime("%Y:%m:%d %H:%M:%S", time.localtime(taken))
            Image.fromarray(small).resize((96, 72), Image.Resampling.BICUBIC).save(path, "JPEG", quality=80, exif=exif)
            os.utime(path, (taken, taken))
            rows.writerow((str(path.relative_to(folder)), kind))
