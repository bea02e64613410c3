"""What the owner does with suggestions: approve, dismiss, restore. Each is an answer, stored with the suggestion's state.

Approving stores "delete" and dismissing "keep", with purpose "review". Where the suggestion was made because another
picture of the same moment stays, the "delete" has purpose "duplicate" instead: it says nothing about taste. A "delete"
counts for as long as its unit is on its way to the trash or in it; when the unit is refused or restored, an undo answer
takes it back, and nothing else that the owner ever said about the photo changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from precious_daemon import propose
from precious_daemon.models import Choice, Question, SuggestionState
from precious_daemon.store import Database, answers, suggestions

if TYPE_CHECKING:
    from precious_daemon.service import Service
    from precious_daemon.trash import Outcome


async def approve_and_apply(
    service: Service, voter_id: int, suggestion_uids: Sequence[str], typed_count: int | None = None
) -> list[Outcome]:
    """Move suggested photos to the trash now. One outcome each, in the order asked for.

    Raises CountNeeded where there are so many that the owner has to type how many, NotFound and TrashRefused where one
    is not suggested any more; nothing is approved then.
    """
    await service.trash.check(voter_id, suggestion_uids, typed_count)
    batch = await service.trash.approve(voter_id, suggestion_uids)
    try:
        outcomes = await service.trash.apply(batch, typed_count)
    finally:  # what was not dealt with, for the caller went away or the count no longer holds, is not left approved
        await service.trash.cancel(batch)
    await propose.tell(service, "trashed", [outcome.unit.photo_id for outcome in outcomes if outcome.moved])
    return outcomes


async def dismiss(service: Service, voter_id: int, suggestion_uids: Sequence[str]) -> int:
    """The owner keeps these photos: they are not suggested again. Returns how many were open."""
    uids = list(dict.fromkeys(suggestion_uids))
    return await service.store.awrite(_dismiss, voter_id, uids, service.clock())


def _dismiss(db: Database, voter_id: int, uids: Sequence[str], now: float) -> int:
    rows = [row for row in suggestions.by_uids(db, voter_id, uids) if row.state is SuggestionState.OPEN]
    for row in rows:
        answers.add(db, voter_id, Question.SUGGESTION, Choice.KEEP, row.photo.id, None, "review", now)
    suggestions.set_state(db, [row.id for row in rows], SuggestionState.DISMISSED, now)
    return len(rows)


async def undo(service: Service, voter_id: int, unit_uids: Sequence[str]) -> list[Outcome]:
    """Put photos back from the trash, whichever voter sent them there: a restored photo harms nobody.

    The answer of the voter who approved it is taken back together with the journal's last step.
    """
    outcomes = await service.trash.undo(unit_uids)
    await propose.tell(service, "restored", [outcome.unit.photo_id for outcome in outcomes if outcome.moved])
    return outcomes
