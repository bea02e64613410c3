"""People: each with answers, ratings and suggestions of their own, and nothing goes that somebody wants to keep."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon.asking import answering, ledger
from precious_daemon.errors import NotEnoughAnswers, NotFound, PreciousError, TrashRefused
from precious_daemon.models import (
    Choice,
    Group,
    GroupKind,
    GroupMember,
    Photo,
    Question,
    Rating,
    Score,
    SuggestionState,
    Voter,
)
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, groups, held, ratings, scores, suggestions, voters
from precious_daemon.suggesting import people, review
from tests.web.conftest import library, service
from tests.web.library import choose_here

NUMBERS = count()
__all__ = ["library", "service"]


@pytest.fixture
def anna(service: Service) -> Voter:
    return service.store.write(people.add, "Anna", 1.0)


async def said(service: Service, voter: Voter | int, photo: Photo, choice: Choice) -> None:
    number = voter if isinstance(voter, int) else voter.id
    await answering.answer(service, number, Question.LABEL, choice, [photo.uid], "train")


def unloved(service: Service, voter: Voter | int, *found: Photo) -> None:
    """The model of this voter would throw these away, the first one surest."""
    number = voter if isinstance(voter, int) else voter.id
    service.store.write(scores.replace_scores, number, [Score(p.id, 0.01 * place, 0.0) for place, p in enumerate(found, 1)])


async def proposed(service: Service, voter_id: int = 1) -> tuple[set[int], dict[int, str]]:
    """(what is suggested, why something is held back), by photo."""
    await choose_here(service, voter_id, "run")
    rows, back = service.store.read(suggestions.page, voter_id), service.store.read(held.page, voter_id)
    return {row.photo.id for row in rows}, {row.photo.id: row.why for row in back}


# --- profiles ----------------------------------------------------------------------------------------------------------


def test_a_name_is_taken_once_whatever_its_case(service: Service, anna: Voter) -> None:
    for name in ("Anna", " ANNA ", "anna"):
        with pytest.raises(PreciousError, match="already"):
            service.store.write(people.add, name, 2.0)
    for name in ("", "   ", "x" * 41, "a\u200bb"):
        with pytest.raises(PreciousError, match="letters"):
            service.store.write(people.add, name, 2.0)
    assert service.store.write(people.rename, anna.id, "ANNA").name == "ANNA"
    with pytest.raises(PreciousError, match="already"):
        service.store.write(people.rename, 1, "anna")


async def test_a_retired_profile_keeps_its_answers_and_comes_back_with_them(
    service: Service, anna: Voter, library: list[Photo]
) -> None:
    await said(service, anna, library[0], Choice.KEEP)
    service.store.write(people.retire, anna.id, 5.0)
    assert [voter.id for voter in service.store.read(voters.active)] == [1]
    with pytest.raises(NotFound, match="There is owner"):
        service.store.read(people.named, "Anna")
    assert service.store.write(people.add, "anna", 6.0) == anna
    assert [label.keep for label in service.store.read(answers.labels, anna.id)] == [True]


def test_the_first_profile_stays(service: Service) -> None:
    with pytest.raises(PreciousError, match="rename it instead"):
        service.store.write(people.retire, 1, 1.0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 5)), max_size=12))
def test_what_one_voter_says_never_changes_anything_of_another(
    service: Service, library: list[Photo], steps: list[tuple[bool, int, int]]
) -> None:
    """Anna and Bert answer and take back in any mixture; each has what they would have had alone."""
    pair = [service.store.write(voters.add, f"somebody {next(NUMBERS)}", 1.0) for _ in range(4)]  # two together, two alone

    def say(db: Database, voter: Voter, what: int, place: int) -> None:
        one, other = library[place], library[(place + 1) % 6]
        newest = answers.newest_comparison(db, voter.id)
        if what == 0 and answers.recent(db, voter.id, 1):
            undone = answers.undo(db, voter.id, 1.0)
            if ledger.wind_back(db, voter.id, undone, newest):
                ledger.settle(db, voter.id, ledger.compute(db, voter.id))
        elif what in (1, 2):
            choice = Choice.FIRST if what == 1 else Choice.BOTH_DELETE
            stored = answers.add(db, voter.id, Question.PAIR, choice, one.id, other.id, "rank", 1.0)
            ledger.apply(db, voter.id, stored, newest)
        elif what == 3:
            answers.add(db, voter.id, Question.LABEL, Choice.KEEP, one.id, None, "train", 1.0)

    for first, what, place in steps:
        service.store.write(say, pair[0 if first else 1], what, place)
    for mine in (0, 1):
        for first, what, place in steps:
            if first is (mine == 0):
                service.store.write(say, pair[2 + mine], what, place)

    def state(db: Database, voter: Voter) -> object:
        said = [(label.photo_id, label.keep, label.purpose) for label in answers.labels(db, voter.id)]
        return ratings.everything(db, voter.id), sorted(said), answers.counts(db, voter.id)

    for mine in (0, 1):
        assert service.store.read(state, pair[mine]) == service.store.read(state, pair[2 + mine])


# --- nothing goes that somebody wants to keep --------------------------------------------------------------------------


async def test_what_somebody_else_keeps_is_held_back_with_the_reason(service: Service, anna: Voter, library: list[Photo]) -> None:
    unloved(service, 1, *library[:3])
    unloved(service, anna, *library[:2])
    await said(service, anna, library[0], Choice.KEEP)
    await said(service, anna, library[1], Choice.DELETE)
    assert await proposed(service) == ({library[1].id, library[2].id}, {library[0].id: "Anna wants to keep it"})
    assert await proposed(service, anna.id) == ({library[1].id}, {})
    service.store.write(people.retire, anna.id, 5.0)
    assert await proposed(service) == ({photo.id for photo in library[:3]}, {})


async def test_the_top_of_somebodys_ranking_stays(service: Service, anna: Voter, library: list[Photo]) -> None:
    unloved(service, 1, *library[:2])

    def rate(db: Database) -> None:
        for place, photo in enumerate(library):
            ratings.put(db, anna.id, photo.id, Rating(40.0 - place, 2.0, wins=3, losses=place))

    service.store.write(rate)
    assert await proposed(service) == ({library[1].id}, {library[0].id: "Anna ranks it among the best"})


async def test_a_model_that_keeps_a_photo_speaks_against_taste_and_not_against_copies(
    service: Service, anna: Voter, library: list[Photo]
) -> None:
    doubted, clear, copy, original = library[:4]
    expected = [Score(doubted.id, 0.6, 0), Score(clear.id, 0.4, 0), Score(copy.id, 0.9, 0)]
    members = (GroupMember(original.id, True, ""), GroupMember(copy.id, False, ""))
    service.store.write(scores.replace_scores, anna.id, expected)
    service.store.write(groups.replace_groups, [Group(GroupKind.COPY, members)])
    unloved(service, 1, doubted, clear)
    assert await proposed(service) == ({clear.id, copy.id}, {doubted.id: "Anna would likely keep it (60%)"})


async def test_approving_is_refused_where_somebody_wants_to_keep_it_since(
    service: Service, anna: Voter, library: list[Photo]
) -> None:
    unloved(service, 1, *library[:2])
    await proposed(service)
    rows = service.store.read(suggestions.page, 1)
    await said(service, anna, library[0], Choice.KEEP)
    with pytest.raises(TrashRefused, match=r"stays: Anna wants to keep it\. Nothing was moved"):
        await review.approve_and_apply(service, 1, [row.uid for row in rows])
    left = service.store.read(suggestions.page, 1)
    assert [row.photo.id for row in left] == [library[1].id]
    assert {row.why for row in service.store.read(held.page, 1)} == {"Anna wants to keep it"}
    assert [outcome.moved for outcome in await review.approve_and_apply(service, 1, [left[0].uid])] == [True]


async def test_in_the_shared_list_anybody_decides_and_it_counts_as_theirs(
    service: Service, anna: Voter, library: list[Photo]
) -> None:
    unloved(service, 1, *library[:2])
    unloved(service, anna, library[0])
    await proposed(service)
    await proposed(service, anna.id)
    shared = service.store.read(suggestions.page, None)
    assert sorted(row.photo.id for row in shared) == sorted(photo.id for photo in library[:2])
    assert service.store.read(suggestions.everybodys)[0] == 2
    uids = {row.photo.id: row.uid for row in shared}
    assert [o.message for o in await review.approve_and_apply(service, anna.id, [uids[library[0].id]]) if not o.moved] == []
    assert not {r.photo.id for v in (1, anna.id) for r in service.store.read(suggestions.page, v)} & {library[0].id}
    await review.dismiss(service, anna.id, [uids[library[1].id]])
    assert service.store.read(suggestions.page, None) == []
    assert service.store.read(answers.label_of, anna.id, library[1].id).keep  # type: ignore[union-attr]
    assert service.store.read(answers.label_of, 1, library[1].id) is None
    assert service.store.write(suggestions.reopen, anna.id, [uids[library[1].id]], 9.0) == 1
    assert service.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 1
    assert service.store.read(answers.label_of, anna.id, library[1].id) is None


# --- jobs --------------------------------------------------------------------------------------------------------------


async def test_every_voter_gets_suggestions_and_is_told_what_is_missing(
    service: Service, anna: Voter, library: list[Photo]
) -> None:
    unloved(service, 1, library[0])
    unloved(service, anna, library[1])
    assert (await service.jobs.run("suggest")).detail == "owner: 1 suggestions; Anna: 1 suggestions"
    with pytest.raises(NotEnoughAnswers, match=r"owner: 45 more .*; Anna: 45 more"):
        await service.jobs.run("learn")
