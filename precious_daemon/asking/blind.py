"""Blind questions about groups: two photos of one group, one of which would go, without telling which.

They certify what is suggested because another photo stays, teach no model, and are asked on a page of their own: whoever wants
hundreds of copies or weaker frames approved at once answers a few dozen of them first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from precious_daemon.asking import answering
from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Answer, Choice, Photo, Question
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, audits, photos
from precious_daemon.suggesting import verdict

CHOICES = {Choice.FIRST, Choice.SECOND, Choice.DRAW, Choice.BOTH_KEEP, Choice.BOTH_DELETE, Choice.SKIP}
PURPOSE = "audit"


@dataclass(frozen=True, slots=True)
class Asked:
    """Two photos of a group of this kind, in random order. `needed`: answers missing, this one included, if none is a mistake."""

    kind: str
    photos: tuple[Photo, Photo]
    needed: int | None


async def next_question(service: Service, voter_id: int, kind: str | None = None, exclude: Collection[str] = ()) -> Asked | None:
    """A question about this kind of group, or the kind that needs the fewest more answers; None where no more are of use."""
    swap = service.rng.random() < 0.5
    return await service.store.aread(_next, voter_id, kind, exclude, swap)


def _next(db: Database, voter_id: int, kind: str | None, exclude: Collection[str], swap: bool) -> Asked | None:
    shown = photos.ids(db, exclude)
    last = next(iter(answers.page(db, voter_id, (Question.ENOUGH,), None, 1)), None)
    skipped = set(last.photos) if last and last.choice is Choice.SKIP else set()  # comes again after another one
    due = [one for one in _due(db, voter_id) if kind in (None, one["kind"])]
    for one, passed_over in [*((one, shown | skipped) for one in due), *((one, shown) for one in due)]:
        if draw := audits.next_draw(db, voter_id, one["kind"], passed_over):
            known = photos.many(db, draw)
            first, second = reversed(draw) if swap else draw
            return Asked(one["kind"], (known[first], known[second]), one["needed"])
    return None


def _due(db: Database, voter_id: int) -> list[dict[str, Any]]:
    """Kinds of groups that answers can still certify, the nearest to it first."""
    return sorted((one for one in verdict.of_groups(db, voter_id) if one["needed"]), key=lambda one: one["needed"])


async def answer(
    service: Service, voter_id: int, choice: Choice, photo_uids: Collection[str], request: str | None = None
) -> Answer:
    """Store what is said of two photos, in the order in which they were shown; it is on disk when this returns.

    First and second: that one is enough. Draw: either is. The same `request` again stores nothing new.
    """
    if choice not in CHOICES or len(set(photo_uids)) != 2:
        raise PreciousError("Two different photos are asked about here: one of them is enough, either is, both stay, or both go.")

    def keep(db: Database) -> Answer:
        first, second = (photos.by_uid(db, uid).id for uid in photo_uids)
        return answers.add(db, voter_id, Question.ENOUGH, choice, first, second, PURPOSE, service.clock(), request)

    stored = await service.store.asay(keep)
    await verdict.refresh(service, voter_id)
    return stored


async def take_back(service: Service, voter_id: int) -> answering.Undone:
    """Undo the newest of these answers. Raises NotFound where there is none."""
    newest = await service.store.aread(audits.newest_answer, voter_id)
    if newest is None:
        raise NotFound("There is no blind answer about a group to take back.")
    return await answering.take_back(service, voter_id, newest)
