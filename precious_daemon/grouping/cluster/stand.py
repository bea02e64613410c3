"""Who stands for the photos of one cluster: the typical, those that leave nobody far away, or those a model is unsure of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from precious_daemon.grouping.cluster.kmeans import Indexes, Points, kmeans, nearest_centre

Choice = Callable[[Points, int, int, Points | None], Indexes]
"""Points of a cluster (n, d), how many, a seed, and the doubt (n,) where there is a model; so many different indexes, or all."""
COVERED = 2_000  # points of a cluster that are to be covered: all pairs of them are compared


def nearest(points: Points, count: int, seed: int, doubt: Points | None = None) -> Indexes:
    """Each the nearest to the centre of its part of the cluster."""
    return _of_parts(points, count, seed, None)


def uncertain(points: Points, count: int, seed: int, doubt: Points | None = None) -> Indexes:
    """As `nearest`, but of the half of each part that is nearest to its centre, the one that the model is least sure of."""
    return _of_parts(points, count, seed, doubt)


def k_center(points: Points, count: int, seed: int, doubt: Points | None = None) -> Indexes:
    """The furthest from those chosen is the next (Gonzalez 1985): the greatest distance to one of them is small."""
    if count >= len(points):
        return np.arange(len(points))
    _, gap = nearest_centre(points, points.mean(0, keepdims=True))
    chosen = [int(gap.argmin())]
    gap = np.linalg.norm(points - points[chosen[0]], axis=1)
    gap[chosen] = -1  # never twice, even where all that is left are copies
    while len(chosen) < count:
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, np.linalg.norm(points - points[chosen[-1]], axis=1))
        gap[chosen] = -1
    return np.array(chosen, dtype=np.int64)


def facility_location(points: Points, count: int, seed: int, doubt: Points | None = None) -> Indexes:
    """Greedily the one that brings the others nearest to one of those chosen: the mean distance is small."""
    if count >= len(points):
        return np.arange(len(points))
    some = np.sort(np.random.default_rng(seed).permutation(len(points))[: max(COVERED, count)])
    among = points[some]
    squares = np.square(among).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * among @ among.T, 0))
    gap, chosen = apart.max(1), list[int]()
    for _ in range(count):
        gain = np.maximum(gap[:, None] - apart, 0).sum(0)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        gap = np.minimum(gap, apart[:, chosen[-1]])
    return np.asarray(some[chosen], dtype=np.int64)


def _of_parts(points: Points, count: int, seed: int, doubt: Points | None) -> Indexes:
    if count >= len(points):
        return np.arange(len(points))
    if count == 1:
        _, distance = nearest_centre(points, points.mean(0, keepdims=True))
        return _inmost(np.arange(len(points)), distance, doubt)
    different = np.unique(points.round(5), axis=0, return_index=True)[1]
    if count >= len(different):  # all that is different, then any
        rest = np.setdiff1d(np.arange(len(points)), different)
        return np.concatenate([different, rest[: count - len(different)]])
    part, distance = nearest_centre(points, kmeans(points, count, seed))
    chosen = [int(_inmost(np.flatnonzero(part == c), distance, doubt)[0]) for c in np.unique(part)]
    if len(chosen) < count:  # a part may have run empty: the furthest out stand in for it
        rest = np.setdiff1d(different, chosen)
        chosen += rest[np.argsort(-distance[rest], kind="stable")][: count - len(chosen)].tolist()
    return np.array(chosen, dtype=np.int64)


def _inmost(members: Indexes, distance: Points, doubt: Points | None) -> Indexes:
    """(1,) the member nearest to the centre, or of the inner half the most doubtful."""
    members = members[np.argsort(distance[members], kind="stable")]
    if doubt is None:
        return members[:1]
    inner = members[: (len(members) + 1) // 2]
    return inner[np.argsort(-doubt[inner], kind="stable")][:1]


CHOICES: dict[str, Choice] = {
    "nearest": nearest, "k-center": k_center, "facility-location": facility_location, "uncertain": uncertain
}  # fmt: skip
