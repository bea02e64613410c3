"""What the owner is told."""

from __future__ import annotations

import numpy as np

from precious_daemon.grouping.measures import MEASURES
from precious_daemon.learn.report import evidence, figures, intervals, mistakes, pr_curve, reliability
from precious_daemon.learn.space import Examples

CHANCES, DELETED = np.array([0.9, 0.8, 0.6, 0.3, 0.1]), np.array([1, 0, 1, 1, 0])


def test_figures_are_those_of_the_confusion_matrix() -> None:
    found = figures(CHANCES, DELETED)
    assert found["confusion"] == [[1, 1], [1, 2]]
    assert (found["precision"], found["recall"], found["f1"], found["n"]) == (2 / 3, 2 / 3, 2 / 3, 5)


def test_no_call_at_all_is_precision_zero_and_no_error() -> None:
    assert figures(np.zeros(5), DELETED)["precision"] == 0


def test_figures_lie_within_their_intervals_which_narrow_with_more_answers() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (40, 1000):
        deleted = (rng.random(count) < 0.3).astype(np.int64)
        chances = np.clip(0.35 * deleted + 0.65 * rng.random(count), 0, 1)
        found, between = figures(chances, deleted), intervals(chances, deleted)
        assert all(low <= found[name] <= high for name, (low, high) in between.items())
        widths.append(between["average_precision"][1] - between["average_precision"][0])
    assert widths[1] < widths[0] / 2


def test_mistakes_come_surest_first_and_say_what_the_owner_said() -> None:
    found = mistakes(np.array([11, 12, 13, 14, 15]), CHANCES, DELETED)
    assert [(m["photo_id"], m["label"], m["kept"]) for m in found] == [(12, "keep", True), (14, "delete", False)]


def test_reliability_counts_every_answer_once() -> None:
    found = reliability(CHANCES, DELETED)
    assert sum(b["count"] for b in found) == 5
    assert found[0]["observed"] == 0.5  # of the two least likely to be kept, one was


def test_curve_runs_from_all_to_few() -> None:
    points = pr_curve(CHANCES, DELETED)
    assert points[0][0] == 1
    assert [p[0] for p in points] == sorted((p[0] for p in points), reverse=True)


def test_evidence_shows_the_nearest_of_each_side_and_never_the_photo_itself() -> None:
    angle = np.deg2rad([0, 5, 10, 80, 90])
    look = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    x = Examples(look, np.zeros((5, MEASURES), dtype=np.float32), np.arange(5))
    ids, keep = np.array([10, 11, 12, 13, 14]), np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    found = evidence(ids, x, 0.0, keep, where=np.array([0, 1, 3]), deleted=np.array([1, 1, 0]))
    assert found["12"] == {"deleted": [11, 10], "kept": [13], "like_deleted": 2}
    assert found["10"]["deleted"] == [11]
    assert found["14"]["like_deleted"] == 0
