"""What the owner does with suggestions and groups: approve, dismiss, settle, restore. Each is stored with its suggestions.

Approving stores "delete" and dismissing "keep", with purpose "review". Where the suggestion was made because another
picture of the same moment stays, the "delete" has purpose "duplicate" instead: it says nothing about taste. A "delete"
counts for as long as its unit is on its way to the trash or in it; when the unit is refused or restored, an undo answer
takes it back, and nothing else that the owner ever said about the photo changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from posixpath import basename
from typing import TYPE_CHECKING

from precious_daemon.errors import PreciousError, TrashRefused
from precious_daemon.models import Choice, GroupDecision, GroupKind, Photo, Question, Suggestion, SuggestionState
from precious_daemon.store import Database, answers, decisions, groups, held, photos, suggestions, units
from precious_daemon.store.suggestions import SuggestionRow
from precious_daemon.suggesting import people, telling
from precious_daemon.trash.moves import shown

if TYPE_CHECKING:
    from precious_daemon.service import Service
    from precious_daemon.trash import Outcome

KEPT = "you answered since that you keep it"


async def approve_and_apply(
    service: Service, voter_id: int, suggestion_uids: Sequence[str], typed_count: int | None = None
) -> list[Outcome]:
    """Move suggested photos to the trash now. One outcome each, in the order asked for.

    Raises CountNeeded where there are so many that the owner has to type how many, NotFound and TrashRefused where one
    is not suggested any more; nothing is approved then.
    """
    await service.trash.check(voter_id, suggestion_uids, typed_count)
    await check_wishes(service, voter_id, suggestion_uids)
    batch = await service.trash.approve(voter_id, suggestion_uids)
    try:
        outcomes = await service.trash.apply(batch, typed_count)
    finally:  # what was not dealt with, for the caller went away or the count no longer holds, is not left approved
        await service.trash.cancel(batch)
    moved = [outcome.unit.photo_id for outcome in outcomes if outcome.moved]
    await service.store.awrite(suggestions.settle, voter_id, moved, SuggestionState.WITHDRAWN, service.clock())
    await telling.tell(service, "trashed", voter_id, moved)
    await telling.tell(service, "resolved", voter_id, moved, decision="approved")
    return outcomes


async def check_wishes(service: Service, voter_id: int, uids: Sequence[str], *, hold: bool = True) -> None:
    """Raises TrashRefused where somebody wants to keep one of these: another person, or its own voter, who has answered so since.

    With `hold`, that one is held back from then on.
    """
    spoken = await service.store.aread(_spoken_for, voter_id, uids)
    if not spoken:
        return

    def hold_back(db: Database) -> None:
        for row, why in spoken:
            suggestions.set_state(db, [row.id], SuggestionState.WITHDRAWN, service.clock())
            held.add(db, row.voter_id, row.photo.id, row.suggestion.kind, why, row.suggestion.reasons)

    if hold:
        await service.store.awrite(hold_back)
    row, why = spoken[0]
    more = f" So it is with {len(spoken) - 1} more." if len(spoken) > 1 else ""
    raise TrashRefused(f"{shown(row.photo.path)} stays: {why}.{more} Nothing was moved; reload the page for what is left.")


def _spoken_for(db: Database, voter_id: int, uids: Sequence[str]) -> list[tuple[SuggestionRow, str]]:
    rows = suggestions.by_uids(db, uids)
    others, kept = people.wishes(db, voter_id, [row.photo.id for row in rows]), suggestions.kept_since(db, uids)
    found = [(row, KEPT if row.uid in kept else others.against(row.photo.id, row.suggestion.kind)) for row in rows]
    return [(row, why) for row, why in found if why]


async def dismiss(service: Service, voter_id: int, suggestion_uids: Sequence[str]) -> int:
    """The owner keeps these photos: they are not suggested again. Returns how many were open."""
    uids = list(dict.fromkeys(suggestion_uids))
    kept = await service.store.awrite(_dismiss, voter_id, uids, service.clock())
    await telling.tell(service, "resolved", voter_id, kept, decision="dismissed")
    return len(kept)


def _dismiss(db: Database, voter_id: int, uids: Sequence[str], now: float) -> list[int]:
    rows = [row for row in suggestions.by_uids(db, uids) if row.state is SuggestionState.OPEN]
    for row in rows:
        answers.add(db, voter_id, Question.SUGGESTION, Choice.KEEP, row.photo.id, None, "review", now)
    suggestions.settle(db, voter_id, [row.photo.id for row in rows], SuggestionState.DISMISSED, now)
    return [row.photo.id for row in rows]


async def undo(service: Service, voter_id: int, unit_uids: Sequence[str]) -> list[Outcome]:
    """Put photos back from the trash, whichever voter sent them there: a restored photo harms nobody.

    The answer of the voter who approved it is taken back together with the journal's last step.
    """
    outcomes = await service.trash.undo(unit_uids, voter_id)
    await telling.tell(service, "restored", voter_id, [outcome.unit.photo_id for outcome in outcomes if outcome.moved])
    return outcomes


# --- chosen by hand ----------------------------------------------------------------------------------------------------


async def let_go(service: Service, voter_id: int, photo_uids: Sequence[str], typed_count: int | None = None) -> list[Outcome]:
    """Move photos to the trash that the owner looked at and chose, suggested or not.

    Raises as `approve_and_apply`, and TrashRefused also for what a plugin or another person protects. Nothing is changed then.
    """
    going = await service.store.aread(lambda db: [photos.by_uid(db, uid) for uid in dict.fromkeys(photo_uids)])
    await _check_vetoes(service, voter_id, going)
    run = f"chosen-{secrets.token_hex(8)}"
    suggested = await service.store.awrite(_choose, voter_id, going, run, service.clock())
    try:
        return await approve_and_apply(service, voter_id, suggested, typed_count)
    finally:  # what could not be moved is suggested no more than before
        await service.store.awrite(suggestions.withdraw_run, voter_id, run, service.clock())


def _choose(db: Database, voter_id: int, going: Sequence[Photo], run: str, now: float) -> list[str]:
    """What is suggested already keeps its kind and its reasons: a copy that goes does not speak of taste."""
    known = suggestions.open_for(db, voter_id, [photo.id for photo in going])
    kept = suggestions.kept_since(db, known.values())  # who kept one since has thought better of it now
    known = {photo_id: uid for photo_id, uid in known.items() if uid not in kept}
    wanted = [Suggestion(photo.id, "taste", None, False, ("you chose it",)) for photo in going if photo.id not in known]
    made = iter(suggestions.put_open(db, voter_id, run, wanted, now))
    return [known.get(photo.id) or next(made) for photo in going]


# --- groups ------------------------------------------------------------------------------------------------------------


async def settle_group(
    service: Service,
    voter_id: int,
    kind: GroupKind,
    photo_uids: Sequence[str],
    best_uid: str,
    stay_uids: Sequence[str] = (),
    typed_count: int | None = None,
) -> tuple[GroupDecision, list[Outcome]]:
    """The owner looked at these photos of a group: which is the best, which stay beside it, and the others go.

    With no `stay_uids` only the best is named; with all of them the group is kept whole. What goes is suggested, where it
    was not, with the best as what stays in its place, and moved as every approved suggestion is. The same call again
    repeats what was not moved yet, such as with the count after CountNeeded. Raises TrashRefused for what a plugin
    protects, PreciousError where the photos are no group any more; nothing is changed then.
    """
    members = await service.store.aread(_members, kind, photo_uids)
    uids = {photo.uid for photo in members}
    if best_uid not in uids or not uids >= set(stay_uids):
        raise PreciousError("What stays has to be among the photos of the group. Nothing was changed.")
    best = next(photo for photo in members if photo.uid == best_uid)
    staying = {photo.id for photo in members if photo.uid in {best_uid, *stay_uids}} if stay_uids else set()
    going = [photo for photo in members if photo.id not in staying] if staying else []
    await _check_vetoes(service, voter_id, going)
    decision, suggested = await service.store.awrite(_settle, voter_id, kind, best, members, staying, service.clock())
    return decision, await approve_and_apply(service, voter_id, suggested, typed_count) if suggested else []


def _members(db: Database, kind: GroupKind, uids: Sequence[str]) -> list[Photo]:
    found = [photos.by_uid(db, uid) for uid in dict.fromkeys(uids)]
    keys = {groups.key_of(db, photo.id, kind) for photo in found}
    if len(found) < 2 or len(keys) != 1 or None in keys:
        raise PreciousError("The groups were made anew meanwhile. Reload the page and look again; nothing was changed.")
    return found


async def _check_vetoes(service: Service, voter_id: int, going: Sequence[Photo]) -> None:
    from precious_daemon.suggesting import propose  # here: a service at rest suggests nothing

    wishes = await service.store.aread(people.wishes, voter_id, [photo.id for photo in going])
    vetoed = wishes.said | await propose.vetoes(service, {photo.id: photo for photo in going})
    for photo in going:
        if photo.id in vetoed:
            raise TrashRefused(f"{shown(photo.path)} is protected: {vetoed[photo.id]}. Keep it; nothing was changed.")


def _settle(
    db: Database, voter_id: int, kind: GroupKind, best: Photo, members: Sequence[Photo], staying: set[int], now: float
) -> tuple[GroupDecision, list[str]]:
    decision = decisions.add(db, voter_id, best.id, [photo.id for photo in members], staying, now)
    if not staying:
        return decision, []
    suggestions.withdraw(db, voter_id, staying, now)
    why = (
        f"you chose {basename(best.path)} of {len(members)}"
        if len(staying) == 1
        else f"you kept {len(staying)} of {len(members)}"
    )
    wanted = [Suggestion(p.id, kind.value, None, False, (why,), best.id) for p in members if p.id not in staying]
    return decision, suggestions.put_open(db, voter_id, _run(decision), wanted, now)


def _run(decision: GroupDecision) -> str:
    """What stands for a night's run where the owner made the suggestions."""
    return f"group-{decision.id}"


async def undo_group(service: Service, voter_id: int, decision_id: int) -> tuple[GroupDecision, list[Outcome]]:
    """Put back what a decision moved, and forget it; while something cannot be put back, it stays."""

    def look(db: Database) -> tuple[GroupDecision, list[str]]:
        decision = decisions.get(db, voter_id, decision_id)
        gone = decision.members - decision.stays if decision.stays else frozenset[int]()
        return decision, [unit.uid for unit in units.done_since(db, gone, decision.at)]

    decision, moved = await service.store.aread(look)
    outcomes = await undo(service, voter_id, moved) if moved else []
    if all(outcome.moved for outcome in outcomes):
        await service.store.awrite(_unsettle, decision, service.clock())
    return decision, outcomes


def _unsettle(db: Database, decision: GroupDecision, now: float) -> None:
    decisions.forget(db, decision.voter_id, decision.id)
    suggestions.unwithdraw(db, decision.voter_id, decision.stays, decision.at, now)
    suggestions.withdraw_run(db, decision.voter_id, _run(decision), now)
