"""Coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from precious_daemon import jobfolder
from precious_daemon.jobfolder import PhotoRow
from precious_daemon.learn.data import _of_plugins
from precious_daemon.learn.space import LOOK, Space
from precious_daemon.measures import FACTS, MEASURES, facts
from tests.learn.library import content_hash


def row(**changes: object) -> PhotoRow:
    values = {"id": 1, "content_hash": "", "perceptual_hash": 0, "taken_at": None, "camera": None, "width": 100, "height": 50,
              "size": 5000, "format": "JPEG", "path": "a.jpg", "burst": 1} | changes  # fmt: skip
    return PhotoRow(**values)  # type: ignore[arg-type]


def test_rows_have_a_length_of_one_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    features, measures = rng.random((300, 200), dtype=np.float32) * 3, rng.normal(size=(300, MEASURES)).astype(np.float32)
    space = Space.fit(features, measures)
    assert space.look(features).shape == (300, LOOK)
    assert float((space.look(features) ** 2).sum(1).mean()) == pytest.approx(1, abs=1e-3)
    assert float((space.measures(measures) ** 2).sum(1).mean()) == pytest.approx(1, abs=1e-3)


def test_axes_follow_the_greatest_spread_first() -> None:
    rng = np.random.default_rng(1)
    features = (3 + rng.normal(size=(100, 5)) * [0.1, 1, 0.2, 0.3, 0.01]).clip(0).astype(np.float32)
    look = Space.fit(features, np.zeros((100, MEASURES), dtype=np.float32)).look(features)
    assert (np.diff(look.var(0)) <= 1e-6).all()
    assert abs(np.corrcoef(look[:, 0], np.sqrt(features[:, 1]))[0, 1]) > 0.98


def test_a_measure_that_is_the_same_for_all_says_nothing() -> None:
    measures = np.ones((20, MEASURES), dtype=np.float32)
    measures[:, 0] = np.arange(20)
    placed = Space.fit(np.random.default_rng(2).random((20, 8), dtype=np.float32), measures).measures(measures + 5)
    assert (placed[:, 1:] == 0).all()
    assert np.isfinite(placed).all()


def test_one_damaged_value_rules_no_axis() -> None:
    measures = np.random.default_rng(3).normal(size=(100, MEASURES)).astype(np.float32)
    space = Space.fit(np.random.default_rng(4).random((100, 8), dtype=np.float32), measures)
    measures[0, 0] = 1e9
    assert space.measures(measures).max() <= 10 / np.sqrt(MEASURES) + 1e-6


def test_facts_tell_compression_size_camera_format_and_burst() -> None:
    rows = [row(), row(camera="Canon", format="PNG", burst=2), row(burst=2, size=0, width=0)]
    found = facts(rows, np.array([r.burst for r in rows]))
    assert found.shape == (3, FACTS)
    assert found[0].tolist() == pytest.approx([0, np.log(5000), 0, 0, 0])
    assert found[1].tolist() == pytest.approx([0, np.log(5000), 1, 1, np.log(2)])
    assert np.isfinite(found).all()


def test_numbers_of_plugins_are_measures_too(tmp_path: Path) -> None:
    rows = [
        (content_hash(1), {"a.x": 1.0}),
        (content_hash(1), {"b.y": 7.0}),
        (content_hash(3), {"a.x": 3.0}),
        (b"other", {"c.z": 1.0}),
    ]
    jobfolder.write_numbers(tmp_path, rows)
    table = _of_plugins(tmp_path, {content_hash(1): [0], content_hash(2): [1, 3], content_hash(3): [2]}, 4)
    np.testing.assert_array_equal(table, [[1, 7, 0], [2, 7, 0], [3, 7, 0], [2, 7, 0]], "the mean where a photo has none")
    assert _of_plugins(tmp_path / "none", {}, 4).shape == (4, 0)
