"""Pairs of contents that show one picture: candidates by hash and by embedding, each verified on the thumbnails.

What two contents look like never changes, so a pair is compared once, and of a library that has grown only the new ones
are compared with all. Whether two photos that look like one picture are one (a copy, an edit, two frames of a tripod) also
depends on their times and names; that is decided anew each time, in `groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from os.path import basename, splitext

import numpy as np
from numpy.typing import NDArray

from precious_daemon.grouping.compare import (
    COARSE,
    SMALLEST_CROP,
    Ground,
    Pixels,
    Sheet,
    find_crop,
    find_tilt,
    likeness,
    sheet,
    undone,
)
from precious_daemon.grouping.hashes import LEFT, RIGHT, SIDEWAYS, TURNS, Indexes, near_between, near_pairs, turned
from precious_daemon.work.jobfolder import PhotoRow

Vectors = NDArray[np.float16] | NDArray[np.float32]

BITS = 10  # of 64, in the hash: the farthest that two encodings or recolourings were seen apart
TURNED_BITS = 10  # mirrored and turned, where a few bits are off: 4 as a rule, 10 at most
WHOLE = 0.9  # correlation of detail: unrelated pictures .2, edits .93 and more
CROP, SLIGHT_CROP = 0.78, 0.9  # of a crop: unrelated .3; of one that leaves nearly all, since another frame of a burst has .83
TILT = 0.8  # of what was turned by a few degrees: unrelated .37
SLIGHTEST_TILT = 1.0  # degrees: hands are no steadier from one frame to the next
NEIGHBOUR = 0.55  # cosine of embeddings below which hardly any crop was found
NEIGHBOURS, FEWER = 60, 12  # most like a picture by embedding: of one that says nothing; of such ones, of a photo of a camera
NEAREST, NEXT = 6, 2  # of them, those looked at in every way; of such ones, for a photo of a camera
MATES = 7  # photos of one name or moment: more is a name that says nothing
ASKING, ASKED = 512, 8192  # photos whose neighbours are looked for together, and among how many at once: 30 MB
PLANES = 3000  # pictures held ready for comparing: 120 MB

CROPPED, TILTED = "cropped", "tilted"


@dataclass(frozen=True, slots=True)
class Twin:
    """`other` shows what `one` shows, but for what was done to it. `how` is one of TURNS, CROPPED, TILTED, or empty."""

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
    degrees: float = 0.0  # of a tilt: clockwise


@dataclass(frozen=True, slots=True)
class Step:
    """A photo that is now compared with all that were compared before it, and the twins that this found."""

    photo: int
    twins: list[Twin]


def compare_each(
    photos: Sequence[PhotoRow],
    among: Sequence[int],
    embedding: Vectors,
    thumbnail: Callable[[int], Pixels | None],
    compared: Collection[str] = (),
) -> Iterator[Step]:
    """A step for each photo, of different contents, that is not yet `compared`. Whoever stops between two steps goes on later
    with those of the steps among the compared, and has the same twins in the end.

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

    def closest(i: int, j: int) -> Twin | None:
        """As it is, mirrored or turned, where the hash did not tell: textures and dusk have few bits to tell by."""
        found = [twin for how in ways(photos[i], photos[j]) if (twin := compare(i, j, how))]
        return max(found, key=lambda twin: twin.whole, default=None)

    @lru_cache(maxsize=PLANES)
    def ground(i: int) -> Ground | None:
        picture = thumbnail(i)
        return None if picture is None else Ground(picture, COARSE)

    known = set(compared)
    new = sorted((i for i in among if photos[i].content_hash not in known), key=lambda i: photos[i].content_hash)
    old = [i for i in among if photos[i].content_hash in known]
    alike = _by_hash(photos, new, old)
    asked = _by_embedding(photos, new, [*new, *old], embedding)
    for i, near in zip(new, asked, strict=True):
        found = dict[tuple[int, int], Twin]()
        for one, other, how in alike.get(i, ()):
            if (one, other) not in found and (twin := compare(one, other, how)):
                found[one, other] = twin
        thorough = NEAREST if _silent(photos[i]) else NEXT
        for place, j in enumerate(near):
            pair = min(i, j), max(i, j)
            if pair in found:
                continue
            twin = closest(*pair) if place < thorough else None
            twin = twin or _crop(photos, i, j, thumbnail, ground, at_any_size=place < thorough)
            twin = twin or (_tilt(photos, i, j, thumbnail) if 3 * place < thorough else None)  # dear
            if twin:
                found[pair] = twin
        yield Step(i, list(found.values()))


def could_be_one_shot(a: PhotoRow, b: PhotoRow) -> bool:
    """Nothing but the pictures says that these were two presses of the button."""
    if a.camera is None or b.camera is None or a.taken_at is None or b.taken_at is None:
        return True
    return a.camera == b.camera and abs(a.taken_at - b.taken_at) < 0.001


# --- candidates --------------------------------------------------------------------------------------------------------


def _by_hash(photos: Sequence[PhotoRow], new: Sequence[int], old: Sequence[int]) -> dict[int, list[tuple[int, int, str]]]:
    """(i, j, how) with i < j of what can be told by hash, by the later of the two in `new`; the likeliest first: as they
    are, then mirrored and turned."""

    def hashes(which: Sequence[int]) -> NDArray[np.uint64]:
        return np.array([photos[i].perceptual_hash for i in which], dtype=np.uint64)

    place = {i: n for n, i in enumerate(new)}
    mine, every = hashes(new), [*new, *old]
    everyone = hashes(every)
    found: dict[int, list[tuple[int, int, str]]] = {}

    def add(one: int, other: int, how: str) -> None:
        i, j = min(one, other), max(one, other)
        if i != j and could_be_one_shot(photos[i], photos[j]):
            later = max(i, j, key=lambda k: place.get(k, -1))
            found.setdefault(later, []).append((i, j, how if i == one else inverse(how)))

    for pairs, there in ((near_pairs(mine, BITS)[0], new), (near_between(mine, hashes(old), BITS)[0], old)):
        for a, b in pairs.tolist():
            add(new[a], there[b], "")
    for how in TURNS:
        for a, b in near_between(turned(mine, how), everyone, TURNED_BITS)[0].tolist():
            add(new[a], every[b], how)
    return found


_INVERSE = {RIGHT: LEFT, LEFT: RIGHT}


def inverse(how: str) -> str:
    """What has to be done to get back."""
    return _INVERSE.get(how, how)


def _by_embedding(
    photos: Sequence[PhotoRow], new: Sequence[int], every: Sequence[int], embedding: Vectors
) -> Iterator[list[int]]:
    """What could be a crop of each of `new`, or it a crop of that, the likeliest first. Photos with time and camera are
    compared with those of the same moment; where one of the two says nothing, with those that are most like it, and with
    those of its name."""
    moments = _same_moment(photos, new, every)
    for i, near in zip(new, _neighbours(photos, new, every, embedding), strict=True):
        likely = dict.fromkeys([*sorted(moments.get(i, set()) - set(near)), *near])
        yield [j for j in likely if j != i and could_be_one_shot(photos[i], photos[j])]


def _same_moment(photos: Sequence[PhotoRow], new: Sequence[int], every: Sequence[int]) -> dict[int, set[int]]:
    """Of each of `new`, those before it that were taken at its moment or have its name."""
    place = {i: n for n, i in enumerate(new)}
    moments: dict[object, list[int]] = {}
    for i in every:
        photo = photos[i]
        stem = splitext(basename(photo.path))[0].lower()
        keys: list[object] = [stem[:8] if stem.startswith(("img_", "dsc", "dscf", "pxl_", "p")) else stem]
        if photo.camera and photo.taken_at is not None:
            keys.append((photo.camera, photo.taken_at))
        for key in keys:
            moments.setdefault(key, []).append(i)
    found: dict[int, set[int]] = {}
    for members in moments.values():
        if len(members) <= MATES:
            for i in members:
                if i in place:
                    found.setdefault(i, set()).update(j for j in members if place.get(j, -1) < place[i])
    return found


def _neighbours(photos: Sequence[PhotoRow], new: Sequence[int], every: Sequence[int], embedding: Vectors) -> Iterator[list[int]]:
    """Those most like each of `new`, where one of the two says nothing of camera or time: what came from an editor or a
    messenger asks for what it was made from, and whatever it could be made from asks for that."""
    there = np.array(every, np.int64)
    silent = np.array([_silent(photos[i]) for i in every], bool)
    for start in range(0, len(new), ASKING):
        rows = np.arange(start, min(start + ASKING, len(new)))  # `every` begins with `new`
        found: list[list[int]] = [[] for _ in rows]
        for asking, asked, count in ((rows[silent[rows]], there, NEIGHBOURS), (rows[~silent[rows]], there[silent], FEWER)):
            for row, near in zip(asking.tolist(), _nearest(embedding, there[asking], asked, count), strict=True):
                found[row - start] = near
        yield from found


def _silent(photo: PhotoRow) -> bool:
    return photo.camera is None or photo.taken_at is None


def _nearest(embedding: Vectors, asking: Indexes, asked: Indexes, count: int) -> list[list[int]]:
    """Of each row of `asking` the up to `count` of `asked` whose cosine is NEIGHBOUR or more, likest first; never itself."""
    mine = _flat(embedding, asking)
    best = np.full((len(asking), count), -1.0, np.float32)
    which = np.zeros((len(asking), count), np.int64)
    for start in range(0, len(asked) if len(asking) else 0, ASKED):
        part = asked[start : start + ASKED]
        cosines = mine @ _flat(embedding, part).T
        cosines[asking[:, None] == part[None, :]] = -1
        cosines, among = np.hstack([best, cosines]), np.hstack([which, np.broadcast_to(part, cosines.shape)])
        order = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        best, which = np.take_along_axis(cosines, order, 1), np.take_along_axis(among, order, 1)
    first = np.argsort(-best, axis=1, kind="stable")
    best, which = np.take_along_axis(best, first, 1), np.take_along_axis(which, first, 1)
    return [row[near >= NEIGHBOUR].tolist() for row, near in zip(which, best, strict=True)]


def _flat(embedding: Vectors, rows: Indexes) -> NDArray[np.float32]:
    """Those rows of length one, or of zeros."""
    vectors = embedding[rows].astype(np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


# --- crops and tilts ---------------------------------------------------------------------------------------------------


def _crop(
    photos: Sequence[PhotoRow],
    i: int,
    j: int,
    thumbnail: Callable[[int], Pixels | None],
    ground: Callable[[int], Ground | None],
    *,
    at_any_size: bool,
) -> Twin | None:
    """Of the smaller in the larger: at the size that it has where nothing was resized, or at any."""
    i, j = sorted((i, j), key=lambda k: (-photos[k].width * photos[k].height, photos[k].content_hash))
    a, b = photos[i], photos[j]
    fits = 0 < b.width <= a.width and 0 < b.height <= a.height
    if not fits and not at_any_size:
        return None
    whole, part, coarse = thumbnail(i), thumbnail(j), ground(i)
    if whole is None or part is None or coarse is None:
        return None
    crop = find_crop(whole, part, coarse, _scale(a, whole, b, part)) if fits else None
    crop = crop or (find_crop(whole, part, coarse) if at_any_size else None)
    slight = crop is not None and min(crop.width, crop.height) > 0.93
    if crop is None or crop.agreement < (SLIGHT_CROP if slight else CROP):
        return None
    left = crop.width * crop.height
    if left < SMALLEST_CROP**2:
        return None
    return Twin(a.content_hash, b.content_hash, CROPPED, crop.agreement, crop.agreement, 1, 0, 0, (False, False), left)


def _tilt(photos: Sequence[PhotoRow], i: int, j: int, thumbnail: Callable[[int], Pixels | None]) -> Twin | None:
    i, j = sorted((i, j), key=lambda k: (-photos[k].width * photos[k].height, photos[k].content_hash))
    a, b = photos[i], photos[j]
    whole, part = thumbnail(i), thumbnail(j)
    if whole is None or part is None or min(a.width, b.width) < 1:
        return None
    found = find_tilt(whole, part, _scale(a, whole, b, part))
    if found is None or found[1] < TILT or abs(found[0]) < SLIGHTEST_TILT:
        return None
    degrees, agreement = found
    told = (TILTED, agreement, agreement, 1.0, 0.0, 0.0, (False, False), 1.0, degrees)
    return Twin(a.content_hash, b.content_hash, *told)


def _scale(a: PhotoRow, whole: Pixels, b: PhotoRow, part: Pixels) -> float:
    """Length of a pixel of a thumbnail in pixels of another's, where neither photo was resized."""
    return float(b.width / part.shape[1] / (a.width / whole.shape[1]))


def ways(a: PhotoRow, b: PhotoRow) -> list[str]:
    """What may have been done to a picture to get one of that shape, besides recolouring it: nothing, or one of TURNS."""
    upright, lying = same_shape(a, b), same_shape(a, replace(b, width=b.height, height=b.width))
    return [how for how in ("", *TURNS) if (lying if how in SIDEWAYS else upright)]


def same_shape(a: PhotoRow, b: PhotoRow, tolerance: float = 0.02) -> bool:
    """What rounding does to small copies is forgiven."""
    if min(a.width, a.height, b.width, b.height) < 1:
        return False
    return abs(log(a.width / a.height * b.height / b.width)) <= tolerance
