"""The certificate from the store's audits: blind answers in, a verdict out, and nothing else moves it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from precious_daemon.config import CertifySettings
from precious_daemon.models import Choice, Group, GroupKind, GroupMember, Question, Score, Stamp
from precious_daemon.store import Database, Store, answers, changes, groups, roots, scores
from precious_daemon.suggesting import verdict

COUNT = 100


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Store:
    """A hundred present photos, eighty of which a model would delete; four of those are a burst."""
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)

    def fill(db: Database) -> None:
        for number in range(1, COUNT + 1):
            changes.add_still(db, root.id, f"{number}.jpg", Stamp(1, number, 10, 0), 0.0)
        db.execute("UPDATE photos SET state = 'present', content_hash = id")
        scores.replace_scores(db, 1, [Score(i, i / 200 if i <= 80 else 0.9, 0.0) for i in range(1, COUNT + 1)])
        scores.add_model(db, "run", 1, "regression", {}, 1.0)
        groups.replace_groups(db, [Group(GroupKind.BURST, tuple(GroupMember(i, i == 1, "") for i in (1, 2, 3, 4)))])

    store.write(fill)
    store.write(verdict.renew_pool, 1, random.Random(1), 2.0)
    store.write(verdict.bring_up_to_date, 1, CertifySettings(), 2.0)
    return store


def audit(store: Store, count: int, choice: Choice = Choice.DELETE) -> None:
    for _ in range(count):
        photo = store.read(scores.next_audit, 1)
        assert photo
        store.write(answers.add, 1, Question.AUDIT, choice, photo.id, None, "audit", 3.0)
        store.write(verdict.bring_up_to_date, 1, CertifySettings(), 4.0)


def test_burst_is_one_draw_and_one_question(library: Store) -> None:
    pool = library.read(scores.newest_pool, 1)
    assert pool
    draws = library.read(scores.pool_draws, pool[0])
    assert len(draws) == 77
    assert {1, 2, 3, 4} in [set(draw) for draw in draws]
    asked = library.read(lambda db: [photo for photo, *_ in scores.pool_keeps(db, 1, pool[0])])
    assert len(asked) == 77
    assert len({1, 2, 3, 4} & set(asked)) == 1


def test_as_many_as_are_missing_are_asked_about_in_the_order_of_the_pool(library: Store) -> None:
    pool = library.read(scores.newest_pool, 1)
    assert pool
    asked = []
    while library.read(scores.certificate, 1)[2] and (photo := library.read(scores.next_audit, 1)):
        asked.append(photo.id)
        audit(library, 1)
    assert asked == [draw[0] for draw in library.read(scores.pool_draws, pool[0])][:44]
    assert library.read(scores.next_audit, 1), "now and then, to see that it still holds"


def test_forty_four_clean_answers_of_seventy_seven_certify_and_forty_three_do_not(library: Store) -> None:
    audit(library, 43)
    certificate, sentence, needed = library.read(scores.certificate, 1)
    assert (certificate, needed) == (None, 1)
    assert "1 more answer is needed" in sentence
    audit(library, 1)
    certificate, sentence, _ = library.read(scores.certificate, 1)
    assert certificate is not None
    assert (certificate.audits, certificate.errors) == (44, 0)
    assert "At most 5 %" in sentence


def test_mistake_keeps_the_certificate_away(library: Store) -> None:
    audit(library, 1, Choice.KEEP)
    audit(library, 50)
    assert library.read(scores.certificate, 1)[0] is None


def test_answer_that_was_not_blind_counts_for_nothing(library: Store) -> None:
    for photo_id in range(1, 70):
        library.write(answers.add, 1, Question.LABEL, Choice.DELETE, photo_id, None, "train", 3.0)
    library.write(verdict.bring_up_to_date, 1, CertifySettings(), 4.0)
    assert library.read(scores.certificate, 1)[0] is None


def test_pool_stays_for_a_new_model_with_much_the_same_candidates_and_gives_way_for_another(library: Store) -> None:
    assert not library.write(verdict.renew_pool, 1, random.Random(2), 5.0)
    library.write(scores.replace_scores, 1, [Score(i, 0.9 if i <= 60 else 0.1, 0.0) for i in range(1, COUNT + 1)])
    assert library.write(verdict.renew_pool, 1, random.Random(2), 6.0)


def test_an_owner_who_changed_their_mind_is_asked_anew(library: Store) -> None:
    audit(library, 44)
    assert library.read(scores.certificate, 1)[0] is not None
    assert library.write(verdict.renew_pool, 1, random.Random(2), 5.0, anew=True)
    library.write(verdict.bring_up_to_date, 1, CertifySettings(), 6.0)
    assert library.read(scores.certificate, 1)[0] is None


def test_undone_audit_is_asked_again(library: Store) -> None:
    first = library.read(scores.next_audit, 1)
    audit(library, 1)
    library.write(answers.undo, 1, 5.0)
    library.write(verdict.bring_up_to_date, 1, CertifySettings(), 6.0)
    again = library.read(scores.next_audit, 1)
    assert first
    assert again
    assert first.id == again.id


def test_photo_kept_on_review_counts_as_a_mistake(library: Store) -> None:
    first = library.read(scores.next_audit, 1)
    assert first
    library.write(answers.add, 1, Question.SUGGESTION, Choice.KEEP, first.id, None, "review", 3.0)
    audit(library, 50)
    assert library.read(scores.certificate, 1)[0] is None


def test_letting_the_obvious_go_by_hand_costs_the_rest_its_certificate(library: Store) -> None:
    audit(library, 44)
    assert library.read(scores.certificate, 1)[0] is not None
    pool = library.read(scores.newest_pool, 1)
    assert pool
    for draw in library.read(scores.pool_draws, pool[0])[44:65]:
        library.write(answers.add, 1, Question.SUGGESTION, Choice.DELETE, draw[0], None, "review", 3.0)
    library.write(verdict.bring_up_to_date, 1, CertifySettings(), 5.0)
    certificate, sentence, needed = library.read(scores.certificate, 1)
    assert certificate is None
    assert "by hand" in sentence
    assert needed == 4


def test_looking_ahead_gives_the_next_audit_of_the_pool(library: Store) -> None:
    first = library.read(scores.next_audit, 1)
    assert first
    second = library.read(scores.next_audit, 1, {first.id})
    library.write(answers.add, 1, Question.AUDIT, Choice.DELETE, first.id, None, "audit", 3.0)
    assert second == library.read(scores.next_audit, 1)
