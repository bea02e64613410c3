"""The half of the grouping child that finds copies, edits and bursts: what was found out before is not found out again.

Pairs of contents that show one picture, and how sharp a frame is at full size, are kept in `cache.db`. So only new photos
are compared with all, and only new frames are read once more.
"""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from precious_daemon.grouping.compare import Pixels
from precious_daemon.grouping.groups import Grouping, Looks, informative
from precious_daemon.grouping.twins import Twin, compare_each
from precious_daemon.models import Group
from precious_daemon.pictures.ingest import prepare_worker, read_detail
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow

DECODED = 4000  # thumbnails held decoded: 200 MB at most
COMPARE_SECONDS, COMPARE_SHARE = 1800.0, 0.5  # photos are compared for so long, and for this share of the time there is at most
TOLD = 50  # photos compared from one word of it to the next
DETAIL_SECONDS = 300.0  # frames that compete are read for so long; the others the next time
SECONDS_PER_FILE = 10.0


def find_groups(folder: Path, job: Mapping[str, Any], photos: Sequence[PhotoRow], looks: Looks) -> list[Group]:
    """All groups. Leaves twins.csv, compared.bin and details.bin in the folder: what is new in them; and compared.json: how
    many photos are compared with all others by now, of how many."""
    with closing(connect(Path(job["cache_db"]))) as cache:
        grouping = Grouping(photos, looks, _twins(folder, cache, photos, looks, job.get("seconds")))
        return grouping.groups(_details(folder, cache, photos, grouping.rivals, job["worker_megabytes"]))


def connect(cache_db: Path) -> sqlite3.Connection:
    """A read-only connection."""
    return sqlite3.connect(f"{cache_db.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


class Thumbnails:
    """Pictures of photos by their index, decoded when asked for; None where one is missing or broken."""

    def __init__(self, cache_db: Path, photos: Sequence[PhotoRow]) -> None:
        self._db, self._photos = connect(cache_db), photos
        self._of = lru_cache(maxsize=DECODED)(self._read)

    def __call__(self, i: int) -> Pixels | None:
        return self._of(self._photos[i].content_hash)

    def _read(self, content_hash: str) -> Pixels | None:
        sql = "SELECT thumbnail FROM pictures WHERE content_hash = ?"
        row = self._db.execute(sql, [bytes.fromhex(content_hash)]).fetchone()
        with suppress(OSError, ValueError):
            if row:
                return np.asarray(Image.open(io.BytesIO(row[0]), formats=["JPEG"]).convert("RGB"))
        return None

    def close(self) -> None:
        self._db.close()


# --- twins -------------------------------------------------------------------------------------------------------------


def _twins(
    folder: Path, cache: sqlite3.Connection, photos: Sequence[PhotoRow], looks: Looks, seconds: float | None
) -> list[Twin]:
    """All that are known by the end of the time that there is. What was found is left however this ends."""
    until = time.monotonic() + min(COMPARE_SECONDS, COMPARE_SHARE * (seconds or math.inf))
    before = {row[0].hex() for row in cache.execute("SELECT content_hash FROM compared")}
    rows = cache.execute("SELECT content_hash, other_hash, found FROM twins")
    known = [Twin(one.hex(), other.hex(), *json.loads(found)) for one, other, found in rows]
    among = informative(photos, looks)
    waiting = sum(photos[i].content_hash not in before for i in among)
    new, compared, done = list[Twin](), list[str](), 0
    try:
        for done, step in enumerate(compare_each(photos, among, looks.embedding, looks.thumbnail, before), 1):
            new += step.twins
            if looks.embedding[step.photo].any():
                compared.append(photos[step.photo].content_hash)
            if done % TOLD == 0:
                jobfolder.say("comparing photos that look alike", done, waiting)
            if time.monotonic() > until:
                break
    finally:
        jobfolder.write_twins(folder, ((twin.one, twin.other, json.dumps(astuple(twin)[2:])) for twin in new))
        jobfolder.write_records(folder, "compared.bin", map(bytes.fromhex, compared))
    jobfolder.write_json(folder, "compared.json", {"done": len(among) - waiting + done, "of": len(among)})
    return [*known, *new]


# --- frames at full size -----------------------------------------------------------------------------------------------


def _details(
    folder: Path, cache: sqlite3.Connection, photos: Sequence[PhotoRow], frames: Sequence[int], megabytes: int
) -> dict[int, NDArray[np.uint8]]:
    """`features.detail` of frames by index, where it is known or can be had in the time that there is for it."""
    found = dict[str, bytes]()
    sql = "SELECT detail FROM details WHERE content_hash = ?"
    for i in frames:
        row = cache.execute(sql, [bytes.fromhex(photos[i].content_hash)]).fetchone()
        if row:
            found[photos[i].content_hash] = row[0]
    wanted = [i for i in frames if photos[i].content_hash not in found and os.path.exists(_place(photos[i]))]
    new = dict(_read(photos, wanted, megabytes)) if wanted else {}
    jobfolder.write_records(folder, "details.bin", (bytes.fromhex(content) + detail for content, detail in new.items()))
    found |= new
    return {i: np.frombuffer(detail, np.uint8) for i in frames if (detail := found.get(photos[i].content_hash))}


def _place(photo: PhotoRow) -> str:
    return os.path.join(photo.root, photo.path)


def _read(photos: Sequence[PhotoRow], wanted: Sequence[int], megabytes: int) -> Iterator[tuple[str, bytes]]:
    """(content hash, detail). One that its decoder does not survive is passed over, as is what comes after the time is up."""
    until = time.monotonic() + DETAIL_SECONDS
    folders = sorted({photos[i].root for i in wanted})
    pool = None
    try:
        for n, i in enumerate(wanted):
            if time.monotonic() > until:
                return
            jobfolder.say("looking at bursts in full size", n, len(wanted))
            pool = pool or ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), prepare_worker, (megabytes, folders))
            content = photos[i].content_hash
            try:
                detail = pool.submit(read_detail, _place(photos[i]), bytes.fromhex(content), SECONDS_PER_FILE).result()
            except BrokenProcessPool:
                pool = None
                continue
            if detail:
                yield content, detail
    finally:
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():  # whatever it reads: this process may have been told to end
            process.terminate()
