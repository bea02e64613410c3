"""How many clusters: a range is tried on a sample, and three scores say how well each number fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from precious_daemon.grouping.cluster.kmeans import Indexes, Points, nearest_centre
from precious_daemon.grouping.cluster.methods import METHODS

SAMPLE = 2_000  # the silhouette is quadratic
TRIALS = 7  # numbers of clusters that are tried


@dataclass(frozen=True, slots=True)
class KScore:
    """How well k clusters fit, found by asking for `asked` (by density there may be another number of them).

    Silhouette -1..1, more is better; Davies-Bouldin index >= 0, less is better; Calinski-Harabasz index >= 0, more is better.
    """

    k: int
    silhouette: float
    davies_bouldin: float
    calinski_harabasz: float
    asked: int


def choose_k(points: Points, low: int, high: int, seed: int, method: str = "kmeans") -> list[KScore]:
    """Scores of some numbers of clusters from `low` to `high`; empty where there are not enough different points."""
    sample = points[np.random.default_rng(seed).permutation(len(points))[:SAMPLE]]
    high = min(high, len(np.unique(sample.round(5), axis=0)) - 1)
    if high < 2:
        return []
    scores: dict[int, KScore] = {}
    apart = _distances(sample, sample)
    for asked in np.unique(np.geomspace(min(max(low, 2), high), high, TRIALS).round().astype(int)).tolist():
        labels, _ = nearest_centre(sample, METHODS[method](sample, asked, seed))
        labels = np.unique(labels, return_inverse=True)[1]
        k = int(labels.max()) + 1
        if 1 < k < len(sample) and k not in scores:
            scores[k] = KScore(k, silhouette(apart, labels), *indexes(sample, labels), asked)
    return [scores[k] for k in sorted(scores)]


def silhouette(apart: Points, labels: Indexes) -> float:
    """Mean of (b - a) / max(a, b) over all points (Rousseeuw 1987): a is the mean distance to the own cluster, b that to the
    nearest other one; 0 for a point alone. `apart` (n, n) holds distances, `labels` are 0 to k - 1."""
    sizes = np.bincount(labels)
    own = np.arange(len(labels)), labels
    sums = apart @ np.eye(len(sizes), dtype=np.float32)[labels]
    within = sums[own] / np.maximum(sizes[labels] - 1, 1)
    others = sums / sizes
    others[own] = np.inf
    nearest = others.min(1)
    width = np.where(sizes[labels] > 1, (nearest - within) / np.maximum(np.maximum(nearest, within), 1e-12), 0)
    return float(width.mean())


def indexes(points: Points, labels: Indexes) -> tuple[float, float]:
    """Davies-Bouldin (1979): how wide the worst neighbours are for their distance. Calinski-Harabasz (1974): the variance
    between clusters over that within."""
    sizes, n = np.bincount(labels), len(labels)
    k = len(sizes)
    centres = (np.eye(k, dtype=np.float32)[labels].T @ points / sizes[:, None]).astype(np.float32)
    squares = np.square(points - centres[labels]).sum(1)
    width = np.bincount(labels, np.sqrt(squares)) / sizes
    between = _distances(centres, centres)
    np.fill_diagonal(between, np.inf)
    worst = ((width[:, None] + width[None]) / np.maximum(between, 1e-12)).max(1)
    spread = (sizes * np.square(centres - points.mean(0)).sum(1)).sum()
    within = max(float(squares.sum()), 1e-12)
    return float(worst.mean()), float(spread / within * (n - k) / (k - 1))


def _distances(a: Points, b: Points) -> Points:
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    np.fill_diagonal(squares, 0)
    return np.asarray(np.sqrt(np.maximum(squares, 0)), dtype=np.float32)


_LESS_IS_BETTER: dict[str, Callable[[KScore], float]] = {
    "silhouette": lambda s: -s.silhouette,
    "davies-bouldin": lambda s: s.davies_bouldin,
    "calinski-harabasz": lambda s: -s.calinski_harabasz,
}


def best(scores: Sequence[KScore], score: str = "mean-rank") -> KScore:
    """The number that does best by one score, or by the mean of its ranks in all three; the smaller one where that is even."""
    wanted = [_LESS_IS_BETTER[score]] if score in _LESS_IS_BETTER else list(_LESS_IS_BETTER.values())
    ranks = {of: sorted(of(s) for s in scores) for of in wanted}
    return min(scores, key=lambda s: (sum(ranks[of].index(of(s)) for of in wanted), s.k))
