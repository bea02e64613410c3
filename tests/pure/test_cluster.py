"""Clusters and representatives: as many as asked for, different, spread, and the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from precious_daemon.grouping import cluster
from precious_daemon.grouping.cluster import Options, count, kmeans, layout, methods, space, stand
from precious_daemon.grouping.cluster.count import KScore, best, choose_k
from precious_daemon.grouping.cluster.layout import lay_out, places_in
from precious_daemon.grouping.cluster.model import Model, outgrown, renumbered
from precious_daemon.grouping.cluster.space import Features, Points, Space


def reduce(blocks: list[tuple[Features, float]], seed: int) -> Points:
    return Space.fit(blocks, seed).points([matrix for matrix, _ in blocks])


def blobs(sizes: list[int], seed: int = 0, dimensions: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Points around far centres, and which centre each belongs to."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 10, (len(sizes), dimensions))
    which = np.repeat(np.arange(len(sizes)), sizes)
    return (centres[which] + rng.normal(0, 0.3, (len(which), dimensions))).astype(np.float32), which


def test_the_number_of_clusters_is_the_one_that_is_there() -> None:
    points, _ = blobs([40, 30, 50, 20])
    scores = choose_k(points, 2, 12, seed=0)
    assert best(scores).k == 4
    assert scores[0].k >= 2
    assert scores[-1].k <= 12


def test_a_score_decides_on_the_number_or_all_of_them_do_and_the_smaller_number_wins_a_tie() -> None:
    scores = [KScore(3, 0.5, 1.0, 90, 3), KScore(5, 0.6, 2.0, 80, 5), KScore(7, 0.1, 3.0, 99, 8)]
    picked = {score: best(scores, score).k for score in ("silhouette", "davies-bouldin", "calinski-harabasz", "mean-rank")}
    assert picked == {"silhouette": 5, "davies-bouldin": 3, "calinski-harabasz": 7, "mean-rank": 3}
    assert best([KScore(3, 0.2, 2.0, 5, 3), KScore(5, 0.6, 1.0, 5, 5)], "calinski-harabasz").k == 3


@given(st.integers(0, 5), st.integers(2, 6))
@settings(deadline=None, max_examples=20)
def test_the_scores_are_those_of_the_literature(seed: int, k: int) -> None:
    points, _ = blobs([12, 9, 1, 15], seed)
    labels = np.random.default_rng(seed).permutation(np.arange(len(points)) % k)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert count.silhouette(apart, labels) == pytest.approx(silhouette_score(points, labels), abs=1e-4)
    expected = davies_bouldin_score(points, labels), calinski_harabasz_score(points, labels)
    assert count.indexes(points, labels) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_finds_what_is_there(method: str) -> None:
    points, which = blobs([60, 60, 60])
    found = cluster.cluster(points, 6, 0, Options(method))
    assert len(found.centres) == 3
    assert len({*zip(found.assignment.tolist(), which.tolist(), strict=True)}) == 3


@pytest.mark.parametrize("choice", stand.CHOICES)
@settings(deadline=None, max_examples=15)
@given(wanted=st.integers(1, 30), different=st.integers(1, 25))
def test_every_choice_gives_as_many_different_photos_as_wanted(choice: str, wanted: int, different: int) -> None:
    points = np.repeat(np.random.default_rng(different).normal(size=(different, 3)), 2, axis=0).astype(np.float32)
    found = stand.CHOICES[choice](points, wanted, 0, np.linspace(0, 1, len(points), dtype=np.float32))
    assert len(set(found.tolist())) == len(found) == min(wanted, len(points))


def test_coverage_leaves_nobody_far_away_and_doubt_chooses_among_the_typical() -> None:
    points, which = blobs([80, 3, 80])
    for choice in (stand.k_center, stand.facility_location):
        assert set(which[choice(points, 3, 0)]) == {0, 1, 2}
    doubt = np.zeros(len(points), np.float32)
    typical = stand.nearest(points[:80], 1, 0)[0]
    near = np.argsort(np.linalg.norm(points[:80] - points[:80].mean(0), axis=1))[30]
    doubt[near] = 1
    assert stand.uncertain(points[:80], 1, 0, doubt[:80])[0] == near != typical


def test_centres_of_many_points_are_no_worse_than_those_of_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "SAMPLE", 1_000)
    points = np.random.default_rng(0).normal(size=(6000, 6)).astype(np.float32)
    _, distance = kmeans.nearest_centre(points, kmeans.kmeans(points, 30, 0))
    assert np.square(distance).sum() <= MiniBatchKMeans(30, n_init=1, random_state=0).fit(points).inertia_


def test_new_photos_go_where_they_belong_until_too_many_came_or_they_look_unlike_it() -> None:
    features = np.abs(np.random.default_rng(0).normal(size=(200, 24)).astype(np.float32))
    there = Space.fit([(features, 1.0)], 0)
    found = cluster.cluster(there.points([features]), 8, 0)
    model = Model(there, found.centres, np.zeros((len(found.centres), 3), np.float32), 200, float(found.distance.mean()))
    again = Model.unpack(model.pack())
    which, _ = kmeans.nearest_centre(again.space.points([features]), again.centres)
    assert (which == found.assignment).all()
    assert (again.count, again.spread) == (model.count, pytest.approx(model.spread))
    assert again.space.fits([features])
    assert not again.space.fits([features, features])
    assert outgrown(again, 40, 0, model.spread) is None
    assert "30 photos came and 11 went" in (outgrown(again, 30, 11, model.spread) or "")
    assert "look unlike" in (outgrown(Model(there, found.centres, again.discs, 5000, 1.0), 50, 0, 1.3) or "")


def test_clusters_made_anew_are_called_as_those_that_they_share_members_with() -> None:
    before = np.array([7, 7, 7, 2, 2, -1, 4, 4])
    called = renumbered(np.array([0, 0, 0, 1, 1, 1, 2, 3]), before)
    assert called[0] == 7
    assert called[1] == 2
    assert sorted([called[2] == 4, called[3] == 4]) == [False, True]
    assert len(set(called.tolist())) == 4


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.integers(0, 3))
@example([5, 16], 0)  # a photo on the border of two cells
def test_on_the_map_discs_lie_apart_and_photos_inside_theirs_each_in_its_own_place(sizes: list[int], seed: int) -> None:
    points, which = blobs(sizes, seed)
    centres = np.stack([points[which == c].mean(0) for c in range(len(sizes))])
    distance = np.linalg.norm(points - centres[which], axis=1)
    found = lay_out(points, which, distance, centres, seed)
    place = np.column_stack([found.x, found.y]).astype(float)
    assert ((place >= 0) & (place < 1)).all()
    x, y, radius = found.discs.T.astype(float)
    assert (np.hypot(place[:, 0] - x[which], place[:, 1] - y[which]) <= radius[which] + 1e-5).all()
    apart = np.hypot(x[:, None] - x, y[:, None] - y) - radius[:, None] - radius
    assert (apart[~np.eye(len(x), dtype=bool)] > -0.05 * radius.max()).all()
    nearest = cdist(place, place) + 9 * np.eye(len(place))
    assert (nearest > 0.8 * found.unit).all()
    for level in range(int(found.level.max())):  # the last one holds the rest
        shown = place[found.level <= level]
        cells = np.floor(shown * (layout.CELLS << level))
        assert len(np.unique(cells, axis=0)) == len(shown)
    assert (lay_out(points, which, distance, centres, seed).x == found.x).all()


def test_photos_that_come_later_lie_around_those_that_are_there() -> None:
    disc = np.array([0.5, 0.5, 0.2])
    place = places_in(disc, 37, 20)
    assert len(np.unique(place.round(4), axis=0)) == 20
    assert np.hypot(*(place - 0.5).T).min() > 0.14


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
    assert points.shape == (300, space.DIMENSIONS + 40)
    assert np.linalg.norm(spread[: space.DIMENSIONS]) == pytest.approx(1, rel=0.05)
    assert np.linalg.norm(spread[space.DIMENSIONS :]) == pytest.approx(0.5, rel=0.05)


def test_a_missing_feature_stands_at_the_mean() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    matrix[7] = 0
    assert not reduce([(matrix, 1.0)], seed=0)[7].any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_photos_are_no_trouble(count: int) -> None:
    matrix = np.ones((count, 5), np.float32) * np.arange(1, count + 1)[:, None]
    assert len(cluster.cluster(reduce([(matrix, 1.0)], 0), 45, 0).assignment) == count


def test_centres_found_on_a_sample_serve_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "SAMPLE", 60)
    monkeypatch.setattr(count, "SAMPLE", 50)
    monkeypatch.setattr(space, "FIT_SAMPLE", 40)
    monkeypatch.setattr(kmeans, "CHUNK", 32)
    monkeypatch.setattr(space, "CHUNK", 32)
    points, which = blobs([100, 80, 90], dimensions=12)
    found = cluster.cluster(reduce([(points, 1.0)], 0), 3, 0)
    assert len({(a, b) for a, b in zip(found.assignment.tolist(), which.tolist(), strict=True)}) == 3
