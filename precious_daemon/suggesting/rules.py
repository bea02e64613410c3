"""One rule for many groups: what it would mean, and then each group settled as if the owner had looked at it.

What goes takes the same way as from the page of groups: suggested, approved, checked, capped, journaled, undone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from posixpath import dirname
from typing import TYPE_CHECKING

from precious_daemon.errors import PreciousError
from precious_daemon.models import Group, GroupKind, GroupMember, Photo, Quality, Scope, Suggestion, SuggestionState
from precious_daemon.store import Database, answers, decisions, groups, photos, pictures, suggestions, units
from precious_daemon.suggesting import review

if TYPE_CHECKING:
    from precious_daemon.service import Service
    from precious_daemon.trash import Outcome

MANY = (50, 1000)  # groups that a rule settles in one go: as soon as it is asked for, or after a moment
AT_ONCE = 50  # groups whose photos are looked up together


@dataclass(frozen=True, slots=True)
class Rule:
    """Of each group of a kind, within a part of the library, the `keep` best stay; with `folder`, the best of those in it.

    `folder` is relative to its root; what lies below counts as in it. At most `many` groups are settled in one go.
    """

    kind: GroupKind
    keep: int = 1
    folder: str = ""
    scope: Scope | None = None
    many: int = MANY[0]


@dataclass(frozen=True, slots=True)
class Settling:
    """One group: the best first, then what stays beside it, then what goes."""

    photos: tuple[Photo, ...]
    stays: int

    @property
    def going(self) -> tuple[Photo, ...]:
        return self.photos[self.stays :]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rule would do. `bytes` are those of what goes, with companions; `elsewhere` groups have no photo in its folder."""

    settlings: list[Settling]
    bytes: int
    said_keep: int  # photos that stay because the owner said so
    spared: int  # frames of a burst that stay because they belong to a set, such as a bracket or a panorama
    protected: int  # photos that stay because a plugin says so
    elsewhere: int
    more: bool  # there are more groups than that

    @property
    def going(self) -> list[Photo]:
        return [photo for one in self.settlings for photo in one.going]


async def plan(service: Service, voter_id: int, rule: Rule) -> Plan:
    """Look only: nothing is changed."""
    from precious_daemon.suggesting import propose  # here: a service at rest suggests nothing

    found = await service.store.astudy(_plan, voter_id, rule)
    vetoed = await propose.vetoes(service, {photo.id: photo for photo in found.going}) if found.settlings else {}
    if not vetoed:
        return found
    settlings = [settling for one in found.settlings if (settling := _but(one, vetoed.keys())).going]
    going = [photo.id for one in settlings for photo in one.going]
    size = sum((await service.store.aread(photos.sizes, going)).values())
    return replace(found, settlings=settlings, bytes=size, protected=len(vetoed))


def _plan(db: Database, voter_id: int, rule: Rule) -> Plan:
    settlings: list[Settling] = []
    said = of_sets = elsewhere = 0
    found = (group for _, group in groups.to_review(db, voter_id, rule.kind, scope=rule.scope))
    for members, keep_said, spared in _in_order(db, voter_id, found):
        if not _within(members, rule.scope):
            continue
        one = _settling(members, rule)
        if one is None:
            elsewhere += 1
            continue
        stays = _but(one, keep_said)
        whole = _but(stays, spared if rule.kind is GroupKind.BURST else ())
        said += stays.stays - one.stays
        of_sets += whole.stays - stays.stays
        if whole.going:
            settlings.append(whole)
        if len(settlings) == rule.many:
            break
    sizes = photos.sizes(db, [photo.id for one in settlings for photo in one.going])
    return Plan(settlings, sum(sizes.values()), said, of_sets, 0, elsewhere, len(settlings) == rule.many)


def _in_order(db: Database, voter_id: int, found: Iterator[Group]) -> Iterator[tuple[list[Photo], set[int], set[int]]]:
    """The photos of each group: the best first, then what the owner keeps, then the sharper, the larger.

    Beside them, ids of photos that the owner said to keep, and of those that belong to a set.
    """
    while part := list(islice(found, AT_ONCE)):
        known = photos.many(db, {member.photo_id for group in part for member in group.members})
        measured = pictures.qualities(db, {photo.content_hash for photo in known.values() if photo.content_hash})
        keep_said, in_sets = answers.kept(db, voter_id, known), groups.members(db, GroupKind.SERIES, known)
        for group in part:
            ordered = sorted(group.members, key=_worth(known, measured), reverse=True)
            yield [known[member.photo_id] for member in ordered], keep_said, in_sets


def _worth(known: Mapping[int, Photo], measured: Mapping[bytes, Quality]) -> Callable[[GroupMember], tuple[float, ...]]:
    def worth(member: GroupMember) -> tuple[float, ...]:
        photo = known[member.photo_id]
        its = measured.get(photo.content_hash or b"")
        size = (photo.width or 0) * (photo.height or 0)
        return member.best, member.kept, its.sharpness if its else 0.0, size, photo.size, -photo.id

    return worth


def _settling(members: Sequence[Photo], rule: Rule) -> Settling | None:
    """None where the folder that is preferred holds none of them."""
    first = [photo for photo in members if _below(photo, rule.folder)]
    if not first:
        return None
    chosen = first[: rule.keep]
    chosen += [photo for photo in members if photo not in chosen][: rule.keep - len(chosen)]
    return Settling((*chosen, *(photo for photo in members if photo not in chosen)), len(chosen))


def _but(one: Settling, staying: Container[int]) -> Settling:
    """The same, but these stay as well."""
    also = tuple(photo for photo in one.going if photo.id in staying)
    gone = tuple(photo for photo in one.going if photo.id not in staying)
    return Settling((*one.photos[: one.stays], *also, *gone), one.stays + len(also))


def _below(photo: Photo, folder: str) -> bool:
    return not folder or f"{dirname(photo.path)}/".startswith(f"{folder}/")


def _within(members: Sequence[Photo], scope: Scope | None) -> bool:
    """All of them were taken then, and one of them lies there."""
    if scope is None:
        return True
    since, until = scope.since, scope.until
    for photo in members:
        if (since is not None or until is not None) and photo.taken_at is None:
            return False
        at = photo.taken_at or 0.0
        if (since is not None and at < since) or (until is not None and at >= until):
            return False
    return scope.root_id is None or any(p.root_id == scope.root_id and _below(p, scope.folder) for p in members)


# --- doing it ----------------------------------------------------------------------------------------------------------


async def settle(
    service: Service, voter_id: int, rule: Rule, name: str, count: int, typed_count: int | None = None
) -> list[Outcome]:
    """Settle every group of the plan, and move what goes: as many photos as the owner was shown, or none.

    `name` is that of this decision, by which it is undone. The same call again repeats what was not moved yet, such as with the
    count after CountNeeded; until then what goes is suggested. Raises PreciousError where the plan is another one meanwhile.
    """
    if not await service.store.aread(decisions.of_rule, voter_id, name):
        wanted = await plan(service, voter_id, rule)
        if len(wanted.going) != count or not count:
            raise PreciousError("The groups have changed since you looked at them. Look again; nothing was changed.")
        await service.store.awrite(_settle, voter_id, rule, name, wanted, service.clock())
    uids = await service.store.aread(suggestions.of_run, voter_id, _run(name), SuggestionState.OPEN)
    return await review.approve_and_apply(service, voter_id, uids, typed_count) if uids else []


def _settle(db: Database, voter_id: int, rule: Rule, name: str, wanted: Plan, now: float) -> None:
    for one in wanted.settlings:
        best, staying = one.photos[0], {photo.id for photo in one.photos[: one.stays]}
        decisions.add(db, voter_id, best.id, [photo.id for photo in one.photos], staying, now, name)
        suggestions.withdraw(db, voter_id, staying, now)
        why = f"by your rule, {one.stays} of {len(one.photos)} stay"
        going = [Suggestion(photo.id, rule.kind.value, None, False, (why,), best.id) for photo in one.going]
        suggestions.put_open(db, voter_id, _run(name), going, now, rename=True)


def _run(name: str) -> str:
    return f"rule-{name}"


async def undo(service: Service, voter_id: int, name: str) -> list[Outcome]:
    """Put back what a rule moved, and forget what it decided; while something cannot be put back, that group stays decided."""

    def look(db: Database) -> list[str]:
        gone = [(d.at, photo) for d in decisions.of_rule(db, voter_id, name) for photo in d.members - d.stays]
        return [unit.uid for at, photo in gone for unit in units.done_since(db, [photo], at)]

    moved = await service.store.aread(look)
    outcomes = await review.undo(service, voter_id, moved) if moved else []
    stuck = {outcome.unit.photo_id for outcome in outcomes if not outcome.moved}

    def forget(db: Database) -> None:
        now = service.clock()
        for decision in decisions.of_rule(db, voter_id, name):
            if not decision.members & stuck:
                decisions.forget(db, voter_id, decision.id)
                suggestions.unwithdraw(db, voter_id, decision.stays, decision.at, now)
        suggestions.withdraw_run(db, voter_id, _run(name), now)

    await service.store.awrite(forget)
    return outcomes
