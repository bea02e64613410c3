"""TrueSkill: the closed form against the package, far tails, replay, an order of many."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import mpmath
import pytest
import trueskill
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon.models import Lineup, Rating, Vote
from precious_daemon.pure import rating

NORMAL = NormalDist()
EXACT = trueskill.TrueSkill(
    rating.MU, rating.SIGMA, rating.BETA, rating.TAU, rating.DRAW_PROBABILITY,
    backend=(mpmath.ncdf, mpmath.npdf, lambda p: NORMAL.inv_cdf(float(p))),
)  # fmt: skip

ratings = st.builds(Rating, st.floats(-60, 110), st.floats(0.5, 10))


def by_package(winner: Rating, loser: Rating, draw: bool) -> list[tuple[float, float]]:
    with mpmath.workdps(60):
        players = [(trueskill.Rating(r.mu, r.sigma),) for r in (winner, loser)]
        rated = EXACT.rate(players, ranks=[0, 0 if draw else 1])
        return [(float(r.mu), float(r.sigma)) for (r,) in rated]


@settings(deadline=None)
@given(ratings, ratings, st.booleans())
def test_a_vote_moves_both_ratings_as_the_package_does(winner: Rating, loser: Rating, draw: bool) -> None:
    for ours, theirs in zip(rating.update(winner, loser, draw=draw), by_package(winner, loser, draw), strict=True):
        assert (ours.mu, ours.sigma) == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("gap", [200.0, 500.0, 2000.0, 1e5])
@pytest.mark.parametrize("draw", [True, False])
def test_an_upset_beyond_floating_point_tails_stays_exact(gap: float, draw: bool) -> None:
    low, high = Rating(25 - gap, 2.0), Rating(25.0, 1.0)
    for ours, theirs in zip(rating.update(low, high, draw=draw), by_package(low, high, draw), strict=True):
        assert (ours.mu, ours.sigma) == pytest.approx(theirs, rel=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.01, 20), st.floats(0.01, 20), st.booleans())
def test_every_vote_gives_finite_ratings_that_moved_the_right_way(a: float, b: float, s: float, t: float, draw: bool) -> None:
    winner, loser = rating.update(Rating(a, s), Rating(b, t), draw=draw)
    assert all(math.isfinite(x) for x in (winner.mu, loser.mu))
    assert winner.sigma > 0
    assert loser.sigma > 0
    if not draw:
        assert winner.mu >= a
        assert loser.mu <= b
    elif a != b:
        assert (winner.mu - a) * (b - a) >= 0


def test_the_draw_margin_belongs_to_the_draw_probability() -> None:
    quantile = NORMAL.inv_cdf((rating.DRAW_PROBABILITY + 1) / 2)
    assert pytest.approx(quantile * math.sqrt(2) * rating.BETA, abs=1e-12) == rating.DRAW_MARGIN


def test_wins_losses_and_draws_are_counted() -> None:
    a, b = rating.update(rating.START, rating.START)
    a, b = rating.update(b, a, draw=True)
    assert (a.wins, a.losses, a.draws, b.wins, b.losses, b.draws) == (0, 1, 1, 1, 0, 1)


@given(st.lists(st.tuples(st.permutations(range(6)), st.booleans()), max_size=40))
def test_replay_is_update_vote_by_vote(history: list[tuple[list[int], bool]]) -> None:
    votes = [Vote(order[0], order[1], draw) for order, draw in history]
    start = {0: Rating(31.0, 4.0, 2, 1, 0)}
    one_by_one = dict(start)
    for vote in votes:
        pair = (one_by_one.get(vote.winner, rating.START), one_by_one.get(vote.loser, rating.START))
        one_by_one[vote.winner], one_by_one[vote.loser] = rating.update(*pair, draw=vote.draw)
    replayed = rating.replay(votes, start)
    assert replayed.keys() == one_by_one.keys()
    for photo, expected in one_by_one.items():
        got = replayed[photo]
        assert (got.mu, got.sigma) == pytest.approx((expected.mu, expected.sigma), rel=1e-9)
        assert (got.wins, got.losses, got.draws) == (expected.wins, expected.losses, expected.draws)


def test_replay_finds_the_order_that_the_votes_came_from() -> None:
    rng = random.Random(1)
    votes = []
    for _ in range(4000):
        a, b = rng.sample(range(30), 2)
        votes.append(Vote(max(a, b), min(a, b), False))
    found = rating.replay(votes)
    order = sorted(found, key=lambda photo: found[photo].mu)
    assert max(abs(place - photo) for place, photo in enumerate(order)) <= 2


def test_an_order_of_two_is_a_vote() -> None:
    pair = Rating(27.0, 5.0), Rating(24.0, 3.0)
    for draw in (False, True):
        for ours, voted in zip(rating.update_many(pair, draw=draw), rating.update(*pair, draw=draw), strict=True):
            assert (ours.mu, ours.sigma) == pytest.approx((voted.mu, voted.sigma), rel=1e-9)
            assert (ours.wins, ours.losses, ours.draws) == (voted.wins, voted.losses, voted.draws)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.builds(Rating, st.floats(5, 45), st.floats(0.5, 9)), min_size=3, max_size=5), st.booleans())
def test_an_order_or_a_draw_of_many_agrees_with_the_package(order: list[Rating], draw: bool) -> None:
    groups = [(trueskill.Rating(r.mu, r.sigma),) for r in order]
    theirs = EXACT.rate(groups, ranks=[0] * len(order) if draw else None, min_delta=1e-12)
    for ours, (expected,) in zip(rating.update_many(order, draw=draw), theirs, strict=True):
        assert (ours.mu, ours.sigma) == pytest.approx((float(expected.mu), float(expected.sigma)), abs=1e-5)


def test_the_best_of_four_moves_up_and_the_others_down_alike() -> None:
    best, *others = rating.update_many([rating.START] * 4, ordered=False)
    assert best.mu > rating.MU > others[0].mu
    assert len({(r.mu.__round__(6), r.sigma.__round__(6)) for r in others}) == 1, "nothing was said of them"
    assert (best.wins, best.losses, others[0].wins, others[0].losses) == (3, 0, 0, 1)
    ordered = rating.update_many([rating.START] * 4)
    assert sum(r.sigma for r in ordered) < best.sigma + sum(r.sigma for r in others), "a full order says more"


def test_an_order_against_all_expectation_does_not_break() -> None:
    order = [Rating(-400.0 + 200 * i, 1.0) for i in range(4)]
    for ordered in (True, False):
        assert all(math.isfinite(r.mu) and r.sigma > 0 for r in rating.update_many(order, ordered=ordered))


@given(st.lists(st.tuples(st.permutations(range(6)), st.integers(2, 4), st.booleans(), st.booleans()), max_size=15))
def test_replay_takes_answers_about_several_as_they_were_taken(history: list[tuple[list[int], int, bool, bool]]) -> None:
    lineups = [Lineup(tuple(order[:count]), ordered, draw) for order, count, ordered, draw in history]
    state: dict[int, Rating] = {}
    for lineup in lineups:
        known = [state.get(i, rating.START) for i in lineup.photos]
        state |= dict(zip(lineup.photos, rating.update_many(known, ordered=lineup.ordered, draw=lineup.draw), strict=True))
    replayed = rating.replay(lineups)
    assert replayed.keys() == state.keys()
    for photo, expected in state.items():
        assert (replayed[photo].mu, replayed[photo].sigma) == pytest.approx((expected.mu, expected.sigma), rel=1e-9)
        assert (replayed[photo].wins, replayed[photo].draws) == (expected.wins, expected.draws)


# --- until the top is steady -------------------------------------------------------------------------------------------


def test_a_top_that_is_clear_needs_no_answers() -> None:
    clear = [Rating(40 + i, 0.5) for i in range(5)] + [Rating(20 - i / 9, 0.5) for i in range(50)]
    assert rating.answers_until_steady(clear, 0, 5) == 0
    assert rating.answers_until_steady(clear[:5], 0, 5) == 0, "where all are in the top"
    assert rating.answers_until_steady([], 0, 5) == 0
    sure = [Rating(20 + i / 3, 0.004) for i in range(150)]  # as a ranking from elsewhere may say
    assert rating.answers_until_steady(sure, 0, 5) == 0


def test_photos_that_nobody_saw_need_several_looks_each() -> None:
    assert 200 < rating.answers_until_steady([], 100, 10) < 2000
    assert rating.answers_until_steady([], 200, 10) > rating.answers_until_steady([], 100, 10)


@settings(max_examples=50, deadline=None)
@given(st.lists(ratings, max_size=20), st.integers(0, 50), st.integers(1, 10))
def test_the_estimate_is_a_number_for_any_ratings(known: list[Rating], unknown: int, top: int) -> None:
    assert rating.answers_until_steady(known, unknown, top) >= 0


def test_estimate_and_answers_given_add_up_to_about_the_same_all_the_way() -> None:
    owner, count = random.Random(4), 60
    taste = [owner.gauss(0, 1) for _ in range(count)]
    known = [rating.START] * count
    sums = []
    for given_so_far in range(401):
        if given_so_far in (100, 200, 300):
            sums.append(given_so_far + rating.answers_until_steady(known, 0, 10))
        a = max(range(count), key=lambda i: (known[i].sigma, owner.random()))
        b = min((i for i in range(count) if i != a), key=lambda i: abs(known[i].mu - known[a].mu) - known[i].sigma)
        if owner.random() > 1 / (1 + math.exp(-3.4 * (taste[a] - taste[b]))):
            a, b = b, a
        known[a], known[b] = rating.update(known[a], known[b])
    assert max(sums) < 2 * min(sums)
