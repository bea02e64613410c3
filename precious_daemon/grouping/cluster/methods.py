"""Three ways to find clusters behind one call: points, a number, a seed in; centres out. Each photo then goes to the nearest.

So a cluster is the same thing whatever found it: it can be assigned to, compared and drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from precious_daemon.grouping.cluster.kmeans import Indexes, Points, kmeans

Method = Callable[[Points, int, int], Points]


def agglomerative(points: Points, k: int, seed: int) -> Points:
    """Ward's: the two clusters whose union grows the variance least become one, until k are left."""
    from sklearn.cluster import AgglomerativeClustering  # here, for it takes longer to import than k-means to be done

    return _means(points, AgglomerativeClustering(min(k, len(points))).fit_predict(points))


def by_density(points: Points, k: int, seed: int) -> Points:
    """HDBSCAN (Campello et al. 2013): dense places, in about the number asked for. What lies between them is noise."""
    from sklearn.cluster import HDBSCAN

    least = max(2, len(points) // (3 * k))
    found = HDBSCAN(min_cluster_size=least, min_samples=min(5, least), copy=True).fit_predict(points)
    if (found >= 0).any():
        return _means(points[found >= 0], found[found >= 0])
    return np.asarray(points.mean(0, keepdims=True), dtype=np.float32)


def _means(points: Points, assignment: Indexes) -> Points:
    return np.stack([points[assignment == c].mean(0) for c in np.unique(assignment)]).astype(np.float32)


METHODS: dict[str, Method] = {"kmeans": kmeans, "agglomerative": agglomerative, "hdbscan": by_density}
SAMPLES = {"kmeans": 1 << 62, "agglomerative": 4_000, "hdbscan": 4_000}
"""So many points each can be given at most: two of them take time and memory that grow with the square."""
