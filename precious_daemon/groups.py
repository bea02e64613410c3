"""Near-duplicates and the best of each: exact copies, the same picture encoded anew, bursts.

Wrongly grouped is worse than not grouped, because all but the best of a group is suggested for deletion. So a group
needs independent witnesses (hash, gradients, embedding, shape, capture time), each member is near the group's best
itself and not by way of others, and pictures that say too little (dark, flat, pages of text) have to meet more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from os.path import basename, splitext

import numpy as np
from numpy.typing import NDArray

from precious_daemon.jobfolder import PhotoRow
from precious_daemon.models import Group, GroupKind, GroupMember, Quality

Indexes = NDArray[np.int64]
Vectors = NDArray[np.float16] | NDArray[np.float32]
_Reason = Callable[[int, str], str]

SAME_BITS = 6  # of 64 in the perceptual hash; unrelated photos differ in 32, and hardly ever in less than 12
SAME_ASPECT = 0.02  # log of width / height: what rounding does to small copies
BURST_GAP = 2.0  # seconds from one frame to the next
BURST_LONGEST = 60.0  # what goes on for longer is a series that someone wanted
BURST_BITS, BURST_EMBEDDING = 16, 0.7  # either will do beside same camera and moment
CHUNK = 1 << 21  # candidate pairs looked at together: 50 MB


@dataclass(frozen=True, slots=True)
class _Bar:
    """How near two pictures have to be: bits of the hash, cosines of the HOGs and of the embeddings."""

    bits: int
    hog: float
    embedding: float


_USUAL = _Bar(SAME_BITS, 0.975, 0.86)
_MINIATURE = _Bar(2, 0.95, 0.75)  # at a third of the size or less the detail is gone that the network looks at
_PAGE = _Bar(2, 0.985, 0.98)  # pages of text look alike at any size: nearly equal, or not the same

_COPY_NAME = re.compile(r"\(\d+\)$|[-_ ]copy\b|\bcopy of\b|kopie|copie|copia|副本|-wa\d+$|~\d+$|^received_|-edit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Looks:
    """What the pictures of n photos look like. Rows of zeros stand for what is missing."""

    quality: Sequence[Quality | None]
    hog: Vectors  # (n, any)
    embedding: Vectors  # (n, any)


def find_groups(photos: Sequence[PhotoRow], looks: Looks) -> list[Group]:
    """All groups, copies first. A photo is in at most one of each kind; encodings and frames are represented by the
    best of their copies."""
    copies, distinct = _copies(photos)
    same, originals = _same(photos, looks, distinct)
    return copies + same + _bursts(photos, looks, originals)


# --- exact copies ------------------------------------------------------------------------------------------------------


def _copies(photos: Sequence[PhotoRow]) -> tuple[list[Group], list[int]]:
    """Groups of equal bytes, and one photo for each content."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        by_content[photo.content_hash].append(i)
    groups, distinct = [], []
    for members in by_content.values():
        members.sort(key=lambda i: _original_first(photos[i]))
        distinct.append(members[0])
        if len(members) > 1:
            why = f"plainest name of {len(members)} copies"
            groups.append(_group(GroupKind.COPY, photos, members, why, lambda _, best: f"exact copy of {best}"))
    return groups, distinct


def _original_first(photo: PhotoRow) -> tuple[object, ...]:
    """Sorts the likeliest original first: largest, with the camera's data, with the plainest and shortest name."""
    stem = splitext(basename(photo.path))[0]
    return (
        -photo.width * photo.height, photo.camera is None, photo.taken_at is None, bool(_COPY_NAME.search(stem)),
        len(stem), photo.path, photo.id,
    )  # fmt: skip


# --- the same picture, encoded or sized anew ---------------------------------------------------------------------------


def _same(photos: Sequence[PhotoRow], looks: Looks, among: Sequence[int]) -> tuple[list[Group], list[int]]:
    """Groups of re-encoded pictures, and the photos that are no smaller copy of another."""
    telling = [i for i in among if not _says_nothing(looks.quality[i])]
    hashes = np.array([photos[i].perceptual_hash for i in telling], dtype=np.uint64)
    pairs, bits = near_pairs(hashes, SAME_BITS)
    pairs = np.array(telling, dtype=np.int64)[pairs]
    near: dict[int, list[int]] = defaultdict(list)
    for a, b in pairs[_verified(photos, looks, pairs, bits)]:
        near[a].append(int(b))
        near[b].append(int(a))
    groups, taken = [], set[int]()
    for best in sorted(near, key=lambda i: _original_first(photos[i])):
        members = [i for i in near[best] if i not in taken] if best not in taken else []
        if members:
            members.sort(key=lambda i: _original_first(photos[i]))
            taken |= {best, *members}
            groups.append(_same_group(photos, [best, *members]))
    smaller = {m.photo_id for group in groups for m in group.members if not m.best}
    return groups, [i for i in among if photos[i].id not in smaller]


def _verified(photos: Sequence[PhotoRow], looks: Looks, pairs: Indexes, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pairs with near hashes are the same picture by every other witness."""
    hog, embedding = _cosines(looks.hog, pairs), _cosines(looks.embedding, pairs)
    ok = (bits <= _USUAL.bits) & (hog >= min(_USUAL.hog, _MINIATURE.hog))  # the rest is worth a closer look
    for k in np.flatnonzero(ok):
        (a, b), (qa, qb) = ((of[pairs[k, 0]], of[pairs[k, 1]]) for of in (photos, looks.quality))
        page = _is_page(qa) or _is_page(qb)
        bar = _PAGE if page else _MINIATURE if _scale(a, b) >= 3 else _USUAL
        # not every photo has its embedding yet: then the gradients have to agree as those of pages do
        seen = embedding[k] >= bar.embedding if embedding[k] > -1 else hog[k] >= _PAGE.hog
        ok[k] = seen and bits[k] <= bar.bits and hog[k] >= bar.hog and _could_be_one_shot(a, b, page)
    return ok


def _scale(a: PhotoRow, b: PhotoRow) -> float:
    """How much longer the sides of the larger one are."""
    areas = sorted((max(a.width * a.height, 1), max(b.width * b.height, 1)))
    return float((areas[1] / areas[0]) ** 0.5)


def _could_be_one_shot(a: PhotoRow, b: PhotoRow, page: bool) -> bool:
    """What is known apart from the pictures allows that one was made from the other."""
    if min(a.width, a.height, b.width, b.height) < 1 or abs(np.log(a.width / a.height * b.height / b.width)) > SAME_ASPECT:
        return False
    alike = (a.width, a.height, a.format) == (b.width, b.height, b.format)
    if page and alike:
        return False  # two pages from one scanner or telephone, not one page twice
    if a.camera and b.camera and a.taken_at is not None and b.taken_at is not None:
        return a.camera == b.camera and abs(a.taken_at - b.taken_at) < 0.001 and not alike  # else two frames
    return True


def _says_nothing(q: Quality | None) -> bool:
    """A black, white or foggy frame: its hash is noise."""
    return q is None or q.contrast < 0.04 or q.entropy < 0.2 or q.flatness > 0.95


def _is_page(q: Quality | None) -> bool:
    """Mostly paper or evenly coloured areas: receipts, documents, screenshots."""
    return q is None or q.white_paper > 0.4 or q.flatness > 0.4 or q.entropy < 0.65


def _cosines(vectors: Vectors, pairs: Indexes) -> NDArray[np.float32]:
    """Cosine of each pair of rows; -1 where one is missing."""
    found = np.full(len(pairs), -1, dtype=np.float32)
    step = max(1, CHUNK // max(1, vectors.shape[1]))
    for start in range(0, len(pairs), step):
        a, b = (vectors[pairs[start : start + step, side]].astype(np.float32) for side in (0, 1))
        norms = np.sqrt((a * a).sum(1) * (b * b).sum(1))
        found[start : start + step] = np.where(norms > 0, (a * b).sum(1) / np.maximum(norms, 1e-12), -1)
    return found


def _same_group(photos: Sequence[PhotoRow], members: Sequence[int]) -> Group:
    best, second = photos[members[0]], photos[members[1]]
    count = f"of {len(members)}"
    if best.width * best.height > second.width * second.height:
        why = f"largest {count}: {best.width} x {best.height}"
    elif best.camera and not second.camera:
        why = f"the one {count} with the camera's data"
    else:
        why = f"plainest name {count}"
    return _group(GroupKind.SAME, photos, members, why, _of_same(photos, best))


def _of_same(photos: Sequence[PhotoRow], best: PhotoRow) -> _Reason:
    def words(i: int, name: str) -> str:
        one = photos[i]
        if one.width * one.height < best.width * best.height:
            return f"{one.width} x {one.height} copy of {name}"
        return f"another version of {name}"

    return words


# --- bursts ------------------------------------------------------------------------------------------------------------


def _bursts(photos: Sequence[PhotoRow], looks: Looks, among: Sequence[int]) -> list[Group]:
    """Runs of like frames by one camera, each within BURST_GAP of the next."""
    timed = [i for i in among if photos[i].camera and photos[i].taken_at is not None]
    timed.sort(key=lambda i: (photos[i].camera, photos[i].taken_at, photos[i].id))
    steps = np.array(list(pairwise(timed)), dtype=np.int64).reshape(-1, 2)
    joins = np.array([_follows(photos[a], photos[b]) for a, b in steps], dtype=bool)
    hashes = np.array([p.perceptual_hash for p in photos], dtype=np.uint64)
    bits = np.bitwise_count(hashes[steps[joins, 0]] ^ hashes[steps[joins, 1]])
    joins[joins] = (bits <= BURST_BITS) | (_cosines(looks.embedding, steps[joins]) >= BURST_EMBEDDING)
    runs = [timed[:1]]
    for frame, joined in zip(timed[1:], joins, strict=True):
        if joined:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return [
        _burst(photos, looks, run) for run in runs if len(run) > 1 and _seconds(photos[run[0]], photos[run[-1]]) <= BURST_LONGEST
    ]


def _follows(a: PhotoRow, b: PhotoRow) -> bool:
    return a.camera == b.camera and _seconds(a, b) <= BURST_GAP


def _seconds(a: PhotoRow, b: PhotoRow) -> float:
    return (b.taken_at or 0.0) - (a.taken_at or 0.0)


def _burst(photos: Sequence[PhotoRow], looks: Looks, run: Sequence[int]) -> Group:
    """The sharpest frame, in whole and in its sharpest part, less what is burnt out or drowned, is the best."""

    def merit(i: int) -> float:
        q = looks.quality[i]
        return -1.0 if q is None else q.sharpness + q.sharpest_tile - q.highlights - q.shadows

    ranked = sorted(run, key=lambda i: (-merit(i), -photos[i].size, photos[i].id))
    place = {i: n for n, i in enumerate(run, 1)}
    sharpest = f"sharpest of {len(run)}"
    return _group(GroupKind.BURST, photos, ranked, sharpest, lambda i, best: f"frame {place[i]} of {len(run)}, {best} is sharper")


def _group(kind: GroupKind, photos: Sequence[PhotoRow], members: Sequence[int], why: str, other: _Reason) -> Group:
    best = basename(photos[members[0]].path)
    rest = (GroupMember(photos[i].id, False, other(i, best)) for i in members[1:])
    return Group(kind, (GroupMember(photos[members[0]].id, True, why), *rest))


# --- near hashes -------------------------------------------------------------------------------------------------------


def near_pairs(hashes: NDArray[np.uint64], radius: int) -> tuple[Indexes, NDArray[np.uint8]]:
    """All pairs of 64-bit hashes that differ in at most `radius` bits: (m, 2) indexes with i < j, and (m,) distances.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012) with the tight pigeonhole of Qin et al. 2018: the hash is cut
    into four bands of 16 bits, with limits that add up to radius - 3, so that a near pair is within the limit in at least
    one band. Such partners are read off the sorted band. Exact; a pair is reported by the first band that finds it.
    """
    limits = [(radius - 3 + k) // 4 for k in (3, 2, 1, 0)]  # -1: this band need not look
    bands = [(hashes >> np.uint64(16 * k)).astype(np.uint16) for k in range(4)]
    found: list[tuple[Indexes, NDArray[np.uint8]]] = []
    for k, limit in enumerate(limits):
        for i, j in _band_partners(bands[k], limit):
            bits = np.bitwise_count(hashes[i] ^ hashes[j])
            near = bits <= radius
            for earlier in range(k):
                near[near] &= np.bitwise_count(bands[earlier][i[near]] ^ bands[earlier][j[near]]) > limits[earlier]
            i, j = i[near], j[near]
            found.append((np.stack([np.minimum(i, j), np.maximum(i, j)], axis=1), bits[near]))
    if not found:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.uint8)
    return np.concatenate([pairs for pairs, _ in found]), np.concatenate([bits for _, bits in found])


def _band_partners(band: NDArray[np.uint16], limit: int) -> Iterator[tuple[Indexes, Indexes]]:
    """Index pairs whose 16 bits differ in at most `limit`, each pair once, in chunks."""
    order = np.argsort(band, kind="stable")
    keys = band[order].astype(np.int64)
    bounds = np.searchsorted(keys, np.arange((1 << 16) + 1))
    for flips in range(limit + 1):
        for positions in combinations(range(16), flips):
            mask = sum(1 << p for p in positions)
            # of the two sides of a pair, the one whose topmost flipped bit is 0 looks for the other
            left = np.flatnonzero(keys & (1 << positions[-1]) == 0) if mask else np.arange(len(keys))
            begin = bounds[keys[left] ^ mask] if mask else left + 1
            counts = bounds[(keys[left] ^ mask) + 1] - begin
            for part in _parts(counts):
                lengths = counts[part]
                offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
                yield order[np.repeat(left[part], lengths)], order[np.repeat(begin[part], lengths) + offsets]


def _parts(counts: Indexes) -> Iterator[slice]:
    """Slices that hold about CHUNK each."""
    sums = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = sums[start - 1] if start else 0
        end = max(int(np.searchsorted(sums, done + CHUNK, side="right")), start + 1)
        yield slice(start, end)
        start = end
