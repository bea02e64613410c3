"""How many clusters: a range is tried on a sample, and three scores say how well each number fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from precious_daemon.cluster.kmeans import Points, nearest_centre
from precious_daemon.cluster.methods import METHODS

SAMPLE = 2_000  # the silhouette is quadratic
TRIALS = 8  # numbers of clusters that are tried


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
    for asked in np.unique(np.geomspace(min(max(low, 2), high), high, TRIALS).round().astype(int)).tolist():
        labels, _ = nearest_centre(sample, METHODS[method](sample, asked, seed))
        k = len(np.unique(labels))
        if 1 < k < len(sample) and k not in scores:
            scores[k] = KScore(
                k, float(silhouette_score(sample, labels)), float(davies_bouldin_score(sample, labels)),
                float(calinski_harabasz_score(sample, labels)), asked,
            )  # fmt: skip
    return [scores[k] for k in sorted(scores)]


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
