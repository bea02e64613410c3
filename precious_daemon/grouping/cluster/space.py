"""Features to points: kinds of features side by side, each on its principal components and with its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from precious_daemon.grouping.cluster.kmeans import CHUNK, Points

DIMENSIONS = 50
FIT_SAMPLE = 5_000  # photos that the principal components are found on

Features = NDArray[np.floating[Any]]  # (n, any); a row of zeros is a missing one


@dataclass(frozen=True, slots=True)
class Axes:
    """Where one kind of features is projected to: `mean` (any,) and `components` (d, any), scaled to its weight."""

    mean: Points
    components: Points

    @classmethod
    def fit(cls, matrix: Features, weight: float, seed: int) -> Self:
        """On rows scaled to length 1; the points then have `weight` as their total standard deviation."""
        rng = np.random.default_rng(seed)
        sample = _unit(matrix[np.sort(rng.permutation(len(matrix))[:FIT_SAMPLE])])
        sample = sample[sample.any(axis=1)]
        count = min(DIMENSIONS, len(sample) - 1, matrix.shape[1])
        if count < 1 or np.allclose(sample, sample[0]):
            return cls(np.zeros(matrix.shape[1], np.float32), np.zeros((1, matrix.shape[1]), np.float32))
        pca = PCA(count, svd_solver="randomized", iterated_power=1, random_state=seed).fit(sample)
        scale = weight / max(float(np.sqrt(pca.explained_variance_.sum())), 1e-9)
        return cls(pca.mean_.astype(np.float32), (pca.components_ * scale).astype(np.float32))

    def points(self, matrix: Features) -> Points:
        """(n, d). What is missing stands at the mean."""
        out = np.zeros((len(matrix), len(self.components)), np.float32)
        for start in range(0, len(matrix), CHUNK):
            rows = _unit(matrix[start : start + CHUNK])
            there = rows.any(axis=1)
            out[start : start + CHUNK][there] = (rows[there] - self.mean) @ self.components.T
        return out


@dataclass(frozen=True, slots=True)
class Space:
    """The axes of each kind of features, side by side: what tells where a photo that comes later belongs."""

    axes: tuple[Axes, ...]

    @classmethod
    def fit(cls, blocks: Sequence[tuple[Features, float]], seed: int) -> Self:
        """Out of kinds of features, each a matrix with its weight."""
        with threadpool_limits(1):
            return cls(tuple(Axes.fit(matrix, weight, seed) for matrix, weight in blocks))

    def points(self, matrices: Sequence[Features]) -> Points:
        with threadpool_limits(1):
            return np.hstack([axes.points(matrix) for axes, matrix in zip(self.axes, matrices, strict=True)])

    def fits(self, matrices: Sequence[Features]) -> bool:
        """Whether these are the kinds of features it was made of."""
        return [len(a.mean) for a in self.axes] == [m.shape[1] for m in matrices]

    def arrays(self) -> dict[str, Points]:
        return {f"{name}{i}": part for i, a in enumerate(self.axes) for name, part in (("mean", a.mean), ("axes", a.components))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        count = sum(name.startswith("mean") for name in arrays)
        return cls(tuple(Axes(arrays[f"mean{i}"], arrays[f"axes{i}"]) for i in range(count)))


def _unit(rows: Features) -> Points:
    rows = rows.astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)
