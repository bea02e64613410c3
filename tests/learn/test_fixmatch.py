"""FixMatch on points whose kinds show in the unlabelled ones, and not in the few labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.metrics import average_precision_score

from precious_daemon.grouping.measures import MEASURES
from precious_daemon.learn.baseline import Graphs, Linear, regression
from precious_daemon.learn.fixmatch import Config, Lines, Views, fixmatch, fixmatch_classes
from precious_daemon.learn.space import Examples

Drawn = tuple[Examples, np.ndarray, Views]


def clusters(seed: int, n: int = 400) -> Drawn:
    """Two long, slanted clouds: six labels mislead a regression about the border, the gap between the clouds does not."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.5).astype(np.int64)
    points = rng.normal(size=(n, 16)) * np.array([3.0, 0.4, *[0.2] * 14])
    points[:, 1] += 2.6 * (y - 0.5)
    turn, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    look = points @ turn / np.sqrt((points**2).sum(1).mean())
    x = Examples(look.astype(np.float32), np.zeros((n, MEASURES), dtype=np.float32), np.arange(n))
    weak = look[:, None] + rng.normal(scale=0.03, size=(n, 2, 16))
    strong = look[:, None] + rng.normal(scale=0.12, size=(n, 3, 16))
    return x, y, Views(np.arange(n), weak.astype(np.float32), strong.astype(np.float32))


def trained(drawn: Drawn, seed: int, config: Config | None = None) -> tuple[Linear, Linear, np.ndarray]:
    x, y, views = drawn
    where = np.concatenate([np.flatnonzero(y == 1)[:3], np.flatnonzero(y == 0)[:3]])
    graph = Graphs(x, where).learn(where, y[where])
    start = regression(x, where, y[where], graph.weight)
    return start, fixmatch(x, where, y[where], views, graph.logits, start, seed, config), where


def test_unlabelled_photos_make_the_head_better_than_the_regression_it_starts_from() -> None:
    gains = []
    for seed in (0, 3):
        drawn = clusters(seed)
        start, head, _ = trained(drawn, seed)
        before, after = (average_precision_score(drawn[1], model(drawn[0])) for model in (start, head))
        gains.append(after - before)
    assert min(gains) > 0.05


def test_the_same_seed_gives_the_same_head() -> None:
    drawn = clusters(1)
    short = Config(steps=20)
    one, same, other = (trained(drawn, seed, short)[1] for seed in (7, 7, 8))
    assert one.look.tolist() == same.look.tolist()
    assert one.look.tolist() != other.look.tolist()


def test_photos_without_views_do_not_hinder() -> None:
    x, y, views = clusters(2)
    some = Views(views.where[50:120], views.weak[50:120], views.strong[50:120])
    _, head, _ = trained((x, y, some), 0, Config(steps=20))
    assert np.isfinite(head(x)).all()


def test_without_any_view_the_regression_stands() -> None:
    x, y, views = clusters(3)
    none = replace(views, where=views.where[:0], weak=views.weak[:0], strong=views.strong[:0])
    start, head, _ = trained((x, y, none), 0)
    assert head.look.tolist() == start.look.tolist()


def fans(seed: int, kinds: int = 4, n: int = 480) -> Drawn:
    """Long clouds beside one another, each class apart in a direction of its own: a few labels do not tell which, the gaps do."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, kinds, n)
    points = rng.normal(size=(n, 16)) * np.array([3.0, *[0.4] * 4, *[0.2] * 11])
    points[np.arange(n), 1 + y] += 2.2
    turn, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    look = (points - points.mean(0)) @ turn / np.sqrt((points**2).sum(1).mean())
    x = Examples(look.astype(np.float32), np.zeros((n, MEASURES), dtype=np.float32), np.arange(n))
    weak, strong = (look[:, None] + rng.normal(scale=scale, size=(n, m, 16)) for scale, m in ((0.03, 2), (0.12, 3)))
    return x, y, Views(np.arange(n), weak.astype(np.float32), strong.astype(np.float32))


def test_four_classes_are_learnt_better_than_by_the_regression_it_starts_from() -> None:
    wrong = np.zeros(2)
    for seed in range(4):
        x, y, views = fans(seed)
        where = np.concatenate([np.flatnonzero(y == one)[:3] for one in range(4)])
        graphs = Graphs(x, where)
        sides = [(y[where] == one).astype(np.int64) for one in range(4)]
        found = [graphs.learn(where, side) for side in sides]
        start = Lines.beside([regression(x, where, side, spread.weight) for side, spread in zip(sides, found, strict=True)])
        head = fixmatch_classes(x, where, y[where], views, np.stack([one.logits for one in found], axis=1), start, seed)
        wrong += [(lines(x).argmax(1) != y).mean() for lines in (start, head)]
    assert wrong[1] < 0.4 * wrong[0]
