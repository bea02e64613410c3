"""Ratings in step with the answers: replay equals incremental, undo restores, whatever was taken back and when."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon.asking import ledger
from precious_daemon.models import Answer, Choice, Question, Rating, Stamp
from precious_daemon.pure import rating
from precious_daemon.store import Database, Store, answers, changes, ratings, roots, tallies

COUNT = 7


@pytest.fixture
def db(store: Store) -> Database:
    """The writing connection, on a library of seven photos."""

    def fill(db: Database) -> Database:
        root = roots.add(db, "/photos", None, 1, 0.0)
        for number in range(COUNT):
            changes.add_still(db, root.id, f"{number}.jpg", Stamp(1, number, 1, 1), 0.0)
        return db

    return store.write(fill)


def answer(db: Database, question: Question, choice: Choice, shown: list[int]) -> Answer:
    newest = answers.newest_comparison(db, 1)
    first, second, *more = [*shown, None][: max(2, len(shown))]
    assert first
    added = answers.add(db, 1, question, choice, first, second, "rank", 0.0, None, tuple(i for i in more if i))
    ledger.apply(db, 1, added, newest)
    return added


def pair(db: Database, a: int, b: int, choice: Choice = Choice.FIRST) -> Answer:
    return answer(db, Question.PAIR, choice, [a, b])


def undo(db: Database, answer_id: int) -> None:
    newest = answers.newest_comparison(db, 1)
    if ledger.wind_back(db, 1, answers.undo(db, 1, 0.0, answer_id), newest):
        ledger.settle(db, 1, ledger.compute(db, 1))


def anew(db: Database) -> dict[int, Rating]:
    """From all votes that count."""
    return rating.replay((vote for _, vote in answers.votes(db, 1)), ratings.priors(db, 1, "import"))


def same(found: dict[int, Rating], expected: dict[int, Rating]) -> bool:
    return found.keys() == expected.keys() and all(
        (found[i].wins, found[i].losses, found[i].draws) == (r.wins, r.losses, r.draws)
        and (found[i].mu, found[i].sigma) == pytest.approx((r.mu, r.sigma), rel=1e-9)
        for i, r in expected.items()
    )


steps = st.lists(
    st.tuples(
        st.sampled_from(["pair", "pair", "four", "undo", "label", "crash"]),
        st.permutations(range(1, COUNT + 1)),
        st.sampled_from([Choice.FIRST, Choice.SECOND, Choice.DRAW, Choice.SKIP]),
        st.integers(0, 10**6),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_ratings_are_always_those_of_the_votes_that_count(
    db: Database, monkeypatch: pytest.MonkeyPatch, history: list[tuple[str, list[int], Choice, int]]
) -> None:
    """Answers, undos far back, and crashes that lose what the cache held last."""
    monkeypatch.setattr(ledger, "EVERY", 3)
    db.execute("SAVEPOINT history")
    for what, order, choice, number in history:
        if what == "pair":
            pair(db, order[0], order[1], choice)
        elif what == "four":
            answer(db, Question.FOUR, [Choice.THIRD, Choice.ORDER, Choice.DRAW, Choice.SKIP][number % 4], order[:4])
        elif what == "label":
            answer(db, Question.LABEL, Choice.KEEP, order[:1])
        elif what == "undo" and (live := answers.page(db, 1)):
            undo(db, live[number % len(live)].id)
        elif what == "crash" and (live := answers.page(db, 1)):
            # the library holds the undo, the cache nothing of it
            answers.undo(db, 1, 0.0, live[number % len(live)].id)
            assert ledger.catch_up(db, 1) == (live[number % len(live)].question in ledger.COMPARING)
        assert same(ratings.everything(db, 1), anew(db))
        assert ratings.count(db, 1) == len(anew(db))
    assert tallies.of(db, "votes", 1).get("comparisons", 0) == sum(1 for _ in answers.votes(db, 1))
    db.execute("ROLLBACK TO history")


def test_undo_restores_every_rating(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "EVERY", 4)
    rng = random.Random(0)
    for _ in range(30):
        pair(db, *rng.sample(range(1, COUNT + 1), 2))
    before = ratings.everything(db, 1)
    undo(db, pair(db, 1, 2, Choice.SECOND).id)
    assert ratings.everything(db, 1) == before


def test_few_snapshots_are_kept_however_many_votes_there_are(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "EVERY", 2)
    for number in range(300):
        pair(db, 1 + number % COUNT, 1 + (number + 1) % COUNT)
    kept = ratings.snapshots(db, 1)
    assert 5 <= len(kept) <= 12
    undo(db, 5)
    assert same(ratings.everything(db, 1), anew(db))
    assert len(ratings.snapshots(db, 1)) >= 5, "a replay leaves snapshots behind, so that the next one is quick again"


def test_answer_that_comes_while_a_replay_is_under_way_counts_once(db: Database) -> None:
    first = pair(db, 1, 2)
    pair(db, 2, 3)
    newest = answers.newest_comparison(db, 1)
    assert ledger.wind_back(db, 1, answers.undo(db, 1, 0.0, first.id), newest)
    replayed = ledger.compute(db, 1)
    second = pair(db, 3, 4)
    ledger.settle(db, 1, replayed)
    assert same(ratings.everything(db, 1), anew(db))
    assert ledger.wind_back(db, 1, answers.undo(db, 1, 0.0, second.id), answers.newest_comparison(db, 1))
    ledger.settle(db, 1, replayed)
    assert same(ratings.everything(db, 1), anew(db)), "also where what was replayed is out of date"


def test_first_vote_starts_from_the_models_guess_and_goes_on_from_it_in_every_replay(db: Database) -> None:
    ratings.put_guesses(db, 1, [(1, Rating(30.0, 6.0)), (3, Rating(20.0, 7.0))])
    first = pair(db, 1, 2)
    moved, _ = rating.update(Rating(30.0, 6.0), rating.START)
    assert ratings.many(db, 1, [1])[1] == moved
    second = pair(db, 3, 2)
    ratings.put_guesses(
        db, 1, [(1, Rating(10.0, 2.0)), (3, Rating(10.0, 2.0))]
    )  # a later model changes nothing that was voted on
    before = ratings.everything(db, 1)
    undo(db, second.id)
    assert ratings.many(db, 1, [1, 3]) == {1: moved}, "a photo without votes has no rating, only a guess"
    pair(db, 3, 2)
    assert ratings.everything(db, 1) == before
    undo(db, first.id)
    assert 1 not in ratings.everything(db, 1)


def test_votes_go_on_from_the_fit_until_one_from_before_it_is_taken_back(db: Database) -> None:
    early = [pair(db, 1, 2), pair(db, 2, 3), pair(db, 1, 3)]
    fit = {i: Rating(20.0 + i, 3.0, 1, 1, 0) for i in (1, 2, 3)}
    assert ledger.fitted(db, 1, early[-1].id, 3, fit)
    late = pair(db, 3, 1)
    three, one = rating.update(fit[3], fit[1])
    assert ratings.everything(db, 1) == {1: one, 2: fit[2], 3: three}
    undo(db, late.id)
    assert ratings.everything(db, 1) == fit
    undo(db, early[0].id)
    assert same(ratings.everything(db, 1), anew(db)), "until the next fit"


def test_fit_of_votes_that_were_taken_back_meanwhile_is_not_used(db: Database) -> None:
    first, second = pair(db, 1, 2), pair(db, 2, 3)
    undo(db, first.id)
    assert not ledger.fitted(db, 1, second.id, 2, {1: rating.START})
    assert same(ratings.everything(db, 1), anew(db))
