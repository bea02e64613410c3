"""Coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from precious_daemon.grouping.measures import FACTS, MEASURES, facts
from precious_daemon.learn import photos
from precious_daemon.learn.data import _of_plugins
from precious_daemon.learn.space import LOOK, Space
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow
from tests.learn.library import content_hash


def row(**changes: object) -> PhotoRow:
    values = {"id": 1, "content_hash": "", "perceptual_hash": 0, "taken_at": None, "camera": None, "width": 100, "height": 50,
              "size": 5000, "format": "JPEG", "path": "a.jpg", "burst": 1} | changes  # fmt: skip
    return PhotoRow(**values)  # type: ignore[arg-type]


def of_contents(*numbers: int) -> photos.Photos:
    """Photos of these contents, with nothing else to them."""
    hashes = np.frombuffer(b"".join(map(content_hash, numbers)), np.uint8).reshape(-1, 32)
    many = np.arange(len(numbers))
    return photos.of(many, hashes, many, np.zeros((len(numbers), FACTS), dtype=np.float32))


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
    table = _of_plugins(tmp_path, of_contents(1, 2, 3, 2))
    np.testing.assert_array_equal(table, [[1, 7, 0], [2, 7, 0], [3, 7, 0], [2, 7, 0]], "the mean where a photo has none")
    assert _of_plugins(tmp_path / "none", of_contents(1, 2, 3, 2)).shape == (4, 0)


def test_photos_are_found_by_content_also_where_several_have_it_or_hashes_begin_alike() -> None:
    alike = [bytes(8) + bytes([n]) * 24 for n in range(3)]
    hashes = np.frombuffer(b"".join([*alike, content_hash(1), content_hash(1)]), np.uint8).reshape(-1, 32)
    every = photos.of(np.arange(5), hashes, np.arange(5), np.zeros((5, FACTS), dtype=np.float32))
    which, where = every.find([content_hash(1), content_hash(2), alike[1]])
    assert sorted(zip(which.tolist(), where.tolist(), strict=True)) == [(0, 3), (0, 4), (2, 1)]


def test_columns_say_the_same_as_rows(tmp_path: Path) -> None:
    rows = [row(content_hash="ab" * 32), row(id=9, camera="Canon", format="png", burst=2), row(id=4, burst=2, size=0, width=0)]
    jobfolder.write_photos(tmp_path, rows)
    every = photos.read(tmp_path)
    assert every.ids.tolist() == [1, 9, 4]
    assert every.hashes[0].tobytes() == b"\xab" * 32
    np.testing.assert_array_equal(every.facts, facts(rows, every.bursts))
    assert photos.positions(every.ids, [4, 9, 77]) == {9: 1, 4: 2}
