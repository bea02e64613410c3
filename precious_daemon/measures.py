"""What is measured of a photo beside its look: facts of its file, and the measures of its pixels, as columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray

from precious_daemon.jobfolder import PhotoRow
from precious_daemon.models import Quality

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FACTS = 5  # measures that the file's own data give
MEASURES = len(fields(Quality)) + FACTS
DEVIATIONS = 10.0  # at most: one damaged value rules no axis


def facts(rows: Sequence[PhotoRow], group: Ints) -> Floats:
    """(n, FACTS) of what the files say of themselves: bits a pixel, size, camera, screenshot's format, frames of the burst.

    `group` (n,): photos of one burst share a number. Blur and emptiness compress well; a picture without a camera in it was
    not taken but sent or captured.
    """
    sizes = np.bincount(np.unique(group, return_inverse=True)[1])
    frames = sizes[np.unique(group, return_inverse=True)[1]] if len(group) else np.zeros(0)
    pixels = [max(row.width * row.height, 1) for row in rows]
    return np.array(
        [
            (math.log(max(row.size, 1) / p), math.log(p), row.camera is not None, row.format.upper() == "PNG", math.log(f))
            for row, p, f in zip(rows, pixels, frames, strict=True)
        ],
        dtype=np.float32,
    ).reshape(-1, FACTS)


def qualities(measured: Sequence[Quality | None]) -> Floats:
    """(n, MEASURES - FACTS); the mean where a photo has none, or a number that is none."""
    unknown = (np.nan,) * (MEASURES - FACTS)
    rows = np.array([unknown if q is None else astuple(q) for q in measured], dtype=np.float32).reshape(-1, MEASURES - FACTS)
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
