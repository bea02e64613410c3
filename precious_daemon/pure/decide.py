"""From scores and groups to suggestions: what could go, and why, in words for the owner.

Nothing here deletes. Each suggestion is a question; the rules below are about what is never even asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from precious_daemon.models import Group, GroupDecision, GroupKind, Quality, Score, Suggestion
from precious_daemon.pure.certify import FLOOR

BLURRED = 0.2  # of Quality.sharpness; a photo in focus has .5 and more
BLURRED_TILE = 0.25  # no part of it is in focus either
SHARPER = 0.1  # by so much more sharpness a burst's best shot makes the others look blurred: e times the variance
DARK = 0.12
BURNT = 0.6
SMALL = 400  # pixels of the longer side

LOOKS = {
    "dark": "very dark",
    "screenshot": "a screenshot",
    "page": "looks like a page of text (receipt or document)",
    "empty": "there is almost nothing in it",
    "burnt": "burnt out: most of it is plain white",
    "blurred": "blurred",
}

_MESSENGER = re.compile(r"-wa\d+|^received_|^fb_img|^signal-|telegram|^photo_\d{4}-|^img-\d{8}-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Known:
    """What the reasons tell of a photo. `folder` is relative to its root, empty for the root itself."""

    name: str
    folder: str
    size: int
    width: int
    height: int
    taken_at: float | None
    quality: Quality | None

    @property
    def place(self) -> str:
        return f"{self.folder}/{self.name}" if self.folder else self.name


@dataclass(frozen=True, slots=True)
class Occasion:
    """Photos that are of one time: a day, or an event. `present` counts all of them, suggested or not."""

    members: frozenset[int]  # those of them that might go
    present: int
    leave: int  # so many stay
    why: str  # "the last photo of 5 May 2024"


@dataclass(frozen=True, slots=True)
class Held:
    """A photo that would be suggested if nothing spoke for it; `why` it is not."""

    suggestion: Suggestion
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could go, surest first, and what was held back, in the same order."""

    suggestions: list[Suggestion]
    held: list[Held]


def suggest(
    scores: Sequence[Score],
    groups: Sequence[Group],
    facts: Mapping[int, Known],
    labels: Mapping[int, bool],
    vetoes: Mapping[int, str],
    evidence: Mapping[int, Mapping[str, Any]],
    decisions: Iterable[GroupDecision] = (),
    *,
    rules: Mapping[int, Sequence[str]] = MappingProxyType({}),
    changed: Mapping[int, str] = MappingProxyType({}),
    occasions: Iterable[Occasion] = (),
    expected: Mapping[int, str] = MappingProxyType({}),
) -> Proposal:
    """Photos that could go, surest first, each once with all of its reasons.

    Suggested are the photos that the owner labelled for deletion, all but the best of copies, of equal pictures and of
    bursts, those that the owner would likely not keep (up to FLOOR), and those that a rule speaks against. None is certified:
    that is for the blind answers to say.
    Never suggested: what the owner labelled to keep, unless something in `changed` speaks against it since; what has a veto;
    what is to stay in place of another; the last of any group that would otherwise stay; and the last of an occasion, where
    it would go by taste alone. Edits and their originals, and the frames of a set, are suggested only where the owner
    labelled them: whoever edits a photo or takes a bracket cares for it. What `decisions` say of groups comes before what we
    make of them.

    `facts` holds the present photos, `labels` True for keep, `vetoes` a reason by photo, `rules` some. Of `evidence`, which
    goes along with the suggestion, `like_deleted` counts the deleted photos that it looks like. `expected` tells why somebody
    else likely keeps a photo: a veto where taste or a rule alone speaks, which says nothing against one of two copies.
    """
    chances = {score.photo_id: score.keep for score in scores}
    covered = {score.photo_id for score in scores if score.keep <= FLOOR}
    decisions = list(decisions)
    groups_of = _present(decided(groups, decisions), facts)
    kept = {photo for photo, keep in labels.items() if keep}
    stays = {photo for decision in decisions for photo in decision.stays}
    wanted = [p for p in _by_taste(chances, covered - stays, labels, rules.keys() - stays) if p not in kept]
    spared = {photo for photo, found in groups_of.items() if any(group.kind.spared for group in found)}
    spared -= {photo for photo, keep in labels.items() if not keep}
    free = facts.keys() - (kept - changed.keys()) - spared
    chosen = _choose(groups_of, [p for p in wanted if p not in expected], free - vetoes.keys())
    regardless = _choose(groups_of, wanted, free)  # of vetoes

    def suggestion(photo: int, group: Group | None, going: Mapping[int, Group | None]) -> Suggestion:
        staying = [g for g in groups_of.get(photo, ()) if (best := _instead(g, photo)) is not None and best not in going]
        known = evidence.get(photo, {})
        seen = any(g.kind is not GroupKind.BURST for g in staying) or photo in rules
        reasons = [
            *([changed[photo]] if photo in changed else []),
            *(["you answered that it can go"] if labels.get(photo) is False else []),
            *(_of_group(g, facts[photo], facts[best]) for g in staying if (best := _best(g)) is not None),
            *(_of_edit(g, photo, facts, going) for g in groups_of.get(photo, ()) if g.kind is GroupKind.EDIT),
            *rules.get(photo, ()),
            *_of_likeness(known.get("like_deleted", 0)),
            *([] if seen else _of_quality(facts[photo], burst=bool(staying))),
            *([_of_chance(chances[photo])] if photo in covered else []),
        ]
        by_rule = photo in rules and photo not in covered and labels.get(photo) is not False
        return Suggestion(
            photo,
            group.kind.value if group else "rule" if by_rule else "taste",
            chances.get(photo),
            False,
            tuple(dict.fromkeys(reasons)),
            _best(group) if group else None,
            dict(known),
        )

    def against(photo: int, group: Group | None) -> str | None:
        return vetoes.get(photo) or (expected.get(photo) if group is None else None)

    def sureness(one: Suggestion) -> tuple[int, float, int]:
        first = 0 if labels.get(one.photo_id) is False else {"copy": 1, "same": 2}.get(one.kind, 3)
        return first, 0.5 if one.keep is None else one.keep, one.photo_id

    found = sorted((suggestion(photo, group, chosen) for photo, group in chosen.items()), key=sureness)
    by_taste = [s.photo_id for s in found if s.kind == "taste" and labels.get(s.photo_id) is not False]
    last = _last_ones(by_taste, chosen.keys() - set(by_taste), occasions)
    held = [
        *(Held(suggestion(p, g, regardless), why) for p, g in regardless.items() if (why := against(p, g))),
        *(Held(s, last[s.photo_id]) for s in found if s.photo_id in last),
    ]
    return Proposal([s for s in found if s.photo_id not in last], sorted(held, key=lambda one: sureness(one.suggestion)))


def _last_ones(surest_first: Sequence[int], going: AbstractSet[int], occasions: Iterable[Occasion]) -> dict[int, str]:
    """Which of these photos stay, and why, so that of each occasion enough are left once everything else is gone."""
    of: dict[int, list[int]] = defaultdict(list)
    known = list(occasions)
    spare = [one.present - one.leave - len(one.members & going) for one in known]
    for number, one in enumerate(known):
        for photo in one.members:
            of[photo].append(number)
    held: dict[int, str] = {}
    for photo in surest_first:
        short = [number for number in of[photo] if spare[number] < 1]
        if short:
            held[photo] = known[short[0]].why
        else:
            for number in of[photo]:
                spare[number] -= 1
    return held


def decided(groups: Iterable[Group], decisions: Iterable[GroupDecision]) -> list[Group]:
    """Groups as the owner left them, each with the owner's best, first, and with what is kept beside it.

    A named best holds for as long as it and another of the photos that it was chosen among are together. What stays, does
    so until the group has a member that was not there when it was said.
    """
    about: dict[int, list[GroupDecision]] = defaultdict(list)
    for decision in sorted(decisions, key=lambda decision: -decision.id):
        for photo in decision.members:
            about[photo].append(decision)
    return [_as_left(group, about) for group in groups]


def _as_left(group: Group, about: Mapping[int, Sequence[GroupDecision]]) -> Group:
    ids = {member.photo_id for member in group.members}
    found = {d.id: d for photo in ids for d in about.get(photo, ()) if len(d.members & ids) > 1}
    said = [found[number] for number in sorted(found, reverse=True)]
    if not said:
        return group
    best = next((d.best for d in said if d.best in ids), _best(group))
    stays = next((d.stays for d in said if d.stays and ids <= d.members), frozenset())
    members = [
        replace(m, best=m.photo_id == best, kept=m.photo_id in stays,
                reason="you chose it" if m.photo_id == best and not m.best else m.reason)
        for m in group.members
    ]  # fmt: skip
    return Group(group.kind, tuple(sorted(members, key=lambda m: not m.best)))


# --- what goes ---------------------------------------------------------------------------------------------------------


def _by_taste(chances: Mapping[int, float], covered: set[int], labels: Mapping[int, bool], ruled: AbstractSet[int]) -> list[int]:
    """Photos that this owner would not keep: what was said comes before what is guessed, and that before the rules."""
    said = sorted(photo for photo, keep in labels.items() if not keep)
    guessed = sorted(covered - set(said), key=lambda photo: (chances[photo], photo))
    return said + guessed + sorted(ruled - covered - set(said))


def _present(groups: Sequence[Group], facts: Mapping[int, Known]) -> dict[int, list[Group]]:
    """The groups of each photo, copies first, without members that are not there."""
    kinds = list(GroupKind)
    groups_of: dict[int, list[Group]] = {}
    for group in sorted(groups, key=lambda group: (kinds.index(group.kind), min(m.photo_id for m in group.members))):
        members = tuple(m for m in group.members if m.photo_id in facts)
        for member in members if len(members) > 1 else ():
            groups_of.setdefault(member.photo_id, []).append(Group(group.kind, members))
    return groups_of


def _choose(groups_of: Mapping[int, Sequence[Group]], by_taste: Sequence[int], free: set[int]) -> dict[int, Group | None]:
    """Photo to the group whose best stays in its place, or None where taste alone speaks. Copies choose first."""
    chosen: dict[int, Group | None] = {}
    keepers: set[int] = set()

    def may_go(photo: int) -> bool:
        if photo not in free or photo in keepers or photo in chosen:
            return False
        beside = [g for g in groups_of.get(photo, ()) if g.kind is not GroupKind.SCENE]
        return all(any(m.photo_id not in chosen and m.photo_id != photo for m in g.members) for g in beside)

    for kind in GroupKind:
        for photo in sorted(groups_of):
            for group in groups_of[photo]:
                best = _instead(group, photo)
                if group.kind is kind and best is not None and best not in chosen and may_go(photo):
                    chosen[photo] = group
                    keepers.add(best)
    for photo in by_taste:
        if may_go(photo):
            chosen[photo] = None
    return chosen


def _best(group: Group) -> int | None:
    """The member that stays; None where it is not there any more."""
    return next((member.photo_id for member in group.members if member.best), None)


def _instead(group: Group, photo: int) -> int | None:
    """The member that stays instead of another; None where that one stays itself."""
    kept = any(m.photo_id == photo and (m.best or m.kept) for m in group.members)
    return _best(group) if group.kind.thinned and not kept else None


# --- why ---------------------------------------------------------------------------------------------------------------


def _of_group(group: Group, one: Known, best: Known) -> str:
    count = len(group.members)
    if group.kind is GroupKind.COPY:
        return f"an exact copy of {best.place}"
    if group.kind is GroupKind.SAME:
        if one.width * one.height >= best.width * best.height:
            return f"the same picture as {best.place}, saved again"
        sizes = f"smaller copy ({one.width} x {one.height}) of {best.name} ({best.width} x {best.height})"
        return sizes + (", sent by a messenger?" if _MESSENGER.search(one.name) else "")
    if one.quality and best.quality:
        if best.quality.sharpness - one.quality.sharpness >= SHARPER:
            return f"blurred frame of a burst of {count}, {best.name} is the sharp one"
        if best.quality.sharpness > one.quality.sharpness:
            return f"one of a burst of {count}, {best.name} is a little sharper"
    return f"one of a burst of {count}, {best.name} is the best of them"


def _of_edit(group: Group, photo: int, facts: Mapping[int, Known], chosen: Mapping[int, object]) -> str:
    """An edit is not the original: what stays of the two is said."""
    stays = [facts[m.photo_id].name for m in group.members if m.photo_id != photo and m.photo_id not in chosen]
    what = "what you made of it stays" if _best(group) == photo else "it is an edit; what stays is the original or another edit"
    return f"{what}: {', '.join(stays)}"


def _of_quality(known: Known, *, burst: bool) -> Iterator[str]:
    for look in looks(known):
        if look == "small":
            yield f"very small ({known.width} x {known.height})"
        elif not (burst and look == "blurred"):
            yield LOOKS[look]


def looks(known: Known) -> Iterator[str]:
    """What a photo looks like by its measures: at most one of LOOKS, the plainest; and "small"."""
    q = known.quality
    if q is None:
        return
    page = q.white_paper > 0.4 and q.saturation < 0.2
    if q.brightness < DARK:
        yield "dark"
    elif known.name.lower().startswith("screenshot"):
        yield "screenshot"
    elif page and q.edge_density > 0.04:
        yield "page"
    elif q.flatness > 0.95:
        yield "empty"
    elif q.highlights > BURNT and not page:
        yield "burnt"
    elif q.sharpness < BLURRED and q.sharpest_tile < BLURRED_TILE:
        yield "blurred"
    if 0 < max(known.width, known.height) < SMALL:
        yield "small"


def _of_likeness(count: int) -> Iterator[str]:
    if count:
        yield "looks like a photo you deleted" if count == 1 else f"looks like {count} photos you deleted"


def _of_chance(keep: float) -> str:
    percent = "below 1 %" if keep < 0.01 else f"{keep * 100:.0f} %"
    return f"going by your answers, the chance that you would keep it is {percent}"
