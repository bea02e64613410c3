"""Clusters and representatives: as many as asked for, different, spread, and the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon import cluster
from precious_daemon.cluster import KScore, best_k, choose_k, reduce


def blobs(sizes: list[int], seed: int = 0, dimensions: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Points around far centres, and which centre each belongs to."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 10, (len(sizes), dimensions))
    which = np.repeat(np.arange(len(sizes)), sizes)
    return (centres[which] + rng.normal(0, 0.3, (len(which), dimensions))).astype(np.float32), which


def test_the_number_of_clusters_is_the_one_that_is_there() -> None:
    points, _ = blobs([40, 30, 50, 20])
    scores = choose_k(points, 2, 12, seed=0)
    assert best_k(scores) == 4
    assert scores[0].k >= 2
    assert scores[-1].k <= 12


def test_both_scores_count_and_the_smaller_number_wins_a_tie() -> None:
    assert best_k([KScore(3, 0.5, 1.0), KScore(5, 0.6, 2.0), KScore(7, 0.1, 3.0)]) == 3
    assert best_k([KScore(3, 0.2, 2.0), KScore(5, 0.6, 1.0)]) == 5


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 5), st.integers(0, 3))
def test_every_photo_is_in_a_cluster_whatever_it_looks_like(count: int, asked: int, different: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(different * 5, 3)).astype(np.float32)[rng.integers(0, different * 5, count)]
    found = cluster.cluster(points, asked, seed)
    assert found.assignment.shape == found.distance.shape == (count,)
    assert np.isfinite(found.distance).all()


def test_the_same_seed_gives_the_same_clusters() -> None:
    points, _ = blobs([30, 30, 40])
    once, again = cluster.cluster(points, 10, 3), cluster.cluster(points, 10, 3)
    assert (once.assignment == again.assignment).all()
    assert (once.distance == again.distance).all()


def test_reduced_kinds_of_features_weigh_what_they_should() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 80)), rng.normal(size=(300, 40)).astype(np.float16)
    points = reduce([(a, 1.0), (b, 0.5)], seed=0)
    spread = np.sqrt(points.var(axis=0))
    assert points.shape == (300, cluster.DIMENSIONS + 40)
    assert np.linalg.norm(spread[: cluster.DIMENSIONS]) == pytest.approx(1, rel=0.05)
    assert np.linalg.norm(spread[cluster.DIMENSIONS :]) == pytest.approx(0.5, rel=0.05)


def test_a_missing_feature_stands_at_the_mean() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    matrix[7] = 0
    assert not reduce([(matrix, 1.0)], seed=0)[7].any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_photos_are_no_trouble(count: int) -> None:
    matrix = np.ones((count, 5), np.float32) * np.arange(1, count + 1)[:, None]
    assert len(cluster.cluster(reduce([(matrix, 1.0)], 0), 45, 0).assignment) == count


def test_centres_found_on_a_sample_serve_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "KMEANS_SAMPLE", 60)
    monkeypatch.setattr(cluster, "SCORE_SAMPLE", 50)
    monkeypatch.setattr(cluster, "FIT_SAMPLE", 40)
    monkeypatch.setattr(cluster, "CHUNK", 32)
    points, which = blobs([100, 80, 90], dimensions=12)
    found = cluster.cluster(reduce([(points, 1.0)], 0), 3, 0)
    assert len({(a, b) for a, b in zip(found.assignment.tolist(), which.tolist(), strict=True)}) == 3
