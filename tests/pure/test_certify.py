"""The certificate: its promise kept over simulated owners, exact tails, holes, words."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon.certify import SUBJECTS, Audit, Draw, certify, clean_pass, counted, judge, pool, tail
from precious_daemon.models import Group, GroupKind, GroupMember, Score


def answered(kept: list[bool | None], keeps: list[float] | None = None) -> list[Draw]:
    keeps = keeps or [i / (2 * len(kept)) for i in range(len(kept))]
    return [Draw(keep, answer) for keep, answer in zip(keeps, kept, strict=True)]


def keeps_of(draws: list[Draw]) -> list[float]:
    return [draw.keep for draw in draws]


@pytest.mark.parametrize(("alpha", "answers"), [(0.05, 59), (0.13, 22), (0.02, 149)])
def test_a_clean_pass_takes_as_many_answers_as_the_binomial_says(alpha: float, answers: int) -> None:
    assert clean_pass(alpha, 0.95) == answers
    assert (1 - alpha) ** answers <= 0.05 < (1 - alpha) ** (answers - 1)


@given(st.integers(1, 150), st.integers(0, 150), st.floats(0.001, 0.5))
def test_the_tail_is_the_naive_sum(answers: int, mistakes: int, alpha: float) -> None:
    naive = sum(math.comb(answers, k) * alpha**k * (1 - alpha) ** (answers - k) for k in range(min(mistakes, answers) + 1))
    assert tail(mistakes, answers, alpha) == pytest.approx(naive, rel=1e-9)


def test_59_answers_without_a_mistake_certify_five_percent() -> None:
    draws = answered([False] * 59 + [None] * 155)
    verdict = certify(draws, 0.05, 0.95, keeps_of(draws))
    assert verdict.certificate is not None
    assert verdict.needed == 0
    assert verdict.certificate.threshold == max(keeps_of(draws))
    assert verdict.certificate.candidates == 214
    assert verdict.sentence == (
        "At most 5 % of these 214 suggestions are photos you would keep (95 % sure; 59 blind answers, 0 mistakes). "
        "One more mistake would suspend it for 33 answers without another."
    )


def test_the_owner_is_told_how_many_answers_are_missing() -> None:
    verdict = certify(answered([False] * 36 + [None] * 64), 0.05, 0.95, [])
    assert (verdict.certificate, verdict.needed) == (None, 23)
    assert verdict.sentence == (
        "Not certified yet: 23 more answers are needed if none is a mistake. "
        "One mistake first and these suggestions cannot be certified any more."
    )


@given(st.lists(st.sampled_from([True, False, False, False, None]), max_size=120), st.randoms(use_true_random=False))
def test_what_is_needed_is_enough_and_one_less_is_not(kept: list[bool | None], rng: random.Random) -> None:
    keeps = [rng.random() for _ in kept]
    verdict = certify(answered(kept, keeps), 0.2, 0.9, keeps)
    if not verdict.needed:
        return
    at = kept.index(None)

    def after(more: int) -> bool:
        return (
            certify(answered(kept[:at] + [False] * more + [None] * (len(kept) - at - more), keeps), 0.2, 0.9, keeps).needed == 0
        )

    assert after(verdict.needed)
    assert not after(verdict.needed - 1)


def test_what_one_more_mistake_would_do_is_what_it_does() -> None:
    draws = answered([False] * 200 + [None] * 200)
    said = certify(draws, 0.05, 0.95, keeps_of(draws)).sentence
    assert said.endswith("One more mistake would leave it in force.")
    mistaken = answered([False] * 200 + [True] + [None] * 199)
    assert certify(mistaken, 0.05, 0.95, keeps_of(mistaken)).certificate is not None
    for clean in (32, 33):  # 59 clean ones, a mistake, and so many more
        suspended = answered([False] * 59 + [True] + [False] * clean + [None] * 200)
        assert (certify(suspended, 0.05, 0.95, keeps_of(suspended)).certificate is not None) == (clean == 33)


def test_a_pool_too_small_to_certify_says_so() -> None:
    verdict = certify(answered([False] * 40), 0.05, 0.95, [0.1] * 40)
    assert (verdict.certificate, verdict.needed) == (None, None)
    assert verdict.sentence == "Only 40 suggestions rest on the model alone: too few to certify, which takes 59 blind answers."
    assert "No suggestion rests" in certify([], 0.05, 0.95, []).sentence


def test_a_pool_that_failed_for_good_says_so() -> None:
    draws = answered([True] + [False] * 70)
    verdict = certify(draws, 0.05, 0.95, keeps_of(draws))
    assert (verdict.certificate, verdict.needed) == (None, None)
    assert "You would keep 1 of the 71 photos" in verdict.sentence


def test_answers_after_a_hole_do_not_count() -> None:
    draws = answered([False] * 30 + [None] + [False] * 100)
    assert certify(draws, 0.05, 0.95, keeps_of(draws)).needed == 29


def test_mistakes_after_the_pass_withhold_the_certificate() -> None:
    draws = answered([False] * 59 + [True] * 2 + [None] * 200)
    verdict = certify(draws, 0.05, 0.95, keeps_of(draws))
    assert verdict.certificate is None
    assert verdict.needed is not None
    assert tail(2, 61 + verdict.needed, 0.05) <= 0.05 < tail(2, 60 + verdict.needed, 0.05)


def test_a_strict_part_of_a_mixed_pool_is_certified_at_a_later_look() -> None:
    rng = random.Random(4)
    keeps = [rng.random() / 2 for _ in range(2000)]
    draws = [Draw(k, (k > 0.45) if i < 300 else None) for i, k in enumerate(keeps)]
    verdict = certify(draws, 0.05, 0.95, keeps)
    assert verdict.certificate is not None
    assert verdict.certificate.errors == 0
    assert 0.3 < verdict.certificate.threshold <= 0.45
    assert verdict.certificate.candidates == sum(k <= verdict.certificate.threshold for k in keeps)


def test_bursts_are_counted_as_one_in_the_sentence() -> None:
    draws = answered([False] * 59)
    assert "a burst counting as one" in certify(draws, 0.05, 0.95, [0.1] * 70).sentence


def test_the_promise_holds_however_often_one_looks() -> None:
    """Owners with a mistake rate just above alpha at every threshold, asked again after each few answers."""
    alpha, confidence, size, owners = 0.2, 0.9, 200, 300
    keeps = sorted(random.Random(0).random() / 2 for _ in range(size))
    owner = [Draw(keep, place % 5 == 0) for place, keep in enumerate(keeps)]
    assert all(sum(bool(d.kept) for d in owner[: n + 1]) > alpha * n for n in range(size))
    broken = 0
    for seed in range(owners):
        draws = random.Random(seed).sample(owner, size)
        looks = [
            [d if i < n else Draw(d.keep, None) for i, d in enumerate(draws)] for n in (11, 15, 20, 30, 44, 60, 100, 176, 200)
        ]
        broken += any(certify(look, alpha, confidence, keeps).certificate is not None for look in looks)
    allowed = (1 - confidence) * owners
    assert broken <= allowed + 3 * math.sqrt(allowed * confidence)


def test_a_good_model_is_certified_most_of_the_time() -> None:
    passed = 0
    for seed in range(200):
        rng = random.Random(seed)
        draws = [Draw(rng.random() / 2, rng.random() < 0.005 if i < 59 else None) for i in range(400)]
        passed += certify(draws, 0.05, 0.95, keeps_of(draws)).certificate is not None
    assert passed > 120


@settings(max_examples=50)
@given(
    st.lists(st.floats(0, 1), max_size=30),
    st.lists(st.sets(st.integers(0, 29), min_size=2, max_size=5), max_size=8),
)
def test_a_pool_holds_each_candidate_once_and_groups_together(keeps: list[float], sets: list[set[int]]) -> None:
    scores = [Score(i, keep, 0.0) for i, keep in enumerate(keeps)]
    groups = [Group(GroupKind.BURST, tuple(GroupMember(i, False, "") for i in sorted(s))) for s in sets]
    draws = pool(scores, groups)
    candidates = {i for i, keep in enumerate(keeps) if keep <= 0.5}
    assert sorted(photo for draw in draws for photo in draw) == sorted(candidates)
    place = {photo: n for n, draw in enumerate(draws) for photo in draw}
    for members in sets:
        assert len({place[i] for i in members & candidates}) <= 1


# --- a new model, an old pool ---------------------------------------------------------------------------------------------


def test_what_a_model_was_taught_or_would_not_suggest_says_nothing_of_it() -> None:
    taught = [Audit(0.1, False, taught=True), Audit(0.2, None, taught=True)]
    found = counted([Audit(0.1, False), Audit(0.9, True), *taught, Audit(0.2, None)])
    assert found.draws == [Draw(0.1, False), Draw(0.2, None)]
    assert (found.gone, found.size) == (0, 2)


def test_kept_on_review_is_a_mistake_and_let_go_leaves_unless_it_was_asked_about() -> None:
    found = counted([Audit(0.1, None, said=True), Audit(0.1, None, said=False), Audit(0.1, False, said=False)])
    assert found.draws == [Draw(0.1, True), Draw(0.1, False)]
    assert (found.gone, found.size) == (2, 3)


def test_letting_go_by_hand_narrows_the_promise_to_what_is_left() -> None:
    asked, rest = [Audit(0.1, False)] * 59, [Audit(0.1, None)] * 141
    assert judge([*asked, *rest], 0.05, 0.95).certificate is not None
    verdict = judge([*asked, *[Audit(0.1, None, said=False)] * 20, *rest[20:]], 0.05, 0.95)
    assert verdict.certificate is None
    assert verdict.needed == clean_pass(0.045, 0.95) - 59
    assert "you let 20 go by hand" in verdict.sentence
    gone = judge([Audit(0.1, False, said=False)] * 60, 0.05, 0.95, SUBJECTS["copy"])
    assert (gone.certificate, gone.needed) == (None, None)
    assert gone.sentence == "All of these exact copies were let go by hand: none is left to certify."


def test_each_kind_is_called_by_its_name() -> None:
    said = judge([Audit(0.0, False, photos=2)] * 59, 0.05, 0.95, SUBJECTS["burst"]).sentence
    assert said.startswith("At most 5 % of these 118 weaker frames are photos you would keep, a burst counting as one (")
    assert judge([Audit(0.0, None)] * 12, 0.05, 0.95, SUBJECTS["copy"]).sentence.startswith(
        "Only 12 groups of exact copies are suggested: too few to certify, which takes 59 blind answers."
    )
    assert "No picture saved again is suggested" in judge([], 0.05, 0.95, SUBJECTS["same"]).sentence


@pytest.mark.parametrize("reviewed", [0.0, 0.4])
def test_the_promise_holds_for_a_model_that_was_taught_by_reviews_of_an_audited_pool(reviewed: float) -> None:
    """An owner whose list is just not good enough answers blindly, reviews a part, and the next model learns from that.

    It knows what it was taught, so that among the photos it is surest of those that were asked about and let go are many. They
    may not speak for it. The promise is about what it suggests and was not told.
    """
    alpha, confidence, size, owners = 0.2, 0.9, 200, 200
    broken = 0
    for seed in range(owners):
        rng = random.Random(seed)
        wrong = [n < alpha * size + 1 for n in range(size)]
        rng.shuffle(wrong)
        blind = [wrong[n] if n < 60 else None for n in range(size)]
        taught = [blind[n] is not True and rng.random() < reviewed for n in range(size)]
        keeps = [(0.45 if wrong[n] else 0.05) if taught[n] else 0.1 + 0.3 * rng.random() for n in range(size)]
        verdict = judge([Audit(*known) for known in zip(keeps, blind, [None] * size, taught, strict=True)], alpha, confidence)
        if verdict.certificate:
            listed = [wrong[n] for n in range(size) if not taught[n] and keeps[n] <= verdict.certificate.threshold]
            broken += sum(listed) > alpha * len(listed)
    allowed = (1 - confidence) * owners
    assert broken <= allowed + 3 * math.sqrt(allowed * confidence)
