"""The certificate: its promise kept over simulated owners, exact chances, holes, words."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon.models import Group, GroupKind, GroupMember, Score
from precious_daemon.pure.certify import SUBJECTS, Audit, Draw, Verdict, certify, counted, looks, pool, tail, worst


def answered(kept: Sequence[bool | None], keep: float = 0.1) -> list[Draw]:
    """One set: nothing tells its draws apart."""
    return [Draw(keep, answer) for answer in kept]


def asked_on(
    draws: list[Draw], owner: Sequence[bool], answers: int, alpha: float = 0.05, sure: float = 0.95, watch: bool = False
) -> list[Verdict]:
    """What is said after each of so many answers, asked for in the order in which it asks for them."""
    said = [certify(draws, alpha, sure)]
    while len(said) <= answers and (said[-1].needed or watch) and (asking := said[-1].asking) is not None:
        at = next(i for i, draw in enumerate(draws) if draw.kept is None and draw.keep <= asking)
        draws[at] = Draw(draws[at].keep, owner[at])
        said.append(certify(draws, alpha, sure))
    return said


# --- one set -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.data())
def test_the_tail_is_the_naive_sum(size: int, data: st.DataObject) -> None:
    bad, answers, mistakes = (data.draw(st.integers(0, size)) for _ in range(3))
    ways = (math.comb(bad, k) * math.comb(size - bad, answers - k) for k in range(min(mistakes, answers) + 1))
    assert tail(mistakes, answers, bad, size) == pytest.approx(sum(ways) / math.comb(size, answers), abs=1e-9)


@given(st.integers(1, 400), st.floats(0.01, 0.4), st.floats(0.01, 0.3))
def test_looks_come_later_the_more_mistakes_they_allow_and_each_is_a_test_of_its_own(
    size: int, alpha: float, risk: float
) -> None:
    bad = worst(alpha, size)
    found = looks(size, bad, risk)
    assert [mistakes for _, mistakes in found] == list(range(len(found)))
    assert [n for n, _ in found] == sorted({n for n, _ in found})
    assert all(tail(mistakes, n, bad, size) <= risk for n, mistakes in found)


def test_all_looks_together_pass_what_breaks_the_promise_as_seldom_as_they_may() -> None:
    size, bad, rng, passed, tried = 120, worst(0.1, 120), random.Random(3), 0, 4000
    assert bad == 13
    planned = looks(size, bad, 0.1)
    for _ in range(tried):
        owner = [True] * bad + [False] * (size - bad)
        rng.shuffle(owner)
        passed += any(sum(owner[:n]) <= mistakes for n, mistakes in planned)
    noise = 3 * math.sqrt(0.1 * 0.9 / tried)
    assert 0.1 - 0.03 - noise < passed / tried <= 0.1 + noise  # nearly all of the risk is made use of


def test_the_smaller_the_set_the_fewer_answers_it_takes() -> None:
    clean = [looks(size, worst(0.05, size), 0.05)[0][0] for size in (40, 100, 400, 100_000)]
    assert clean == [27, 43, 59, 67]
    assert 0.95**66 > 0.05 * 2 / 3 >= 0.95**67


# --- the pool ------------------------------------------------------------------------------------------------------------


def test_clean_answers_certify_the_surest_first_and_then_more_and_more() -> None:
    rng = random.Random(1)
    draws = [Draw(rng.random() / 2, None) for _ in range(400)]
    said = asked_on(draws, [False] * 400, 400)
    certified = [verdict.certificate.candidates if verdict.certificate else 0 for verdict in said]
    assert certified == sorted(certified)
    assert [certified.index(size) for size in (100, 142, 200, 283, 400)] == [43, 52, 73, 89, 108]
    assert (said[-1].needed, len(said)) == (0, 109)


def test_a_certificate_is_watched_and_lost_when_the_owner_changes_their_mind() -> None:
    draws = answered([None] * 200)
    said = asked_on(draws, [n >= 60 for n in range(200)], 200, watch=True)
    assert [bool(one.certificate) for one in (said[52], said[60], said[61])] == [True, True, False]
    assert [one.needed for one in (said[52], said[60], said[61])] == [0, 0, 11]
    assert (said[-1].needed, said[-1].asking) == (None, None)


def test_the_owner_is_told_what_is_certified_and_what_is_next() -> None:
    rng = random.Random(1)
    draws = [Draw(rng.random() / 2, None) for _ in range(200)]
    said = [verdict.sentence for verdict in asked_on(draws, [False] * 200, 200)]
    assert said[0] == (
        "Not certified yet: 43 more answers would certify the surest 100 if none is a mistake. "
        "One mistake first would make it 64."
    )
    assert said[43] == (
        "At most 5 % of the 100 certified photos are ones you would keep (95 % sure; 43 blind answers, 0 mistakes). "
        "One more mistake would suspend it for 14 answers without another. "
        "12 more answers would certify 142 if none is a mistake."
    )
    assert said[70].endswith(" 1 more answer would certify 200 if none is a mistake.")
    assert said[71].startswith("At most 5 % of the 200 certified photos are ones you would keep (95 % sure; 52 blind ")
    assert said[71].endswith(" without another.")


def test_a_mistake_on_the_way_takes_more_answers_and_no_more_than_was_said() -> None:
    draws = answered([None] * 100)
    said = asked_on(draws, [n == 10 for n in range(100)], 100)
    assert said[0].sentence.endswith("One mistake first would make it 64.")
    assert next(n for n, verdict in enumerate(said) if verdict.certificate) == 64
    assert said[20].sentence.endswith("You would keep 1 of the 20 photos asked about blindly.")
    assert said[64].certificate
    assert (said[64].certificate.audits, said[64].certificate.errors) == (64, 1)


@given(st.lists(st.sampled_from([True, False, False, False, None]), max_size=120))
def test_what_is_needed_is_enough_and_one_less_is_not(kept: list[bool | None]) -> None:
    draws = answered(kept)
    verdict = certify(draws, 0.2, 0.9)
    if not verdict.needed:
        return
    assert verdict.asking is not None
    said = asked_on(list(draws), [False] * len(draws), verdict.needed, 0.2, 0.9)
    assert [one.needed for one in said] == list(range(verdict.needed, -1, -1))


def test_what_one_more_mistake_would_do_is_what_it_does() -> None:
    draws = answered([False] * 59 + [None] * 341)
    assert "One more mistake would suspend it for 22 answers without another." in certify(draws, 0.05, 0.95).sentence
    for clean in (21, 22):
        suspended = answered([False] * 59 + [True] + [False] * clean + [None] * (340 - clean))
        assert (certify(suspended, 0.05, 0.95).certificate is not None) == (clean == 22)
    assert "One more mistake would leave it in force." in certify(answered([False] * 200 + [None] * 200), 0.05, 0.95).sentence
    assert certify(answered([False] * 200 + [True] + [None] * 199), 0.05, 0.95).certificate is not None


def test_a_pool_of_which_each_would_have_to_be_asked_about_says_so() -> None:
    verdict = certify(answered([None] * 12), 0.05, 0.95)
    assert (verdict.certificate, verdict.needed, verdict.asking) == (None, None, None)
    assert verdict.sentence == "Only 12 suggestions rest on the model alone: too few to certify, look at each of them."
    assert certify([], 0.05, 0.95).sentence == "No suggestion rests on the model alone."


def test_a_pool_that_failed_for_good_says_so() -> None:
    verdict = certify(answered([True] * 6 + [False] * 70 + [None] * 24), 0.05, 0.95)
    assert (verdict.certificate, verdict.needed, verdict.asking) == (None, None, None)
    assert "You would keep 6 of the 76 photos" in verdict.sentence
    assert "cannot be certified any more" in verdict.sentence


def test_answers_after_a_hole_do_not_count() -> None:
    draws = answered([False] * 30 + [None] + [False] * 11 + [None] * 58)
    verdict = certify(draws, 0.05, 0.95)
    assert (verdict.certificate, verdict.needed) == (None, 2)  # the hole, and the 43rd


def test_mistakes_after_the_pass_withhold_the_certificate() -> None:
    verdict = certify(answered([False] * 43 + [True] * 2 + [None] * 55), 0.05, 0.95)
    assert verdict.certificate is None
    assert verdict.needed is not None
    assert tail(2, 45 + verdict.needed, 6, 100) <= 0.05 < tail(2, 44 + verdict.needed, 6, 100)


def test_the_sure_part_of_a_mixed_pool_is_certified_and_no_more() -> None:
    rng = random.Random(4)
    keeps = [rng.random() / 2 for _ in range(800)]
    last = asked_on([Draw(keep, None) for keep in keeps], [keep > 0.3 for keep in keeps], 200)[-1]
    assert last.certificate is not None
    assert last.certificate.candidates == 400
    assert last.certificate.errors == 0


def test_bursts_are_counted_as_one_in_the_sentence() -> None:
    draws = [Draw(0.1, False, photos=1 + n % 2) for n in range(60)]
    said = certify(draws, 0.05, 0.95).sentence
    assert said.startswith("At most 5 % of the 90 certified photos are ones you would keep, a burst counting as one (")


@pytest.mark.parametrize("kind", ["one set", "nested"])
def test_the_promise_holds_however_often_one_looks(kind: str) -> None:
    """Owners with a mistake rate just above alpha at every threshold, looked at after each answer."""
    alpha, confidence, size, owners = 0.2, 0.9, 160, 250
    broken = 0
    for seed in range(owners):
        rng = random.Random(seed)
        owner = [(n / 400 if kind == "nested" else 0.1, n % 5 == 0 or n == 1) for n in range(size)]
        rng.shuffle(owner)
        draws = [Draw(keep, None) for keep, _ in owner]
        broken += any(v.certificate for v in asked_on(draws, [wrong for _, wrong in owner], size, alpha, confidence))
    allowed = (1 - confidence) * owners
    assert broken <= allowed + 3 * math.sqrt(allowed * confidence)


def test_a_good_model_is_certified_within_a_hundred_answers() -> None:
    passed = 0
    for seed in range(100):
        rng = random.Random(seed)
        keeps = [rng.random() / 2 for _ in range(400)]
        owner = [rng.random() < (0.01 if keep < 0.3 else 0.2) for keep in keeps]
        passed += any(v.certificate for v in asked_on([Draw(keep, None) for keep in keeps], owner, 100))
    assert passed > 95


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
    assert found == [Draw(0.1, False), Draw(0.2, None)]


def test_kept_on_review_is_a_mistake_and_let_go_is_not_asked_about_any_more() -> None:
    found = counted([Audit(0.1, None, said=True), Audit(0.1, None, said=False), Audit(0.1, False, said=False)])
    assert found == [Draw(0.1, True), Draw(0.1, None, gone=True), Draw(0.1, False, gone=True)]
    draws = [Draw(0.1, None, gone=True)] * 20 + answered([False] * 60 + [None] * 20)
    assert "60 blind answers" in certify(draws, 0.05, 0.95).sentence


def test_letting_go_by_hand_narrows_the_promise_to_what_is_left() -> None:
    asked, rest, gone = answered([False] * 43), answered([None] * 57), [Draw(0.1, None, gone=True)]
    assert certify([*asked, *rest], 0.05, 0.95).certificate is not None
    verdict = certify([*asked, *gone * 20, *rest[20:]], 0.05, 0.95)
    assert verdict.certificate is None
    assert verdict.needed is not None
    assert tail(0, 43 + verdict.needed, worst(0.05, 80), 100) <= 0.05 < tail(0, 42 + verdict.needed, worst(0.05, 80), 100)
    assert "you let 20 go by hand" in verdict.sentence
    nothing = certify([Draw(0.1, False, gone=True)] * 60, 0.05, 0.95, SUBJECTS["copy"])
    assert (nothing.certificate, nothing.needed) == (None, None)
    assert nothing.sentence == "All of these exact copies were let go by hand: none is left to certify."


def test_what_was_certified_and_let_go_makes_way_for_the_next() -> None:
    sure = [Draw(0.1, False, gone=True)] * 43 + [Draw(0.1, None, gone=True)] * 57
    verdict = certify([*sure, *answered([None] * 100, 0.4)], 0.05, 0.95)
    assert (verdict.certificate, verdict.asking) == (None, 0.4)
    assert verdict.needed is not None
    assert verdict.needed > 10


def test_each_kind_is_called_by_its_name() -> None:
    said = certify([Draw(0.0, False, photos=2)] * 59, 0.05, 0.95, SUBJECTS["burst"]).sentence
    assert said.startswith("At most 5 % of the 118 certified weaker frames are ones you would keep, a burst counting as one (")
    assert certify(answered([None] * 12, 0.0), 0.05, 0.95, SUBJECTS["copy"]).sentence.startswith(
        "Only 12 groups of exact copies are suggested: too few to certify"
    )
    assert "No picture saved again is suggested" in certify([], 0.05, 0.95, SUBJECTS["same"]).sentence


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
        audits = [Audit(*known) for known in zip(keeps, blind, [None] * size, taught, strict=True)]
        verdict = certify(counted(audits), alpha, confidence)
        if verdict.certificate:
            listed = [wrong[n] for n in range(size) if not taught[n] and keeps[n] <= verdict.certificate.threshold]
            broken += sum(listed) > alpha * len(listed)
    allowed = (1 - confidence) * owners
    assert broken <= allowed + 3 * math.sqrt(allowed * confidence)
