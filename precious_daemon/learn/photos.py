"""The photos of a job, as columns: a million of them take 150 MB, where a million rows would take a gigabyte."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precious_daemon.grouping.measures import Floats, Ints, facts_of
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import HASH_BYTES

Numbers = NDArray[np.floating[Any]] | Ints
Hashes = NDArray[np.uint8]  # (n, HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Photos:
    """n photos in the order of the job; `find` goes by the first eight bytes of their contents' hashes, which are sorted."""

    ids: Ints  # (n,)
    hashes: Hashes
    bursts: Ints  # (n,)
    facts: Floats  # (n, FACTS)
    starts: NDArray[np.uint64]  # (n,) ascending
    order: Ints  # (n,): whose they are

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, keys: Sequence[bytes]) -> tuple[Ints, Ints]:
        """The photos of these contents: places in `keys` and positions of photos, (m,) each. A content may have several."""
        wanted = _table(keys)
        first = _starts(wanted)
        begin, end = np.searchsorted(self.starts, first, "left"), np.searchsorted(self.starts, first, "right")
        counts = end - begin
        which = np.repeat(np.arange(len(wanted)), counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        where = self.order[begin[which] + within]
        same = (self.hashes[where] == wanted[which]).all(axis=1)
        return which[same], where[same]


def read(folder: Path) -> Photos:
    """Of a job's photos.csv."""
    numbers, hashes, cameras, pngs = array("q"), bytearray(), bytearray(), bytearray()
    names = ("id", "burst", "size", "width", "height", "content_hash", "camera", "format")
    for photo, burst, size, width, height, content_hash, camera, kind in jobfolder.read_columns(folder, names):
        numbers.extend((int(photo), int(burst), int(size), int(width) * int(height)))
        hashes += bytes.fromhex(content_hash).ljust(HASH_BYTES, b"\0")
        cameras.append(bool(camera))
        pngs.append(kind.upper() == "PNG")
    ids, bursts, sizes, pixels = np.array(numbers, dtype=np.int64).reshape(-1, 4).T.copy()
    return of(ids, np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES), bursts,
              facts_of(sizes, pixels, np.frombuffer(cameras, np.uint8), np.frombuffer(pngs, np.uint8), bursts))  # fmt: skip


def of(ids: Ints, hashes: Hashes, bursts: Ints, facts: Floats) -> Photos:
    starts = _starts(hashes)
    order = np.argsort(starts, kind="stable")
    return Photos(ids, hashes, bursts, facts, starts[order], order)


def positions(ids: Ints, wanted: Iterable[int]) -> dict[int, int]:
    """Where some photos are among all; those that are not there are left out."""
    where = np.flatnonzero(np.isin(ids, list(wanted)))
    return dict(zip(ids[where].tolist(), where.tolist(), strict=True))


def write_scores(folder: Path, ids: Ints, keep: Numbers, taste: Numbers) -> None:
    """scores.bin of photos in this order; (n,) each."""
    records = np.empty(len(ids), dtype=[("photo", "<i8"), ("keep", "<f4"), ("taste", "<f4")])
    records["photo"], records["keep"], records["taste"] = ids, keep, taste
    jobfolder.write_bytes(folder, "scores.bin", records.data)


def _table(keys: Iterable[bytes]) -> Hashes:
    return np.frombuffer(b"".join(key.ljust(HASH_BYTES, b"\0") for key in keys), np.uint8).reshape(-1, HASH_BYTES)


def _starts(hashes: Hashes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes[:, :8]).view(np.uint64).ravel()
