"""The child that groups: `python -m precious_daemon.grouping JOBDIR`.

Reads job.json {"task": "group", "cache_db", "backbone", "representatives", "clusters": settings, "seed", "worker_megabytes"}
and photos.csv, and the features of each photo from `cache.db` by content hash. Leaves groups.json, what `clustering` leaves, and
beside them what need not be found out again: twins.csv (pairs of contents that show one picture), compared.bin (contents
that were compared with all others) and details.bin (sharpness at full size). Each is whole or not there. On SIGTERM it
ends at once: what it had written whole by then is good.

The originals of frames that compete are read once more, at full size, in a process of their own with limits of its own.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from precious_daemon.grouping import clustering
from precious_daemon.grouping.compare import Pixels
from precious_daemon.grouping.groups import Looks
from precious_daemon.grouping.matching import Thumbnails, connect, find_groups
from precious_daemon.grouping.measures import facts, qualities
from precious_daemon.grouping.represent import represent
from precious_daemon.models import Group, Quality
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow

READ = 500  # photos whose features are read at once
STEPS = 3


def main(folder: Path) -> None:
    jobfolder.step_back()
    signal.signal(signal.SIGTERM, _stop)
    job = jobfolder.read_json(folder, "job.json")
    photos = jobfolder.read_photos(folder)
    with closing(Thumbnails(Path(job["cache_db"]), photos)) as thumbnails:
        looks = read_looks(folder, Path(job["cache_db"]), photos, job["backbone"], thumbnails)
        jobfolder.say("finding copies and bursts", 1, STEPS)
        found = find_groups(folder, job, photos, looks)
    jobfolder.write_json(folder, "groups.json", [_as_json(group) for group in found])
    jobfolder.say("choosing photos that stand for the others", 2, STEPS)
    clustering.run(folder, job, photos, looks, lambda: representatives(photos, looks, found, job["representatives"], job["seed"]))
    jobfolder.say("choosing photos that stand for the others", 3, STEPS)


def _stop(*_: object) -> NoReturn:
    sys.exit(jobfolder.STOPPED)


# --- reading -----------------------------------------------------------------------------------------------------------


def read_looks(
    folder: Path, cache_db: Path, photos: Sequence[PhotoRow], backbone: str, thumbnail: Callable[[int], Pixels | None]
) -> Looks:
    """Features of all photos, from a read-only connection. Vectors lie in files of the job folder, mapped: they may be more
    than memory."""
    quality: list[Quality | None] = [None] * len(photos)
    rows: dict[bytes, list[int]] = {}
    for i, photo in enumerate(photos):
        rows.setdefault(bytes.fromhex(photo.content_hash), []).append(i)
    with closing(connect(cache_db)) as db:
        hog = _Table(folder / "hog.f16", len(photos))
        for n, (key, blob, measures) in enumerate(_read(db, "SELECT content_hash, hog, quality FROM pictures", rows)):
            hog.put(rows[key], blob)
            for i in rows[key]:
                quality[i] = Quality.unpack(measures)
            if n % (10 * READ) == 0:
                jobfolder.say("reading what the photos look like", n, len(rows))
        embedding = _Table(folder / "embedding.f16", len(photos))
        for key, vector in _read(db, "SELECT content_hash, vector FROM embeddings WHERE backbone = ?", rows, backbone):
            embedding.put(rows[key], vector)
    return Looks(quality, hog.matrix, embedding.matrix, thumbnail)


def _read(db: sqlite3.Connection, sql: str, wanted: dict[bytes, list[int]], *values: object) -> Iterator[tuple[Any, ...]]:
    keys = list(wanted)
    for start in range(0, len(keys), READ):
        part = keys[start : start + READ]
        where = f"{'AND' if values else 'WHERE'} content_hash IN ({','.join('?' * len(part))})"
        yield from db.execute(f"{sql} {where}", [*values, *part])


class _Table:
    """A (rows, d) float16 matrix in a file; d is that of the first vector put. Rows never put are zeros."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path, self._rows = path, rows
        self.matrix: NDArray[np.float16] = np.zeros((rows, 1), np.float16)
        self._empty = True

    def put(self, rows: Sequence[int], blob: bytes) -> None:
        vector = np.frombuffer(blob, np.float16)
        if self._empty:
            self.matrix, self._empty = np.memmap(self._path, np.float16, "w+", shape=(self._rows, len(vector))), False
        self.matrix[rows] = vector


def representatives(photos: Sequence[PhotoRow], looks: Looks, found: Sequence[Group], count: int, seed: int) -> list[int]:
    """Positions of the photos to ask about, the most telling first. By their gradients while fewer than half are embedded."""
    number = {member.photo_id: i for i, group in enumerate(found) for member in group.members}
    together = np.array([number.get(photo.id, len(found) + i) for i, photo in enumerate(photos)], dtype=np.int64)
    measures = np.hstack([facts(photos, together), qualities(looks.quality)])
    few = 2 * np.count_nonzero(looks.embedding.any(axis=1)) < len(looks.embedding)
    with threadpool_limits(1):  # more wait for each other longer than they work
        return list(represent(looks.hog if few else looks.embedding, measures, together, count, seed).tolist())


# --- writing -----------------------------------------------------------------------------------------------------------


def _as_json(group: Group) -> dict[str, Any]:
    """What is found; what the owner decided about it is not this child's to know."""
    members = [{"photo_id": m.photo_id, "best": m.best, "reason": m.reason} for m in group.members]
    return {"kind": group.kind.value, "members": members}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
