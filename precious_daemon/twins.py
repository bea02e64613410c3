"""Pairs of contents that show one picture: candidates by hash and by embedding, each verified on the thumbnails.

What two contents look like never changes, so a pair is compared once, and of a library that has grown only the new ones
are compared with all. Whether two photos that look like one picture are one (a copy, an edit, two frames of a tripod) also
depends on their times and names; that is decided anew each time, in `groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from os.path import basename, splitext

import numpy as np
from numpy.typing import NDArray

from precious_daemon.compare import Pixels, Sheet, find_crop, likeness, sheet, undone
from precious_daemon.hashes import LEFT, RIGHT, TURNS, Indexes, near_between, near_pairs, turned
from precious_daemon.jobfolder import PhotoRow

Vectors = NDArray[np.float16] | NDArray[np.float32]

BITS = 10  # of 64, in the hash: the farthest that two encodings or recolourings were seen apart
TURNED_BITS = 10  # mirrored and turned, where a few bits are off: 4 as a rule, 10 at most
WHOLE = 0.9  # correlation of detail: unrelated pictures .2, edits .93 and more
CROP, SLIGHT_CROP = 0.78, 0.9  # of a crop: unrelated .3; of one that leaves nearly all, since another frame of a burst has .83
NEIGHBOURS = 6  # most like a picture by embedding, in which a crop of it, or it as a crop, is looked for
NEIGHBOUR = 0.6  # cosine below which no crop was found
PLANES = 3000  # pictures held ready for comparing: 120 MB

CROPPED = "cropped"


@dataclass(frozen=True, slots=True)
class Twin:
    """`other` shows what `one` shows, but for what was done to it. `how` is one of TURNS, CROPPED, or empty."""

    one: str  # content hashes, hex
    other: str
    how: str
    whole: float  # correlation of detail
    parts: float  # the same of the part that agrees least
    strength: float  # detail of `other` for one of `one`
    colours: float  # mean difference, levels of 256
    light: float  # how much lighter `other` is
    grey: tuple[bool, bool]
    left: float = 1.0  # of a crop: share of the picture that is left


def find_twins(
    photos: Sequence[PhotoRow],
    among: Sequence[int],
    embedding: Vectors,
    thumbnail: Callable[[int], Pixels | None],
    compared: Collection[str] = (),
) -> Iterator[Twin]:
    """Twins among photos of different contents, where at least one of the two is not yet `compared`.

    `embedding` is (n, any), rows of zeros where it is missing; `thumbnail` gives the picture of a photo, (h, w, 3).
    """

    @lru_cache(maxsize=PLANES)
    def ready(i: int) -> Sheet | None:
        picture = thumbnail(i)
        return None if picture is None else sheet(picture)

    def compare(i: int, j: int, how: str) -> Twin | None:
        one, other = ready(i), ready(j)
        if one is None or other is None:
            return None
        seen = likeness(one, undone(other, how) if how else other)
        if seen.whole < WHOLE:
            return None
        return Twin(
            photos[i].content_hash, photos[j].content_hash, how, seen.whole, seen.parts, seen.strength, seen.colours,
            seen.light, seen.grey,
        )  # fmt: skip

    known = set(compared)
    new = [i for i in among if photos[i].content_hash not in known]
    old = [i for i in among if photos[i].content_hash in known]
    found = set[tuple[int, int]]()
    for i, j, how in _by_hash(photos, new, old):
        if (i, j) not in found and could_be_one_shot(photos[i], photos[j]) and (twin := compare(i, j, how)):
            found.add((i, j))
            yield twin
    for i, j in _by_embedding(photos, new, [*new, *old], embedding):
        if (min(i, j), max(i, j)) not in found and (twin := _crop(photos, i, j, thumbnail)):
            yield twin


def could_be_one_shot(a: PhotoRow, b: PhotoRow) -> bool:
    """Nothing but the pictures says that these were two presses of the button."""
    if a.camera is None or b.camera is None or a.taken_at is None or b.taken_at is None:
        return True
    return a.camera == b.camera and abs(a.taken_at - b.taken_at) < 0.001


# --- candidates --------------------------------------------------------------------------------------------------------


def _by_hash(photos: Sequence[PhotoRow], new: Sequence[int], old: Sequence[int]) -> Iterator[tuple[int, int, str]]:
    """(i, j, how) with i < j, the likeliest first: as they are, then mirrored and turned."""

    def hashes(which: Sequence[int]) -> NDArray[np.uint64]:
        return np.array([photos[i].perceptual_hash for i in which], dtype=np.uint64)

    mine, everyone = np.array(new, np.int64), np.array([*new, *old], np.int64)
    own, theirs = hashes(new), hashes(old)
    for pairs, there in ((near_pairs(own, BITS)[0], new), (near_between(own, theirs, BITS)[0], old)):
        for i, j in zip(mine[pairs[:, 0]].tolist(), np.array(there, np.int64)[pairs[:, 1]].tolist(), strict=True):
            yield min(i, j), max(i, j), ""
    every = np.concatenate([own, theirs])
    for how in TURNS:
        pairs, _ = near_between(turned(own, how), every, TURNED_BITS)
        for i, j in zip(mine[pairs[:, 0]].tolist(), everyone[pairs[:, 1]].tolist(), strict=True):
            if i < j:
                yield i, j, how
            elif j < i:
                yield j, i, _INVERSE.get(how, how)


_INVERSE = {RIGHT: LEFT, LEFT: RIGHT}


def inverse(how: str) -> str:
    """What has to be done to get back."""
    return _INVERSE.get(how, how)


def _by_embedding(
    photos: Sequence[PhotoRow], new: Sequence[int], every: Sequence[int], embedding: Vectors
) -> Iterator[tuple[int, int]]:
    """(whole, part): the larger picture first. Photos with time and camera are compared with those of the same moment;
    where one of the two says nothing, with those that are most like it, and with those of its name."""
    seen = set[tuple[int, int]]()
    for i, j in (*_same_moment(photos, new, every), *_neighbours(photos, new, every, embedding)):
        if photos[i].content_hash == photos[j].content_hash or not could_be_one_shot(photos[i], photos[j]):
            continue
        whole, part = sorted((i, j), key=lambda k: (-photos[k].width * photos[k].height, photos[k].content_hash))
        if (whole, part) not in seen:
            seen.add((whole, part))
            yield whole, part


def _same_moment(photos: Sequence[PhotoRow], new: Sequence[int], every: Sequence[int]) -> Iterator[tuple[int, int]]:
    moments: dict[object, list[int]] = {}
    for i in every:
        photo = photos[i]
        stem = splitext(basename(photo.path))[0].lower()
        keys: list[object] = [stem[:8] if stem.startswith(("img_", "dsc", "dscf", "pxl_", "p")) else stem]
        if photo.camera and photo.taken_at is not None:
            keys.append((photo.camera, photo.taken_at))
        for key in keys:
            moments.setdefault(key, []).append(i)
    fresh = set(new)
    for members in moments.values():
        if len(members) <= NEIGHBOURS + 1:
            yield from ((i, j) for i in members for j in members if i in fresh and i != j)


def _neighbours(
    photos: Sequence[PhotoRow], new: Sequence[int], every: Sequence[int], embedding: Vectors
) -> Iterator[tuple[int, int]]:
    """Of each pair at least one is new, and at least one says nothing of camera or time: what came from an editor or a
    messenger asks for what it was made from."""
    there = np.array([i for i in every if embedding[i].any()], np.int64)
    silent = np.array([photos[i].camera is None or photos[i].taken_at is None for i in there], bool)
    fresh = np.isin(there, np.array(new, np.int64))
    vectors = _flat(embedding, there)
    everyone = np.ones(len(there), bool)
    for asking, asked, count in ((silent & fresh, everyone, NEIGHBOURS), (fresh & ~silent, silent & ~fresh, 2)):
        rows, columns = np.flatnonzero(asking), np.flatnonzero(asked)
        for start in range(0, len(rows) if len(columns) > 1 else 0, 256):
            part = rows[start : start + 256]
            cosines = vectors[part] @ vectors[columns].T
            cosines[part[:, None] == columns[None, :]] = -1
            best = np.argpartition(-cosines, min(count, len(columns) - 1), axis=1)[:, :count]
            for place in range(best.shape[1]):
                likely = cosines[np.arange(len(part)), best[:, place]] >= NEIGHBOUR
                yield from zip(there[part[likely]].tolist(), there[columns[best[likely, place]]].tolist(), strict=True)


def _flat(embedding: Vectors, rows: Indexes) -> NDArray[np.float32]:
    vectors = embedding[rows].astype(np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


# --- crops -------------------------------------------------------------------------------------------------------------


def _crop(photos: Sequence[PhotoRow], i: int, j: int, thumbnail: Callable[[int], Pixels | None]) -> Twin | None:
    whole, part = thumbnail(i), thumbnail(j)
    if whole is None or part is None:
        return None
    a, b = photos[i], photos[j]
    scale = None
    if min(a.width, a.height, b.width, b.height) > 0 and b.width <= a.width and b.height <= a.height:
        scale = (b.width / part.shape[1]) / (a.width / whole.shape[1])  # as it is where nothing was resized
    crop = (find_crop(whole, part, scale) if scale else None) or find_crop(whole, part)
    slight = crop is not None and min(crop.width, crop.height) > 0.93
    if crop is None or crop.agreement < (SLIGHT_CROP if slight else CROP):
        return None
    left = crop.width * crop.height
    return Twin(a.content_hash, b.content_hash, CROPPED, crop.agreement, crop.agreement, 1, 0, 0, (False, False), left)


def same_shape(a: PhotoRow, b: PhotoRow, tolerance: float = 0.02) -> bool:
    """What rounding does to small copies is forgiven."""
    if min(a.width, a.height, b.width, b.height) < 1:
        return False
    return abs(log(a.width / a.height * b.height / b.width)) <= tolerance
