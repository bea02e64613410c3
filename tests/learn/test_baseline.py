"""Label spreading and regression on values made up for the purpose."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_moons
from sklearn.semi_supervised import LabelSpreading

from precious_daemon.grouping.measures import MEASURES
from precious_daemon.learn.baseline import Graphs, coordinates, graph, nearest, normalized, regression, spread
from precious_daemon.learn.space import Examples


def blobs(n: int, seed: int, apart: float = 4.0, by_measures: bool = False) -> tuple[Examples, np.ndarray]:
    """n photos of two kinds that differ in the look, or in the measures."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    look, measures = rng.normal(size=(n, 12)), rng.normal(size=(n, MEASURES))
    (measures if by_measures else look)[:, :3] += apart * (y[:, None] - 0.5)
    look /= np.sqrt((look**2).sum(1).mean())
    measures /= np.sqrt((measures**2).sum(1).mean())
    return Examples(look.astype(np.float32), measures.astype(np.float32), np.arange(n)), y


def test_spreading_is_that_of_scikit_learn() -> None:
    points, y = make_moons(60, noise=0.08, random_state=0)
    affinity = np.exp(-10 * ((points[:, None] - points[None]) ** 2).sum(-1))
    np.fill_diagonal(affinity, 0)
    known = np.full(60, -1)
    known[[0, 1, 5, 9]] = y[[0, 1, 5, 9]]
    theirs = LabelSpreading(kernel=lambda a, b: affinity, alpha=0.9, max_iter=2000, tol=1e-9).fit(points, known)

    import scipy.sparse as sp

    seeds = np.stack([known == 0, known == 1], axis=1).astype(np.float32)
    ours = spread(normalized(sp.csr_array(affinity)), seeds, alpha=0.9, steps=400)
    ours /= ours.sum(1, keepdims=True)
    assert np.abs(ours - theirs.label_distributions_).max() < 1e-4
    assert (ours.argmax(1) == theirs.transduction_).all()


def test_nearest_finds_the_largest_cosines_and_not_the_photo_itself() -> None:
    x, _ = blobs(50, 1)
    rows = coordinates(x, 0.0)
    places, values = nearest(rows, rows, 5, own=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    assert np.allclose(np.sort(values, axis=1), np.sort(cosines, axis=1)[:, -5:], atol=1e-6)
    assert not (places == np.arange(50)[:, None]).any()


def test_graph_is_symmetric_and_serves_libraries_smaller_than_a_neighbourhood() -> None:
    for count in (3, 40):
        links = graph(coordinates(blobs(count, 2)[0], 1.0)).toarray()
        assert np.allclose(links, links.T, atol=1e-6)
        assert np.isfinite(links).all()


def test_spreading_and_regression_tell_two_kinds_apart() -> None:
    x, y = blobs(200, 3)
    where = np.arange(12)
    found = Graphs(x, where).learn(where, y[where])
    assert ((found.logits > 0) == y).mean() > 0.95
    assert ((regression(x, where, y[where], found.weight)(x) > 0) == y).mean() > 0.9


def test_measures_weigh_as_much_as_they_tell() -> None:
    where = np.arange(20)
    by_look, y = blobs(200, 4)
    by_measures, _ = blobs(200, 4, by_measures=True)
    light = Graphs(by_look, where).learn(where, y[where])
    heavy = Graphs(by_measures, where).learn(where, y[where])
    assert light.weight < 1 < heavy.weight
    assert ((heavy.logits > 0) == y).mean() > 0.9


def test_a_label_is_not_foretold_from_its_own_burst() -> None:
    x, _ = blobs(120, 5, apart=0.0)
    # labels without meaning, in pairs of the same burst that lie side by side and agree
    look = np.repeat(x.look[::2], 2, axis=0) + np.float32(1e-3)
    paired = Examples(look, x.measures, np.arange(120) // 2)
    where, said = np.arange(40), np.repeat(np.random.default_rng(0).integers(0, 2, 20), 2)
    alone = Graphs(Examples(look, x.measures, np.arange(120)), where).learn(where, said)
    together = Graphs(paired, where).learn(where, said)
    # taken one by one, the twin gives each label away, and the chances come out surer than the labels deserve
    assert np.abs(together.logits).mean() < np.abs(alone.logits).mean()
