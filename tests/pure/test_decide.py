"""Suggestions: what may never be suggested, what is, in which order and with which words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon.models import Group, GroupDecision, GroupKind, GroupMember, Quality, Score, Suggestion
from precious_daemon.pure.decide import Known, Occasion, Proposal, decided, suggest

GOOD = Quality(0.6, 0.7, 0.3, 0.2, 0.2, 0.0, 0.5, 0.4, 0.0, 0.0, 0.3, 0.3, 0.05, 0.9, 0.29)
SOFT = replace(GOOD, sharpness=0.12, sharpest_tile=0.15)


def known(number: int, quality: Quality | None = GOOD, size: tuple[int, int] = (4000, 3000), name: str | None = None) -> Known:
    return Known(name or f"IMG_{number:04}.JPG", "2023", 1000, *size, None, quality)


def group(kind: GroupKind, best: int, *others: int) -> Group:
    return Group(kind, (GroupMember(best, True, "best"), *(GroupMember(i, False, "other") for i in others)))


def decide(
    keeps: dict[int, float] | None = None,
    groups: list[Group] | None = None,
    facts: dict[int, Known] | None = None,
    *,
    labels: dict[int, bool] | None = None,
    vetoes: dict[int, str] | None = None,
    evidence: dict[int, dict[str, int]] | None = None,
    decisions: list[GroupDecision] | None = None,
    **more: object,
) -> list[Suggestion]:
    facts = facts or {i: known(i) for i in range(1, 10)}
    scores = [Score(i, keep, 0.0) for i, keep in (keeps or {}).items()]
    given = (scores, groups or [], facts, labels or {}, vetoes or {}, evidence or {}, decisions or [])
    return suggest(*given, **more).suggestions  # type: ignore[arg-type]


def photos(suggestions: list[Suggestion]) -> list[int]:
    return [s.photo_id for s in suggestions]


# --- what may never be suggested ---------------------------------------------------------------------------------------

numbers = st.integers(0, 11)


@st.composite
def libraries(draw: st.DrawFn) -> dict[str, object]:
    groups = []
    for kind in GroupKind:  # a photo is in at most one group of a kind
        order = draw(st.permutations(range(12)))
        cuts = sorted(draw(st.sets(numbers, max_size=4)))
        for start, end in zip([0, *cuts], [*cuts, 12], strict=True):
            if end - start > 1 and draw(st.booleans()):
                groups.append(group(kind, *order[start:end]))
    present = draw(st.sets(numbers, min_size=6))
    return {
        "scores": [Score(i, keep, 0.0) for i, keep in draw(st.dictionaries(numbers, st.floats(0, 1))).items()],
        "groups": groups,
        "facts": {i: known(i, draw(st.sampled_from([GOOD, SOFT, None]))) for i in present},
        "labels": draw(st.dictionaries(numbers, st.booleans())),
        "vetoes": draw(st.dictionaries(numbers, st.just("a favourite"), max_size=3)),
        "evidence": draw(st.dictionaries(numbers, st.fixed_dictionaries({"like_deleted": st.integers(0, 9)}))),
    }


@settings(max_examples=150)
@given(libraries())
def test_the_rules_hold_in_any_library(library: dict) -> None:
    found = suggest(**library).suggestions
    going = set(photos(found))
    assert len(going) == len(found)
    assert going <= library["facts"].keys()
    assert not going & {i for i, keep in library["labels"].items() if keep}
    assert not going & library["vetoes"].keys()
    assert not going & {s.keeper_id for s in found}
    for one in library["groups"]:
        there = {m.photo_id for m in one.members} & library["facts"].keys()
        assert len(there) < 2 or there - going or one.kind is GroupKind.SCENE, "someone of each group stays"
        if one.kind.spared and len(there) > 1:
            assert all(library["labels"].get(i) is False for i in there & going), "edits and sets are the owner's affair"
    keeps = {s.photo_id: s.keep for s in library["scores"]}
    for s in found:
        assert s.reasons
        assert all(s.reasons)
        assert len(set(s.reasons)) == len(s.reasons)
        assert (s.keeper_id is None) == (s.kind == "taste")
        assert s.keep == keeps.get(s.photo_id)
        assert not s.certified
        if s.kind == "taste" and library["labels"].get(s.photo_id) is None:
            assert keeps[s.photo_id] <= 0.5


@given(libraries(), st.randoms())
def test_the_order_of_what_comes_in_does_not_matter(library: dict, rng: object) -> None:
    shuffled = dict(library)
    for name in ("scores", "groups"):
        shuffled[name] = list(library[name])
        rng.shuffle(shuffled[name])  # type: ignore[attr-defined]
    assert suggest(**library) == suggest(**shuffled)


# --- what is suggested -------------------------------------------------------------------------------------------------


def test_likely_deletions_are_suggested_surest_first() -> None:
    found = decide({1: 0.3, 2: 0.02, 3: 0.7, 4: 0.3})
    assert photos(found) == [2, 1, 4]
    assert not any(s.certified for s in found)


def test_the_owners_own_word_comes_first() -> None:
    found = decide({1: 0.9, 2: 0.01}, labels={1: False})
    assert photos(found) == [1, 2]
    assert found[0].reasons == ("you answered that it can go",)


def test_the_last_one_of_a_group_stays_however_bad() -> None:
    assert photos(decide({1: 0.01, 2: 0.02}, [group(GroupKind.COPY, 1, 2)])) == [2]


def test_a_photo_that_stays_for_its_copy_is_not_suggested_as_a_worse_frame() -> None:
    found = decide({}, [group(GroupKind.COPY, 1, 2), group(GroupKind.BURST, 3, 1, 4)])
    assert [(s.photo_id, s.kind, s.keeper_id) for s in found] == [(2, "copy", 1), (4, "burst", 3)]


def test_nothing_stands_in_for_a_best_shot_that_is_gone() -> None:
    facts = {i: known(i) for i in (2, 3)}
    assert decide({}, [group(GroupKind.BURST, 1, 2, 3)], facts) == []


# --- the words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "one", "words"),
    [
        (GroupKind.COPY, known(2), "an exact copy of 2023/IMG_0001.JPG"),
        (GroupKind.SAME, known(2, size=(640, 480)), "smaller copy (640 x 480) of IMG_0001.JPG (4000 x 3000)"),
        (
            GroupKind.SAME,
            known(2, size=(640, 480), name="IMG-20230107-WA0001.jpg"),
            "smaller copy (640 x 480) of IMG_0001.JPG (4000 x 3000), sent by a messenger?",
        ),
        (GroupKind.SAME, known(2), "the same picture as 2023/IMG_0001.JPG, saved again"),
        (GroupKind.BURST, known(2, SOFT), "blurred frame of a burst of 3, IMG_0001.JPG is the sharp one"),
        (GroupKind.BURST, known(2, replace(GOOD, sharpness=0.58)), "one of a burst of 3, IMG_0001.JPG is a little sharper"),
        (GroupKind.BURST, known(2, None), "one of a burst of 3, IMG_0001.JPG is the best of them"),
    ],
)
def test_what_stays_is_named(kind: GroupKind, one: Known, words: str) -> None:
    found = decide({}, [group(kind, 1, 2, 3)], {1: known(1), 2: one, 3: known(3)})
    assert next(s.reasons for s in found if s.photo_id == 2)[0] == words


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (known(1, replace(GOOD, brightness=0.05)), "very dark"),
        (known(1, SOFT), "blurred"),
        (known(1, replace(GOOD, white_paper=0.9, saturation=0.01)), "looks like a page of text (receipt or document)"),
        (known(1, name="Screenshot_20230107.png"), "a screenshot"),
        (known(1, replace(GOOD, flatness=1.0)), "there is almost nothing in it"),
        (known(1, replace(GOOD, highlights=0.8)), "burnt out: most of it is plain white"),
        (known(1, size=(320, 240)), "very small (320 x 240)"),
    ],
)
def test_what_is_wrong_with_the_picture_is_said(one: Known, words: str) -> None:
    (found,) = decide({1: 0.04}, facts={1: one})
    assert found.reasons == (words, "going by your answers, the chance that you would keep it is 4 %")


@pytest.mark.parametrize(("count", "words"), [(7, "looks like 7 photos you deleted"), (1, "looks like a photo you deleted")])
def test_likeness_to_deleted_photos_is_said_first_and_the_evidence_goes_along(count: int, words: str) -> None:
    (found,) = decide({1: 0.001}, evidence={1: {"like_deleted": count, "why": 3}})
    assert found.reasons == (words, "going by your answers, the chance that you would keep it is below 1 %")
    assert found.evidence == {"like_deleted": count, "why": 3}


def test_a_photo_with_many_reasons_is_suggested_once_with_all_of_them() -> None:
    groups = [group(GroupKind.COPY, 1, 2), group(GroupKind.BURST, 3, 2, 4)]
    found = decide(
        {2: 0.1}, groups, {i: known(i, SOFT if i == 2 else GOOD) for i in range(1, 5)}, evidence={2: {"like_deleted": 2}}
    )
    assert photos(found).count(2) == 1
    assert next(s.reasons for s in found if s.photo_id == 2) == (
        "an exact copy of 2023/IMG_0001.JPG",
        "blurred frame of a burst of 3, IMG_0003.JPG is the sharp one",
        "looks like 2 photos you deleted",
        "going by your answers, the chance that you would keep it is 10 %",
    )


# --- what the owner said of groups -------------------------------------------------------------------------------------


def said(number: int, best: int, members: set[int], stays: set[int] | None = None) -> GroupDecision:
    return GroupDecision(number, 1, 0.0, best, frozenset(members), frozenset(stays or ()))


def bests(groups: list[Group]) -> list[int]:
    return [m.photo_id for g in groups for m in g.members if m.best]


def test_edits_sets_and_scenes_are_not_thinned() -> None:
    groups = [group(GroupKind.EDIT, 1, 2), group(GroupKind.SERIES, 3, 4, 5), group(GroupKind.SCENE, 6, 7)]
    assert decide(groups=groups) == []
    assert photos(decide({i: 0.01 for i in range(1, 8)}, groups)) == [6, 7], "nor suggested on a model's word, but scenes"


def test_a_frame_that_was_edited_is_not_thinned_with_its_burst() -> None:
    assert photos(decide(groups=[group(GroupKind.BURST, 1, 2, 3), group(GroupKind.EDIT, 2, 9)])) == [3]


def test_of_a_deleted_original_it_is_said_that_only_an_edit_stays() -> None:
    edits = [group(GroupKind.EDIT, 1, 2)]
    (one,) = decide(groups=edits, labels={1: False})
    assert (one.keeper_id, one.reasons[1]) == (None, "what you made of it stays: IMG_0002.JPG")
    (one,) = decide(groups=edits, labels={2: False})
    assert one.reasons[1] == "it is an edit; what stays is the original or another edit: IMG_0001.JPG"
    assert len(decide(groups=edits, labels={1: False, 2: False})) == 1, "never both"


BURST = group(GroupKind.BURST, 1, 2, 3)


def test_a_group_kept_whole_does_not_come_back() -> None:
    whole = said(1, 1, {1, 2, 3}, {1, 2, 3})
    assert photos(decide(groups=[BURST], decisions=[whole])) == []
    assert photos(decide({2: 0.01}, [BURST], decisions=[whole])) == [], "nor do the photos for another reason"
    assert photos(decide(groups=[group(GroupKind.BURST, 2, 3)], decisions=[whole])) == [], "nor what is left of it"
    assert decided([BURST], [whole])[0].settled


def test_it_comes_back_when_it_gains_a_member() -> None:
    whole = said(1, 1, {1, 2, 3}, {1, 2, 3})
    assert photos(decide(groups=[group(GroupKind.BURST, 1, 2, 3, 4)], decisions=[whole])) == [2, 3, 4]


def test_several_are_kept_and_the_others_go() -> None:
    found = decide(groups=[BURST], decisions=[said(1, 2, {1, 2, 3}, {2, 3})])
    assert [(s.photo_id, s.keeper_id) for s in found] == [(1, 2)]


def test_the_owners_best_comes_before_ours_and_outlives_a_regrouping() -> None:
    chosen = said(1, 3, {1, 2, 3})
    again = group(GroupKind.BURST, 4, 1, 2, 3)
    assert bests(decided([BURST, again], [chosen])) == [3, 3]
    assert decided([again], [chosen])[0].members[0] == GroupMember(3, True, "you chose it")
    assert [s.keeper_id for s in decide(groups=[BURST], decisions=[chosen])] == [3, 3]


def test_a_best_that_is_gone_gives_way_to_ours_and_a_newer_word_to_the_newest() -> None:
    assert bests(decided([BURST], [said(1, 7, {1, 2, 7})])) == [1]
    assert bests(decided([BURST], [said(1, 2, {1, 2, 3}), said(2, 3, {1, 2, 3})])) == [3]


def test_a_word_about_one_group_says_nothing_of_another_that_shares_a_photo() -> None:
    copies = group(GroupKind.COPY, 9, 1)
    assert decided([copies], [said(1, 1, {1, 2, 3}, {1})]) == [copies]


@given(libraries(), st.lists(st.tuples(st.sets(numbers, min_size=2), st.randoms()), max_size=4))
def test_what_was_said_to_stay_is_not_suggested_in_any_library(library: dict, words: list) -> None:
    decisions = []
    for number, (members, rng) in enumerate(words, 1):
        stays = {i for i in members if rng.random() < 0.6}
        decisions.append(said(number, rng.choice(sorted(stays or members)), members, stays))
    found = suggest(**library, decisions=decisions).suggestions
    for one, before in zip(decided(library["groups"], decisions), library["groups"], strict=True):
        assert {m.photo_id for m in one.members} == {m.photo_id for m in before.members}
        assert len(bests([one])) == 1
        there = {m.photo_id for m in one.members} & library["facts"].keys()
        assert len(there) < 2 or there - set(photos(found)) or one.kind is GroupKind.SCENE, "someone of each group stays"
    latest: dict[int, bool] = {}
    for decision in decisions:
        latest |= {i: i in decision.stays for i in decision.members}
    assert not any(s.kind == "taste" and latest.get(s.photo_id) and s.photo_id not in library["labels"] for s in found)


# --- rules, what changed, and what is held back ------------------------------------------------------------------------


def everything(keeps: dict[int, float], **more: object) -> Proposal:
    facts = {i: known(i) for i in range(1, 10)}
    given = {"labels": {}, "vetoes": {}, "evidence": {}} | more
    groups = given.pop("groups", [])
    return suggest([Score(i, keep, 0.0) for i, keep in keeps.items()], groups, facts, **given)  # type: ignore[arg-type]


def test_what_a_rule_speaks_against_is_suggested_with_its_reason() -> None:
    found = everything({1: 0.1}, rules={1: ("old",), 2: ("a screenshot", "old"), 3: ("old",)}, labels={3: True}).suggestions
    assert [(s.photo_id, s.kind, s.keep) for s in found] == [(1, "taste", 0.1), (2, "rule", None)]
    assert found[0].reasons == ("old", "going by your answers, the chance that you would keep it is 10 %")
    assert found[1].reasons == ("a screenshot", "old")


def test_a_rule_does_not_take_the_last_of_a_group() -> None:
    proposal = everything({}, groups=[group(GroupKind.COPY, 1, 2)], rules={1: ("old",), 2: ("old",)})
    assert photos(proposal.suggestions) == [2]


def test_what_has_a_veto_is_held_back_with_both_reasons() -> None:
    (one,) = everything({1: 0.1, 2: 0.9}, vetoes={1: "you gave it 5 stars", 2: "it is in an album"}).held
    assert (one.suggestion.photo_id, one.why) == (1, "you gave it 5 stars")
    assert one.suggestion.reasons == ("going by your answers, the chance that you would keep it is 10 %",)


def of_one_day(*members: int, present: int, leave: int = 1) -> Occasion:
    return Occasion(frozenset(members), present, leave, "the last of its day")


def test_the_last_photo_of_a_day_is_held_back_and_it_is_the_least_sure_one() -> None:
    proposal = everything({1: 0.1, 2: 0.3, 3: 0.2}, occasions=[of_one_day(1, 2, 3, present=3)])
    assert photos(proposal.suggestions) == [1, 3]
    assert [(h.suggestion.photo_id, h.why) for h in proposal.held] == [(2, "the last of its day")]


def test_a_day_with_other_photos_needs_none_held_back() -> None:
    assert everything({1: 0.1, 2: 0.3}, occasions=[of_one_day(1, 2, present=3)]).held == []
    assert len(everything({1: 0.1, 2: 0.3}, occasions=[of_one_day(1, 2, present=3, leave=2)]).held) == 1


def test_what_goes_for_a_copy_or_by_the_owners_word_is_not_kept_for_the_day_but_counts() -> None:
    day = [of_one_day(1, 2, 3, present=3)]
    proposal = everything({3: 0.1}, groups=[group(GroupKind.COPY, 9, 1)], labels={2: False}, occasions=day)
    assert photos(proposal.suggestions) == [2, 1]
    assert [h.suggestion.photo_id for h in proposal.held] == [3]


@given(
    st.dictionaries(st.integers(1, 9), st.floats(0, 0.5)),
    st.lists(st.tuples(st.sets(st.integers(1, 9)), st.integers(0, 3), st.integers(1, 3)), max_size=4),
)
def test_accepting_everything_leaves_enough_of_every_occasion(keeps: dict, drawn: list) -> None:
    occasions = [of_one_day(*members, present=len(members) + more, leave=leave) for members, more, leave in drawn]
    proposal = everything(keeps, occasions=occasions)
    going = set(photos(proposal.suggestions))
    for one in occasions:
        assert one.present - len(one.members & going) >= min(one.leave, one.present)
    assert going | {h.suggestion.photo_id for h in proposal.held} == keeps.keys()
    assert not going & {h.suggestion.photo_id for h in proposal.held}


def test_a_kept_photo_comes_back_as_a_copy_only_and_says_what_changed() -> None:
    since = {1: "you kept it once, and there is an exact copy of it since"}
    copies = [group(GroupKind.COPY, 2, 1)]
    assert photos(everything({1: 0.1}, labels={1: True}, changed=since).suggestions) == []
    (found,) = everything({}, groups=copies, labels={1: True}, changed=since).suggestions
    assert found.reasons == (since[1], "an exact copy of 2023/IMG_0002.JPG")
    assert photos(everything({}, groups=copies, labels={1: True}).suggestions) == []
