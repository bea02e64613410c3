"""Photos sorted into clusters by what they look like: k-means, in the number that fits best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import davies_bouldin_score, pairwise_distances_argmin_min, silhouette_score
from threadpoolctl import threadpool_limits

Points = NDArray[np.float32]  # (n, d)
Indexes = NDArray[np.int64]

DIMENSIONS = 50
FIT_SAMPLE = 5_000  # photos that the principal components are found on
KMEANS_SAMPLE = 20_000  # photos that the centres are found on
SCORE_SAMPLE = 2_000  # the silhouette is quadratic
CHUNK = 4_096
TRIALS = 8  # numbers of clusters that are tried
THREADS = 1  # more wait for each other longer than they work: on a busy machine, two took ten times as long as one


@dataclass(frozen=True, slots=True)
class KScore:
    """How well k clusters fit: silhouette -1..1, more is better; Davies-Bouldin index >= 0, less is better."""

    k: int
    silhouette: float
    davies_bouldin: float


@dataclass(frozen=True, slots=True)
class Clusters:
    """`assignment` (n,) cluster of each point, `distance` (n,) to its centre."""

    assignment: Indexes
    distance: Points
    scores: tuple[KScore, ...]


def reduce(blocks: Sequence[tuple[NDArray[np.floating], float]], seed: int) -> Points:
    """(n, d) points out of kinds of features, each a matrix (n, any) with its weight.

    Rows of each matrix are scaled to length 1 and projected on its principal components; the matrix as a whole then has
    its weight as total standard deviation. A row of zeros is a missing one and stands at the mean.
    """
    with threadpool_limits(THREADS):
        return np.hstack([_components(matrix, weight, seed) for matrix, weight in blocks])


def _components(matrix: NDArray[np.floating], weight: float, seed: int) -> Points:
    rng = np.random.default_rng(seed)
    sample = _unit(matrix[np.sort(rng.permutation(len(matrix))[:FIT_SAMPLE])])
    sample = sample[sample.any(axis=1)]
    count = min(DIMENSIONS, len(sample) - 1, matrix.shape[1])
    if count < 1 or np.allclose(sample, sample[0]):
        return np.zeros((len(matrix), 1), np.float32)
    pca = PCA(count, svd_solver="randomized", iterated_power=2, random_state=seed).fit(sample)
    scale = weight / max(float(np.sqrt(pca.explained_variance_.sum())), 1e-9)
    out = np.zeros((len(matrix), count), np.float32)
    for start in range(0, len(matrix), CHUNK):
        rows = _unit(matrix[start : start + CHUNK])
        there = rows.any(axis=1)
        out[start : start + CHUNK][there] = pca.transform(rows[there]) * scale if there.any() else 0
    return out


def _unit(rows: NDArray[np.floating]) -> Points:
    rows = rows.astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def cluster(points: Points, most: int, seed: int) -> Clusters:
    """Clusters in the best number up to `most`."""
    if not len(points):
        return Clusters(np.zeros(0, np.int64), np.zeros(0, np.float32), ())
    with threadpool_limits(THREADS):
        scores = choose_k(points, max(2, most // 5), most, seed)
        k = best_k(scores) if scores else 1
        assignment, distance = _kmeans(points, k, seed)
        return Clusters(assignment, distance, tuple(scores))


def choose_k(points: Points, low: int, high: int, seed: int) -> list[KScore]:
    """Scores of some numbers of clusters from `low` to `high`; empty where there are not enough different points."""
    sample = points[np.random.default_rng(seed).permutation(len(points))[:SCORE_SAMPLE]]
    high = min(high, len(np.unique(sample.round(5), axis=0)) - 1)
    if high < 2:
        return []
    scores = []
    for k in np.unique(np.geomspace(min(max(low, 2), high), high, TRIALS).round().astype(int)):
        labels, _ = _kmeans(sample, int(k), seed)
        scores.append(KScore(int(k), float(silhouette_score(sample, labels)), float(davies_bouldin_score(sample, labels))))
    return scores


def best_k(scores: Sequence[KScore]) -> int:
    """The number that does best by both scores together: mean of the two ranks, the smaller number where that is even."""
    by_silhouette = sorted(scores, key=lambda s: -s.silhouette)
    by_davies_bouldin = sorted(scores, key=lambda s: s.davies_bouldin)
    return min(scores, key=lambda s: (by_silhouette.index(s) + by_davies_bouldin.index(s), s.k)).k


def _kmeans(points: Points, k: int, seed: int) -> tuple[Indexes, Points]:
    """Cluster and distance to its centre of each point. Centres are found on a sample where there are many."""
    sample = points[np.random.default_rng(seed).permutation(len(points))[:KMEANS_SAMPLE]]
    centres = KMeans(k, n_init=1, random_state=seed).fit(sample).cluster_centers_ if k > 1 else sample.mean(0, keepdims=True)
    found = [pairwise_distances_argmin_min(part, centres) for part in _chunks(points)]
    return (
        np.concatenate([nearest for nearest, _ in found]).astype(np.int64),
        np.concatenate([far for _, far in found]).astype(np.float32),
    )


def _chunks(points: Points) -> Iterator[Points]:
    return (points[start : start + CHUNK] for start in range(0, len(points), CHUNK))
