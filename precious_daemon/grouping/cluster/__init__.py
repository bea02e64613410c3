"""The few photos that stand for all, and the map of them: clusters of what pictures look like.

    space      features to points                       kmeans     centres, fast
    methods    k-means, agglomerative or by density      count      how many clusters
    stand      who stands for a cluster                  model      new photos into the clusters that there are
    layout     the map

Measured by `bench/clusters.py` with 45 labels on those who stand for the clusters and a regression on the embedding (mean average
precision over one junk and three taste personas, 1,005 photos, 10 draws): random photos .75, clusters of gradients .79, of pixels
.77 to .80, of the embedding .80, of the embedding and gradients .81: so that is the default. K-means, Ward's method and density
are within .01 of each other, which is less than two draws differ by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from precious_daemon.grouping.cluster import count, stand
from precious_daemon.grouping.cluster.count import KScore
from precious_daemon.grouping.cluster.kmeans import Indexes, Points, nearest_centre
from precious_daemon.grouping.cluster.methods import METHODS, SAMPLES

THREADS = 1  # more wait for each other longer than they work: on a busy machine, two took ten times as long as one


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings `clusters.*` say."""

    method: str = "kmeans"
    score: str = "mean-rank"
    representatives: str = "nearest"


@dataclass(frozen=True, slots=True)
class Clusters:
    """`assignment` (n,) cluster of each point, `distance` (n,) to its centre, `representatives` indexes of points, `centres`
    (k, d)."""

    assignment: Indexes
    distance: Points
    representatives: Indexes
    centres: Points
    scores: tuple[KScore, ...]


def cluster(
    points: Points, representatives: int, seed: int, options: Options = Options(), doubt: Points | None = None
) -> Clusters:
    """Clusters in the best number, and `representatives` photos spread over them by size, or all where there are fewer.

    `doubt` (n,) is how unsure a model is of each photo, 0..1; only the representatives called "uncertain" look at it.
    """
    if not len(points):
        none = np.zeros(0, np.int64)
        return Clusters(none, np.zeros(0, np.float32), none, np.zeros((0, points.shape[1]), np.float32), ())
    with threadpool_limits(THREADS):
        scores = count.choose_k(points, max(2, representatives // 5), representatives, seed, options.method)
        k = count.best(scores, options.score).asked if scores else 1
        centres = find_centres(points, k, seed, options.method)
        assignment, distance = nearest_centre(points, centres)
        used, assignment = np.unique(assignment, return_inverse=True)
        members = _members(assignment, len(used))
        quotas = _quotas([len(m) for m in members], representatives)
        chosen = [
            m[stand.CHOICES[options.representatives](points[m], quota, seed, None if doubt is None else doubt[m])]
            for m, quota in zip(members, quotas, strict=True)
            if quota
        ]
        return Clusters(assignment, distance, np.sort(np.concatenate(chosen)), centres[used], tuple(scores))


def find_centres(points: Points, k: int, seed: int, method: str = "kmeans") -> Points:
    """(k, d) centres by a method, on as many of the points as it can take."""
    if k == 1:
        return np.asarray(points.mean(0, keepdims=True), dtype=np.float32)
    sample = (
        points
        if len(points) <= SAMPLES[method]
        else points[np.random.default_rng(seed).permutation(len(points))[: SAMPLES[method]]]
    )
    return METHODS[method](sample, k, seed)


def _members(assignment: Indexes, k: int) -> list[Indexes]:
    order = np.argsort(assignment, kind="stable")
    return np.split(order, np.searchsorted(assignment[order], np.arange(1, k)))


def _quotas(sizes: Sequence[int], total: int) -> list[int]:
    """How many of `total` each cluster gets: one at least while they last, then by size (D'Hondt's highest averages)."""
    quotas = [0] * len(sizes)
    for _ in range(min(total, sum(sizes))):
        open_ = [c for c, size in enumerate(sizes) if quotas[c] < size]
        c = max(open_, key=lambda c: (quotas[c] == 0, sizes[c] / (quotas[c] + 1)))
        quotas[c] += 1
    return quotas
