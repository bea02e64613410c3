"""What is measured of a photo beside its look: facts of its file, and the measures of its pixels, as columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precious_daemon.models import Quality
from precious_daemon.work.jobfolder import PhotoRow

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Truths = NDArray[np.integer[Any]]  # 0 or 1

FACTS = 5  # measures that the file's own data give
MEASURES = len(fields(Quality)) + FACTS
DEVIATIONS = 10.0  # at most: one damaged value rules no axis


def facts(rows: Sequence[PhotoRow], group: Ints) -> Floats:
    """(n, FACTS) of what the files say of themselves: bits a pixel, size, camera, screenshot's format, frames of the burst.

    `group` (n,): photos of one burst share a number. Blur and emptiness compress well; a picture without a camera in it was
    not taken but sent or captured.
    """
    said = [(row.size, row.width * row.height, row.camera is not None, row.format.upper() == "PNG") for row in rows]
    size, pixels, camera, png = np.array(said, dtype=np.int64).reshape(-1, 4).T
    return facts_of(size, pixels, camera, png, group)


def facts_of(size: Ints, pixels: Ints, camera: Truths, png: Truths, group: Ints) -> Floats:
    """`facts` of photos (n,) given as columns: bytes, width times height, whether a camera is named, whether it is a PNG."""
    _, which, frames = np.unique(group, return_inverse=True, return_counts=True)
    whole = np.maximum(pixels, 1)
    columns = np.log(np.maximum(size, 1) / whole), np.log(whole), camera, png, np.log(frames[which])
    return np.column_stack(columns).astype(np.float32)


def qualities(measured: Sequence[Quality | None]) -> Floats:
    """(n, MEASURES - FACTS); the mean where a photo has none, or a number that is none."""
    unknown = (np.nan,) * (MEASURES - FACTS)
    rows = [unknown if q is None else astuple(q) for q in measured]
    return filled(np.array(rows, dtype=np.float32).reshape(-1, MEASURES - FACTS))


def filled(rows: Floats) -> Floats:
    """(n, m): with the mean of its column where a number is none."""
    known = np.isfinite(rows)
    middle = np.where(known, rows, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, rows, middle).astype(np.float32)


def scale(raw: Floats) -> tuple[Floats, Floats]:
    """Middle and spread (m,) that bring the rows of (n, m) to a mean length of one; what never varies gets no say."""
    deviation = raw.std(0)
    deviation[deviation < 1e-6] = np.inf
    varying = max(int(np.isfinite(deviation).sum()), 1)
    return raw.mean(0), (deviation * math.sqrt(varying)).astype(np.float32)


def scaled(raw: Floats, middle: Floats, spread: Floats) -> Floats:
    """(n, m) -> (n, m)."""
    limit = DEVIATIONS / math.sqrt(max(int(np.isfinite(spread).sum()), 1))
    return np.asarray(np.clip((raw - middle) / spread, -limit, limit), dtype=np.float32)
