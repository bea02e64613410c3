"""Owners who change their mind, and owners who do not."""

from __future__ import annotations

import numpy as np
import pytest

from precious_daemon.grouping.measures import MEASURES
from precious_daemon.learn.baseline import Graphs
from precious_daemon.learn.drift import drift
from precious_daemon.learn.space import Examples


def owner(seed: int, changes: bool) -> tuple[Examples, np.ndarray, np.ndarray, np.ndarray]:
    """400 photos of four kinds and 60 answers: the first kind went, and, for who changed, goes no more; the second does."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, 400)
    look = np.eye(4)[kind] @ rng.normal(size=(4, 12)) + rng.normal(0, 0.3, (400, 12))
    x = Examples(look.astype(np.float32), np.zeros((400, MEASURES), dtype=np.float32), np.arange(400))
    where = np.sort(rng.permutation(400)[:60])
    age = rng.permutation(60)
    goes = np.where((age >= 30) | (not changes), 0, 1)
    return x, where, (kind[where] == goes).astype(np.int64), age


@pytest.mark.parametrize("seed", range(4))
def test_answers_of_a_steady_owner_all_count_alike(seed: int) -> None:
    x, where, deleted, age = owner(seed, changes=False)
    found = drift(Graphs(x, where), where, deleted, age)
    assert found.half_life is None
    assert (found.belief == 1).all()
    assert "do not seem to have changed" in found.sentence()


@pytest.mark.parametrize("seed", range(4))
def test_old_answers_of_an_owner_who_changed_count_less_and_the_model_follows(seed: int) -> None:
    x, where, deleted, age = owner(seed, changes=True)
    graphs = Graphs(x, where)
    found = drift(graphs, where, deleted, age)
    assert found.half_life is not None
    assert "changed your mind" in found.sentence()
    assert found.belief[age.argmin()] > 0.95
    assert found.belief[age.argmax()] < 0.3
    newest = age < 15
    right = {name: float(((graphs.learn(where, deleted, belief).held_out > 0.5) == (deleted == 1))[newest].mean())
             for name, belief in (("alike", np.ones(60)), ("aged", found.belief))}  # fmt: skip
    assert right["aged"] > right["alike"]


def test_few_answers_show_no_change() -> None:
    x, where, deleted, age = owner(0, changes=True)
    few = age < 20
    found = drift(Graphs(x, where), where[few], deleted[few], age[few])
    assert found.half_life is None
