"""The photos that are asked about first: few, different, and each speaking for many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon.grouping import represent as room
from precious_daemon.grouping.represent import represent


def kinds(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of photos of some kinds, and which kind each is."""
    rng = np.random.default_rng(seed)
    which = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.uniform(0, 10, (len(sizes), 30))
    return np.maximum(centres[which] + rng.normal(0, 0.5, (len(which), 30)), 0).astype(np.float16), which


def plain(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Measures that say nothing, and no bursts."""
    return np.zeros((count, 4), np.float32), np.arange(count)


def test_each_kind_is_represented_the_largest_first_and_a_rare_one_too() -> None:
    look, which = kinds([400, 200, 60, 30, 10])
    found = represent(look, *plain(700), 20, seed=1)
    assert which[found[0]] == 0
    assert set(which[found].tolist()) == {0, 1, 2, 3, 4}


def test_photos_that_differ_in_how_they_came_out_are_represented_too() -> None:
    look, _ = kinds([300])
    measures = np.zeros((300, 4), np.float32)
    measures[:12, 1] = -5  # the dark ones
    assert set(represent(look, measures, np.arange(300), 10, seed=0).tolist()) & set(range(12))


def test_a_burst_is_represented_by_one_frame() -> None:
    look, _ = kinds([60])
    group = np.arange(60)
    group[20:50] = 20
    found = represent(look, plain(60)[0], group, 12, seed=0)
    assert len(found) == 12
    assert sum(20 <= i < 50 for i in found) <= 1


def test_a_photo_that_nobody_has_looked_at_represents_nothing() -> None:
    look, _ = kinds([50])
    look[10:20] = 0
    assert not set(represent(look, *plain(50), 45, seed=0).tolist()) & set(range(10, 20))


def test_a_sample_is_chosen_from_where_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "NODES", 64)
    look, which = kinds([100, 100, 100])
    assert set(which[represent(look, *plain(300), 9, seed=0)].tolist()) == {0, 1, 2}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(1, 20), st.integers(1, 5), st.integers(0, 3))
def test_as_many_as_asked_for_or_all_and_none_twice(count: int, asked: int, different: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    look = (1 + rng.random((different, 6)))[rng.integers(0, different, count)].astype(np.float32).reshape(count, 6)
    found = represent(look, *plain(count), asked, seed)
    assert len(set(found.tolist())) == len(found) == min(asked, count)
    assert (found == represent(look, *plain(count), asked, seed)).all()
