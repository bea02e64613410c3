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

from precious_daemon import pairing, rating
from precious_daemon.models import Rating
from precious_daemon.pairing import Candidate, choose_pair, expected_information

ratings = st.builds(Rating, st.floats(-20, 70), st.floats(0.3, 9))
groups = st.one_of(st.none(), st.integers(0, 2))


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Candidate], set[tuple[int, int]], list[int], random.Random]:
    candidates = [Candidate(i, draw(ratings), draw(groups)) for i in range(draw(st.integers(2, 9)))]
    pairs = list(combinations(range(len(candidates)), 2))
    answered = draw(st.sets(st.sampled_from(pairs)))
    recent = draw(st.lists(st.integers(0, 9), max_size=4))
    return candidates, answered, recent, draw(st.randoms(use_true_random=False))


@given(situations())
def test_the_pair_is_two_of_the_candidates_and_new_where_any_rested_pair_is(
    situation: tuple[list[Candidate], set[tuple[int, int]], list[int], random.Random],
) -> None:
    candidates, answered, recent, rng = situation
    pair = choose_pair(candidates, answered, recent, rng)
    assert pair is not None
    assert pair[0] != pair[1]
    assert set(pair) <= {c.photo_id for c in candidates}
    tired = set(recent[:2]) & set(recent[2:4])
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
    assert set(choose_pair(candidates, set(), [], random.Random(0)) or ()) == {1, 2}


def test_a_photo_is_not_shown_three_times_in_a_row() -> None:
    candidates = [Candidate(1, Rating(25, 8)), *(Candidate(i, Rating(25, 2)) for i in range(2, 9))]
    rng, recent, answered, run = random.Random(3), [], set(), 0
    for _ in range(20):
        pair = choose_pair(candidates, answered, recent, rng)
        assert pair is not None
        run = run + 1 if 1 in pair else 0
        assert run < 3
        answered.add((min(pair), max(pair)))
        recent = [*pair, *recent[:2]]


def test_frames_of_a_burst_meet_each_other_before_strangers() -> None:
    strangers = [Candidate(i, Rating(25, 8)) for i in range(10, 20)]
    burst = [Candidate(i, Rating(25, 3), group=7) for i in range(3)]
    rng, answered = random.Random(0), set()
    for _ in range(2):
        pair = choose_pair(strangers + burst, answered, [], rng)
        assert pair is not None
        assert set(pair) <= {0, 1, 2}
        answered.add((min(pair), max(pair)))
    assert set(choose_pair(strangers + burst, answered, [], rng) or ()) <= set(range(10, 20))


def test_two_photos_that_were_compared_are_asked_again_when_there_is_nothing_else() -> None:
    pair = [Candidate(1, rating.START), Candidate(2, rating.START)]
    assert sorted(choose_pair(pair, {(1, 2)}, [1, 2, 2, 1], random.Random(0)) or ()) == [1, 2]


def test_one_photo_makes_no_pair() -> None:
    assert choose_pair([Candidate(1, rating.START)], set(), [], random.Random(0)) is None
    assert choose_pair([], set(), [], random.Random(0)) is None


def test_left_and_right_are_chance_and_the_same_seed_gives_the_same_pair() -> None:
    candidates = [Candidate(i, rating.START) for i in range(4)]
    pairs = [choose_pair(candidates, set(), [], random.Random(seed)) for seed in range(60)]
    assert pairs == [choose_pair(candidates, set(), [], random.Random(seed)) for seed in range(60)]
    assert len(set(pairs)) == 12


def test_votes_on_chosen_pairs_order_the_photos_sooner_than_votes_at_random() -> None:
    def wrong_after(votes: int, chosen: bool) -> int:
        rng = random.Random(5)
        state, answered, recent = [rating.START] * 24, set(), []
        for _ in range(votes):
            pair = choose_pair([Candidate(i, r) for i, r in enumerate(state)], answered, recent, rng) if chosen else None
            a, b = pair or rng.sample(range(24), 2)
            high, low = max(a, b), min(a, b)
            state[high], state[low] = rating.update(state[high], state[low])
            answered.add((low, high))
            recent = [a, b, *recent[:2]]
        return sum(state[i].mu > state[j].mu for i, j in combinations(range(24), 2))

    assert wrong_after(90, True) < 0.7 * wrong_after(90, False)


def test_a_choice_among_64_is_quick() -> None:
    rng = random.Random(0)
    candidates = [Candidate(i, Rating(rng.gauss(25, 6), rng.uniform(1, 8))) for i in range(64)]
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        choose_pair(candidates, set(), [], rng)
        best = min(best, time.perf_counter() - start)
    assert best < 0.02, f"{best * 1000:.1f} ms"  # 3 ms on a quiet machine
    assert pairing.NEAR < 0.1
