"""The sort task: a few answers in the owner's own classes, and every photo is given one of them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from precious_daemon.learn.backbone import DIMENSION, NAME
from precious_daemon.learn.classes import NAMES, shared_out, sort
from precious_daemon.learn.limits import Deadline, Refused
from precious_daemon.work import jobfolder
from tests.learn.conftest import new_library
from tests.learn.library import Library, content_hash

COUNT = 45
CLASSES = {0: 7, 1: 3, 2: 12}  # by what is to be seen: the ids are in no order


@pytest.fixture
def seen(tmp_path: Path) -> Library:
    """Photos of three kinds, number % 3, that a network told apart with some noise."""
    library = new_library(tmp_path, COUNT)
    rng = np.random.default_rng(5)
    kinds = rng.random((3, DIMENSION)) * 2
    with closing(sqlite3.connect(library.places.cache_db)) as db, db:
        for number in range(1, COUNT + 1):
            vector = np.maximum(kinds[number % 3] + rng.normal(0, 1, DIMENSION), 0).astype("<f2")
            db.execute("INSERT INTO embeddings VALUES (?, ?, ?)", [content_hash(number), NAME, vector.tobytes()])
    return library


def work(library: Library, answered: range, name: str = "") -> Path:
    folder = library.job(f"sort-{len(answered)}{name}", "sort")
    jobfolder.write_photos(folder, library.rows())
    jobfolder.write_labels(folder, [])
    jobfolder.write_votes(folder, [])
    jobfolder.write_json(folder, "classes.json", [(number, CLASSES[number % 3]) for number in answered])
    return folder


def test_photos_that_nobody_answered_get_the_class_of_their_kind(seen: Library) -> None:
    folder = work(seen, range(1, 19))
    sort(folder, jobfolder.read_json(folder, "job.json"), Deadline(1, time.monotonic()))
    found = {score.photo_id: (int(score.taste), score.keep) for score in jobfolder.read_scores(folder)}
    assert found.keys() == set(range(1, COUNT + 1))
    assert all(found[number][0] == CLASSES[number % 3] for number in range(19, COUNT + 1))
    assert all(1 / 3 <= chance <= 1 for _, chance in found.values())
    report = jobfolder.read_json(folder, "report.json")
    assert report["classes"] == [3, 7, 12]
    assert np.sum(report["confusion"]) == 18
    assert np.trace(report["confusion"]) == round(18 * report["right"][report["learner"]]) >= 17
    assert "of your 18 answers are foretold from the others" in report["sentence"]


@pytest.mark.usefixtures("few_steps")
def test_with_time_the_whole_field_is_tried_on_real_pictures(embedded: Library) -> None:
    """Three kinds of drawn pictures: portrait and landscape format, and junk of either."""

    def kind(number: int) -> int:
        return 8 if embedded.junk(number) else 5 if number % 2 else 6

    folder = embedded.job("sorted", "sort")
    jobfolder.write_photos(folder, embedded.rows())
    jobfolder.write_labels(folder, [])
    jobfolder.write_votes(folder, [])
    jobfolder.write_json(folder, "classes.json", [(number, kind(number)) for number in range(1, 25)])
    sort(folder, jobfolder.read_json(folder, "job.json"), Deadline(None, time.monotonic()))
    report = jobfolder.read_json(folder, "report.json")
    assert report["right"].keys() == report["average_precision"].keys() == set(NAMES)
    assert report["learner"] in NAMES
    assert NAMES[report["learner"]] in report["sentence"]
    found = {score.photo_id: (int(score.taste), score.keep) for score in jobfolder.read_scores(folder)}
    assert found.keys() == set(range(1, 37))
    unseen = range(25, 37)
    assert sum((found[number][0] == 8) == embedded.junk(number) for number in unseen) >= 11


def test_in_a_large_library_photos_outside_the_graph_go_by_their_neighbours(
    seen: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.learn.classes.NODES", 20)
    for champion in ("label_spreading", "regression"):
        monkeypatch.setattr("precious_daemon.learn.classes.choose", lambda *_, champion=champion: champion)
        folder = work(seen, range(1, 19), champion)
        sort(folder, jobfolder.read_json(folder, "job.json"), Deadline(1, time.monotonic()))
        found = {score.photo_id: int(score.taste) for score in jobfolder.read_scores(folder)}
        assert sum(found[number] == CLASSES[number % 3] for number in range(19, COUNT + 1)) >= 25


def test_too_few_answers_are_refused_in_words(seen: Library) -> None:
    folder = work(seen, range(1, 7))
    with pytest.raises(Refused, match="at least 3 of two classes"):
        sort(folder, jobfolder.read_json(folder, "job.json"), Deadline(1, time.monotonic()))


def test_chances_of_all_classes_sum_to_one() -> None:
    chance = shared_out(np.random.default_rng(1).normal(0, 40, (50, 4)))
    assert np.allclose(chance.sum(1), 1)
    assert (chance >= 0).all()
