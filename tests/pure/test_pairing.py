"""The next pair: most informative, never worn out, near-duplicates first."""

from __future__ import annotations

import math
import random
import time
from itertools import combinations
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.models import Rating
from precious_daemon.pure import pairing, rating
from precious_daemon.pure.pairing import Candidate, choose_pair, expected_information

ratings = st.builds(Rating, st.floats(-20, 70), st.floats(0.3, 9))
groups = st.one_of(st.none(), st.integers(0, 2))


Situation = tuple[list[Candidate], set[tuple[int, int]], set[int], random.Random]


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    candidates = [Candidate(i, draw(ratings), draw(groups)) for i in range(draw(st.integers(2, 9)))]
    pairs = list(combinations(range(len(candidates)), 2))
    answered = draw(st.sets(st.sampled_from(pairs)))
    tired = draw(st.sets(st.integers(0, 9), max_size=2))
    return candidates, answered, tired, draw(st.randoms(use_true_random=False))


@given(situations())
def test_the_pair_is_two_of_the_candidates_and_new_where_any_rested_pair_is(
    situation: Situation,
) -> None:
    candidates, answered, tired, rng = situation
    pair = choose_pair(candidates, answered, tired, rng)
    assert pair is not None
    assert pair[0] != pair[1]
    assert set(pair) <= {c.photo_id for c in candidates}
    rested = [p for p in combinations(range(len(candidates)), 2) if not tired & set(p)]
    if rested:
        assert not tired & set(pair)
        assert tuple(sorted(pair)) not in answered or set(rested) <= answered


@given(st.floats(-12, 12), st.floats(0.3, 9), st.floats(0.3, 9))
def test_expected_information_is_the_mutual_information(gap: float, sigma_a: float, sigma_b: float) -> None:
    """Against the integral over the difference of the two means."""
    m, s = gap / (math.sqrt(2) * rating.BETA), math.hypot(sigma_a, sigma_b) / (math.sqrt(2) * rating.BETA)
    normal = NormalDist()

    def entropy(p: float) -> float:
        return 0.0 if not 0 < p < 1 else -(p * math.log2(p) + (1 - p) * math.log2(1 - p))

    points = [-6 + 12 * (i + 0.5) / 400 for i in range(400)]
    left = sum(normal.pdf(z) * entropy(normal.cdf(m + s * z)) for z in points) * 12 / 400
    exact = entropy(normal.cdf(m / math.sqrt(1 + s * s))) - left
    assert expected_information(Rating(gap, sigma_a), Rating(0, sigma_b)) == pytest.approx(exact, abs=0.004)


@given(ratings, ratings)
def test_information_is_never_negative_and_the_same_both_ways(a: Rating, b: Rating) -> None:
    assert 0 <= expected_information(a, b) <= 1
    assert expected_information(a, b) == pytest.approx(expected_information(b, a))


def test_unknown_equals_come_before_known_or_unequal_photos() -> None:
    candidates = [
        Candidate(1, Rating(25, 8)),
        Candidate(2, Rating(25, 8)),
        Candidate(3, Rating(25, 1)),
        Candidate(4, Rating(45, 8)),
    ]
    assert set(choose_pair(candidates, set(), set(), random.Random(0)) or ()) == {1, 2}


def test_a_photo_is_not_shown_three_times_in_a_row() -> None:
    candidates = [Candidate(1, Rating(25, 8)), *(Candidate(i, Rating(25, 2)) for i in range(2, 9))]
    rng, last, answered, run = random.Random(3), [set(), set()], set(), 0
    for _ in range(20):
        pair = choose_pair(candidates, answered, last[0] & last[1], rng)
        assert pair is not None
        run = run + 1 if 1 in pair else 0
        assert run < 3
        answered.add((min(pair), max(pair)))
        last = [set(pair), last[0]]


def test_frames_of_a_burst_meet_each_other_before_strangers() -> None:
    strangers = [Candidate(i, Rating(25, 8)) for i in range(10, 20)]
    burst = [Candidate(i, Rating(25, 8), group=7) for i in range(3)]
    rng, answered, mixed = random.Random(0), set(), []
    for _ in range(60):
        pair = choose_pair(strangers + burst, answered, set(), rng)
        assert pair is not None
        mixed.append(len(set(pair) & {0, 1, 2}) == 1)
        if not mixed[-1]:
            answered.add((min(pair), max(pair)))
    met = {photo for pair in answered if max(pair) < 3 for photo in pair}
    assert met == {0, 1, 2}
    assert mixed.index(True) > 3, "only once they have met"


def test_two_photos_that_were_compared_are_asked_again_when_there_is_nothing_else() -> None:
    pair = [Candidate(1, rating.START), Candidate(2, rating.START)]
    assert sorted(choose_pair(pair, {(1, 2)}, {1, 2}, random.Random(0)) or ()) == [1, 2]


def test_one_photo_makes_no_pair() -> None:
    assert choose_pair([Candidate(1, rating.START)], set(), set(), random.Random(0)) is None
    assert choose_pair([], set(), set(), random.Random(0)) is None


def test_left_and_right_are_chance_and_the_same_seed_gives_the_same_pair() -> None:
    candidates = [Candidate(i, rating.START) for i in range(4)]
    pairs = [choose_pair(candidates, set(), set(), random.Random(seed)) for seed in range(60)]
    assert pairs == [choose_pair(candidates, set(), set(), random.Random(seed)) for seed in range(60)]
    assert len(set(pairs)) == 12


def test_votes_on_chosen_pairs_order_the_photos_sooner_than_votes_at_random() -> None:
    def wrong_after(votes: int, chosen: bool) -> int:
        rng = random.Random(5)
        state, answered, last = [rating.START] * 24, set(), [set(), set()]
        for _ in range(votes):
            pair = (
                choose_pair([Candidate(i, r) for i, r in enumerate(state)], answered, last[0] & last[1], rng) if chosen else None
            )
            a, b = pair or rng.sample(range(24), 2)
            high, low = max(a, b), min(a, b)
            state[high], state[low] = rating.update(state[high], state[low])
            answered.add((low, high))
            last = [{a, b}, last[0]]
        return sum(state[i].mu > state[j].mu for i, j in combinations(range(24), 2))

    assert wrong_after(90, True) < 0.7 * wrong_after(90, False)


def test_a_choice_among_64_is_quick() -> None:
    rng = random.Random(0)
    candidates = [Candidate(i, Rating(rng.gauss(25, 6), rng.uniform(1, 8))) for i in range(64)]
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        choose_pair(candidates, set(), set(), rng)
        best = min(best, time.perf_counter() - start)
    assert best < 0.02, f"{best * 1000:.1f} ms"  # 3 ms on a quiet machine
    assert pairing.NEAR < 0.1


# --- more than one question --------------------------------------------------------------------------------------------


def test_near_a_border_only_photos_matter_whose_side_is_open() -> None:
    sure = [Candidate(i, Rating(10.0 + i / 10, 3.0)) for i in range(4)]
    doubtful = [Candidate(10 + i, Rating(29.0 + i, 3.0)) for i in range(3)]
    for seed in range(10):
        pair = choose_pair(sure + doubtful, set(), set(), random.Random(seed), border=30.0)
        assert set(pair or ()) <= {10, 11, 12}


@given(situations(), st.one_of(st.none(), st.floats(0, 50)))
def test_four_are_different_candidates_with_the_most_telling_pair_among_them(situation: Situation, border: float | None) -> None:
    candidates, answered, tired, rng = situation
    state = rng.getstate()
    four = pairing.choose_many(candidates, answered, tired, rng, border)
    rng.setstate(state)
    pair = choose_pair(candidates, answered, tired, rng, border)
    assert four
    assert pair
    assert set(pair) <= set(four) <= {c.photo_id for c in candidates}
    assert len(set(four)) == len(four) <= 4


def test_four_are_about_equal_and_little_known() -> None:
    known = [Candidate(i, Rating(25.0 + i, 0.8)) for i in range(10)]
    open_ones = [Candidate(20 + i, Rating(24.0 + i / 2, 6.0)) for i in range(4)]
    assert set(pairing.choose_many(known + open_ones, set(), set(), random.Random(0)) or ()) == {20, 21, 22, 23}
    assert pairing.choose_many(known[:1], set(), set(), random.Random(0)) is None


def test_smart_shuffle_takes_close_pairs_that_were_compared_least() -> None:
    tired = [Candidate(1, Rating(25.0, 3.0, 9, 9)), Candidate(2, Rating(25.1, 3.0, 9, 9))]
    fresh = [Candidate(3, Rating(20.0, 6.0, 1, 0)), Candidate(4, Rating(21.0, 6.0, 0, 1)), Candidate(5, Rating(40.0, 6.0))]
    assert set(pairing.smart_shuffle(tired + fresh, set(), set(), random.Random(0)) or ()) == {3, 4}
    assert set(pairing.smart_shuffle(tired + fresh[:2], {(3, 4)}, set(), random.Random(0)) or ()) != {3, 4}
    seen = {pairing.plain_shuffle(tired + fresh, set(), set(), random.Random(seed)) for seed in range(60)}
    assert len(seen) == 20, "either way round"
