"""What the model for now asks about next."""

from __future__ import annotations

import numpy as np

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn.baseline import regression
from precious_daemon.learn.instant import ASKED, WEIGHT, next_questions
from precious_daemon.learn.space import Examples

KEPT, DELETED, UNSEEN = 0, 1, 2


def library(sizes: tuple[int, ...] = (40, 40, 40), seed: int = 0) -> tuple[Examples, Ints]:
    """Photos of several kinds that look alike among themselves, and the kind of each."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(sizes)), sizes)
    look = np.eye(8)[kind] + rng.normal(0, 0.1, (len(kind), 8))
    return Examples(look.astype(np.float32), np.zeros((len(kind), 2), dtype=np.float32), np.arange(len(kind))), kind


def ask(x: Examples, where: Ints, deleted: Ints) -> Ints:
    return next_questions(x, where, deleted, regression(x, where, deleted, WEIGHT)(x), np.random.default_rng(0))


def some(kind: Ints, kept: int, deleted: int) -> tuple[Ints, Ints]:
    where = np.concatenate([np.flatnonzero(kind == KEPT)[:kept], np.flatnonzero(kind == DELETED)[:deleted]])
    return where, (kind[where] == DELETED).astype(np.int64)


def test_what_no_label_stands_for_is_asked_about_first() -> None:
    x, kind = library()
    asked = ask(x, *some(kind, 6, 6))
    assert kind[asked[0]] == UNSEEN


def test_questions_differ_from_one_another() -> None:
    x, kind = library((40, 40, 40, 40, 40))
    asked = ask(x, *some(kind, 6, 6))
    assert len(asked) == len(set(asked.tolist())) == ASKED
    assert set(kind[asked[:3]].tolist()) == {2, 3, 4}


def test_among_unknown_kinds_the_one_that_stands_for_more_photos_is_first() -> None:
    x, kind = library((40, 40, 10, 60))
    assert kind[ask(x, *some(kind, 6, 6))[0]] == 3


def test_of_a_burst_one_photo_is_asked_about_and_none_of_a_burst_that_is_labelled() -> None:
    x, kind = library()
    where, deleted = some(kind, 6, 6)
    group = x.group.copy()
    group[kind == UNSEEN] = 1000
    group[np.flatnonzero(kind == KEPT)[6:]] = group[where[0]]
    asked = ask(Examples(x.look, x.measures, group), where, deleted)
    assert (kind[asked] == UNSEEN).sum() == 1
    assert not (kind[asked] == KEPT).any()


def test_while_hardly_anything_was_deleted_what_is_likely_to_go_is_asked_about() -> None:
    x, kind = library((60, 60))
    asked = ask(x, *some(kind, 20, 2))
    assert (kind[asked[:4]] == DELETED).all()


def test_a_library_with_every_photo_labelled_has_no_question() -> None:
    x, kind = library((5, 5))
    assert not len(ask(x, *some(kind, 5, 5)))
