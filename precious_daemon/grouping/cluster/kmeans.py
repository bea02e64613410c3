"""K-means for many points: centres on a sample, then a few rounds on all. One core: 1,000,000 x 128 into 200 in seconds."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Points = NDArray[np.float32]  # (n, d)
Indexes = NDArray[np.int64]

CHUNK = 4_096
SAMPLE = 20_000  # points that the centres are found on at first, and at least
PER_CENTRE = 128  # points of that sample for each centre
ROUNDS = 25
ENOUGH = 1e-3  # a round that makes the inertia smaller by less than this share is the last
ROUNDS_ON_ALL = 3


def kmeans(points: Points, k: int, seed: int) -> Points:
    """(k, d) centres: greedy k-means++ (Arthur and Vassilvitskii 2007) and Lloyd's rounds. Fewer where fewer points differ."""
    rng = np.random.default_rng(seed)
    count = max(SAMPLE, PER_CENTRE * k)
    sample = points if len(points) <= count else points[np.sort(rng.permutation(len(points))[:count])]
    first = sample if len(sample) <= SAMPLE else sample[rng.permutation(len(sample))[:SAMPLE]]
    centres = _lloyd(sample, _first(first, min(k, len(first)), rng), ROUNDS)
    return centres if sample is points else _lloyd(points, centres, ROUNDS_ON_ALL)


def _first(points: Points, k: int, rng: np.random.Generator) -> Points:
    """k of the points far from each other, by chance: each time the one of some candidates that helps most."""
    squares = np.square(points).sum(1)
    chosen = [int(rng.integers(len(points)))]
    gap = np.maximum(squares + squares[chosen[0]] - 2 * (points @ points[chosen[0]]), 0)
    for _ in range(1, k):
        chances = np.cumsum(gap, dtype=np.float64)
        drawn = np.searchsorted(chances, rng.random(2 + int(np.log(k))) * chances[-1], side="right")
        drawn = np.minimum(drawn, len(points) - 1)
        gaps = squares + squares[drawn, None] - 2 * (points[drawn] @ points.T)
        np.clip(gaps, 0, gap, out=gaps)
        best = int(gaps.sum(1).argmin())
        chosen.append(int(drawn[best]))
        gap = gaps[best]
    return points[chosen]


def _lloyd(points: Points, centres: Points, rounds: int) -> Points:
    before = np.inf
    for _ in range(rounds):
        assignment, distance = nearest_centre(points, centres)
        inertia = float(np.square(distance, dtype=np.float64).sum())
        centres = _means(points, assignment, distance, len(centres))
        if before - inertia <= ENOUGH * inertia:
            break
        before = inertia
    return centres


def _means(points: Points, assignment: Indexes, distance: Points, k: int) -> Points:
    """Centres of mass; a cluster without a point starts anew at one of those furthest from theirs."""
    sizes = np.bincount(assignment, minlength=k)
    sums = np.zeros((k, points.shape[1]), np.float32)
    for start in range(0, len(points), CHUNK * 8):  # a sparse product, because adding row by row takes ten times as long
        part = assignment[start : start + CHUNK * 8]
        one_hot = sp.csc_array((np.ones(len(part), np.float32), part, np.arange(len(part) + 1)), shape=(k, len(part)))
        sums += one_hot @ points[start : start + CHUNK * 8]
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        furthest = np.argpartition(-distance, len(empty) - 1)[: len(empty)]
        sums[empty], sizes[empty] = points[furthest], 1
    return np.asarray(sums / sizes[:, None], dtype=np.float32)


def nearest_centre(points: Points, centres: Points) -> tuple[Indexes, Points]:
    """(n,) which centre is the nearest to each point, and (n,) how far it is."""
    which, far = np.empty(len(points), np.int64), np.empty(len(points), np.float32)
    half_norms = np.square(centres).sum(1) / 2
    turned = np.ascontiguousarray(centres.T)
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        score = part @ turned
        score -= half_norms  # the largest belongs to the nearest: |p - c|^2 = |p|^2 - 2 (p c - |c|^2 / 2)
        best = which[start : start + CHUNK] = score.argmax(1)
        gaps = part - centres[best]  # from the difference itself: what is equal is at 0, not at a rounding error
        far[start : start + CHUNK] = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
    return which, far
