"""Perceptual hashes: all near pairs among a million, and the hash of a picture that was mirrored or turned."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indexes = NDArray[np.int64]
Bits = NDArray[np.uint8]

BAND = 16  # bits of each of the four bands
ROW = 8  # hashes of one band value that are compared together
CHUNK = 1 << 14  # pairs of such rows looked at together: they stay near the processor
FEW = 1 << 25  # so many pairs are looked at one by one: sooner than by bands, and so are a few new hashes beside a million
_EMPTY = np.uint64(0xA5C3_96F0_5A3C_690F)  # fills up rows; on the other side its complement does: never near each other


# --- turned and mirrored -----------------------------------------------------------------------------------------------

MIRRORED, FLIPPED, HALF = "mirrored", "mirrored top to bottom", "turned by 180°"
RIGHT, LEFT = "turned by 90°", "turned by 270°"  # clockwise
TRANSPOSED, TRANSVERSED = "mirrored and turned by 270°", "mirrored and turned by 90°"
TURNS = (MIRRORED, FLIPPED, HALF, RIGHT, LEFT, TRANSPOSED, TRANSVERSED)
"""What can be done to a picture without a new pixel, besides nothing."""
SIDEWAYS = (RIGHT, LEFT, TRANSPOSED, TRANSVERSED)


def turned(hashes: Hashes, how: str) -> Hashes:
    """The hashes that these pictures would have, mirrored or turned; a few bits of 64 are off.

    A mirror changes the sign of every other coefficient of the DCT, and a transposition swaps its rows and columns. Signs
    are taken about the median, which is near 0, so that the bits of the changed coefficients flip.
    """
    columns = np.uint64(0x5555_5555_5555_5555)  # odd horizontal frequencies; the first coefficient is the highest bit
    rows = np.uint64(0x00FF_00FF_00FF_00FF)
    across = hashes if how in (MIRRORED, FLIPPED, HALF) else _transposed(hashes)
    if how in (MIRRORED, RIGHT):
        return across ^ columns
    if how in (FLIPPED, LEFT):
        return across ^ rows
    return across if how == TRANSPOSED else across ^ columns ^ rows


def _transposed(hashes: Hashes) -> Hashes:
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).reshape(-1, 8, 8)
    return np.packbits(bits.transpose(0, 2, 1).reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


# --- near pairs --------------------------------------------------------------------------------------------------------


def near_pairs(hashes: Hashes, radius: int) -> tuple[Indexes, Bits]:
    """All pairs of 64-bit hashes that differ in at most `radius` bits: (m, 2) indexes with i < j, and (m,) distances.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012) with the tight pigeonhole of Qin et al. 2018: the hash is cut
    into four bands of 16 bits, with limits that add up to radius - 3, so that a near pair is within the limit in at least
    one band. Exact; a pair is reported by the first band that finds it. Hashes of one band value stand in rows of eight,
    and rows are compared with rows: one exclusive or and one count of bits for 64 pairs at a time.
    """
    return _near(hashes, hashes, radius, alone=True)


def near_between(some: Hashes, others: Hashes, radius: int) -> tuple[Indexes, Bits]:
    """As `near_pairs`, of one of `some` and one of `others`: what is new beside what was there, say."""
    return _near(some, others, radius, alone=False)


def _near(left: Hashes, right: Hashes, radius: int, *, alone: bool) -> tuple[Indexes, Bits]:
    if len(left) * len(right) <= FEW:
        return _one_by_one(left, right, radius, alone=alone)
    limits = [(radius - 3 + k) // 4 for k in (3, 2, 1, 0)]  # -1: this band need not look
    pairs, distances = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.uint8)]
    for k, limit in enumerate(limits):
        mine = _Rows(left, k, _EMPTY)
        theirs = _Rows(right, k, ~_EMPTY)
        for flips in range(limit + 1):
            for positions in combinations(range(BAND), flips):
                for i, j, bits in _hits(mine, theirs, positions, radius, alone=alone):
                    other = left[i] ^ right[j]
                    first = np.ones(len(i), bool)
                    for earlier in range(k):
                        band = (other >> np.uint64(BAND * earlier)).astype(np.uint16)
                        first &= np.bitwise_count(band) > limits[earlier]
                    found = np.stack([i[first], j[first]], axis=1)
                    pairs.append(np.sort(found, axis=1) if alone else found)
                    distances.append(bits[first])
    return np.concatenate(pairs), np.concatenate(distances)


def _one_by_one(left: Hashes, right: Hashes, radius: int, *, alone: bool) -> tuple[Indexes, Bits]:
    pairs, distances = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.uint8)]
    step = max(1, (1 << 20) // max(1, len(right)))
    for start in range(0, len(left), step):
        bits = np.bitwise_count(left[start : start + step, None] ^ right[None, :])
        i, j = np.nonzero(bits <= radius)
        later = j > i + start if alone else np.ones(len(i), bool)
        pairs.append(np.stack([i[later] + start, j[later]], axis=1))
        distances.append(bits[i[later], j[later]])
    return np.concatenate(pairs), np.concatenate(distances)


class _Rows:
    """Hashes in rows of eight that share a band: `starts[value]` is the first row of a value, `index` says which they are."""

    def __init__(self, hashes: Hashes, band: int, empty: np.uint64) -> None:
        keys = (hashes >> np.uint64(BAND * band)).astype(np.uint16)
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=1 << BAND)
        rows = -(-counts // ROW)
        self.starts = np.concatenate([[0], np.cumsum(rows)])
        place = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts) + ROW * np.repeat(self.starts[:-1], counts)
        self.hashes = np.full(ROW * self.starts[-1], empty, np.uint64)
        self.hashes[place] = hashes[order]
        self.hashes = self.hashes.reshape(-1, ROW)
        self.index = np.full(ROW * self.starts[-1], -1, np.int32)
        self.index[place] = order
        self.index = self.index.reshape(-1, ROW)
        self.value = np.repeat(np.arange(1 << BAND), rows)  # of each row


def _hits(
    mine: _Rows, theirs: _Rows, positions: tuple[int, ...], radius: int, *, alone: bool
) -> Iterator[tuple[Indexes, Indexes, Bits]]:
    """Near pairs whose bands differ in just these bits: two indexes and the distance of each."""
    mask = sum(1 << p for p in positions)
    left = np.arange(len(mine.hashes))
    if alone and mask:  # of the two sides of a pair, the one whose topmost flipped bit is 0 looks for the other
        left = left[mine.value & (1 << positions[-1]) == 0]
    value = mine.value[left] ^ mask
    begin = np.maximum(theirs.starts[value], left) if alone and not mask else theirs.starts[value]
    counts = theirs.starts[value + 1] - begin
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, CHUNK):
        n = np.arange(start, min(start + CHUNK, total))
        which = np.searchsorted(ends, n, side="right")
        a, b = left[which], begin[which] + n - ends[which] + counts[which]
        bits = np.bitwise_count(mine.hashes[a][:, :, None] ^ theirs.hashes[b][:, None, :])
        k, x, y = np.unravel_index(np.flatnonzero(bits <= radius), bits.shape)
        i, j = mine.index[a[k], x].astype(np.int64), theirs.index[b[k], y].astype(np.int64)
        real = (i >= 0) & (j >= 0)
        if alone and not mask:
            real &= (a[k] < b[k]) | (i < j)  # within one row each pair comes twice, and each hash with itself
        yield i[real], j[real], bits[k, x, y][real]
