"""What becomes of an answer: stored first, then rated; taken back at will, and the ratings are as if it had never been given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from precious_daemon.asking import ledger
from precious_daemon.errors import PreciousError
from precious_daemon.models import Aim, Answer, Choice, Photo, Question, Rating
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, photos, ratings
from precious_daemon.suggesting import verdict

COMPARING = {Choice.FIRST, Choice.SECOND, Choice.DRAW, Choice.SKIP}
JUDGING = {Choice.KEEP, Choice.DELETE, Choice.SKIP}
CHOICES = {
    Question.PAIR: COMPARING | {Choice.BOTH_KEEP, Choice.BOTH_DELETE},
    Question.FOUR: COMPARING | {Choice.THIRD, Choice.FOURTH, Choice.ORDER},
    Question.LABEL: JUDGING,
    Question.AUDIT: JUDGING,
}
SHOWN = {Question.PAIR: (2,), Question.FOUR: (3, 4)}  # photos of one question; of any other, one
PURPOSES: dict[Question, Collection[str]] = {
    Question.PAIR: set(Aim),
    Question.FOUR: set(Aim),
    Question.LABEL: {"train", "test", "border"},
    Question.AUDIT: {"audit"},
}


async def answer(
    service: Service,
    voter_id: int,
    question: Question,
    choice: Choice,
    photo_uids: Sequence[str],
    purpose: str,
    request: str | None = None,
) -> Answer:
    """Store an answer; it is on disk when this returns. The same `request` again stores nothing new."""
    if choice not in CHOICES.get(question, set()):
        raise PreciousError(f'"{choice}" is no answer to this question.')
    count = len(set(photo_uids))
    if count != len(photo_uids) or count not in SHOWN.get(question, (1,)):
        raise PreciousError("A pair has two different photos, a choice of several three or four, any other question one.")
    if (choice is Choice.FOURTH and count < 4) or purpose not in PURPOSES[question]:
        raise PreciousError(f'"{choice}" for "{purpose}" does not fit this question.')
    stored = await service.store.asay(_store, voter_id, question, choice, list(photo_uids), purpose, service.clock(), request)
    if question is Question.AUDIT:
        await verdict.refresh(service, voter_id)
    if question is Question.LABEL:
        service.jobs.nightwork.instant.answered(voter_id)
    return stored


def _store(
    db: Database,
    voter_id: int,
    question: Question,
    choice: Choice,
    photo_uids: list[str],
    purpose: str,
    now: float,
    request: str | None,
) -> Answer:
    ids = [photos.by_uid(db, uid).id for uid in photo_uids]
    newest = answers.newest_comparison(db, voter_id)
    first, second, *more = [*ids, None][: max(2, len(ids))]
    assert first is not None
    rest = tuple(i for i in more if i is not None)
    stored = answers.add(db, voter_id, question, choice, first, second, purpose, now, request, rest)
    if stored.id > newest:  # and not one that was sent before
        ledger.apply(db, voter_id, stored, newest)
    return stored


@dataclass(frozen=True, slots=True)
class Undone:
    """An answer that was taken back, its photos as they were shown, and their ratings before and after."""

    answer: Answer
    photos: tuple[Photo, ...]
    before: dict[int, Rating]
    after: dict[int, Rating]


async def take_back(service: Service, voter_id: int, answer_id: int | None = None) -> Undone:
    """Undo an answer, by default the newest that counts. Raises NotFound where there is none.

    It is on disk when this returns, and the ratings are what they would be had it never been given.
    """
    undone, before, behind = await service.store.awrite(_take_back, voter_id, answer_id, service.clock())
    if behind:
        replayed = await service.store.astudy(ledger.compute, voter_id)
        await service.store.awrite(ledger.settle, voter_id, replayed)
    if undone.question in (Question.AUDIT, Question.ENOUGH):
        await verdict.refresh(service, voter_id)
    if undone.question is Question.LABEL:
        service.jobs.nightwork.instant.answered(voter_id)
    found = await service.store.aread(photos.many, undone.photos)
    after = await service.store.aread(ratings.many, voter_id, undone.photos)
    return Undone(undone, tuple(found[i] for i in undone.photos), before, after)


def _take_back(db: Database, voter_id: int, answer_id: int | None, now: float) -> tuple[Answer, dict[int, Rating], bool]:
    newest = answers.newest_comparison(db, voter_id)
    if answer_id is not None and answers.get(db, voter_id, answer_id).question is Question.SUGGESTION:
        raise PreciousError("This was said about a suggestion: undo it where it is, in the trash or on the page of suggestions.")
    undone = answers.undo(db, voter_id, now, answer_id)
    before = ratings.many(db, voter_id, undone.photos)
    return undone, before, ledger.wind_back(db, voter_id, undone, newest)


# --- in and out of the ranking -----------------------------------------------------------------------------------------


async def take_out(service: Service, voter_id: int, photo_uids: Sequence[str]) -> int:
    """Take photos out of the ranking: they are asked about in no pair, and keep their votes. How many were in it."""
    return await service.store.awrite(_take_out_uids, voter_id, list(photo_uids), service.clock())


def _take_out_uids(db: Database, voter_id: int, photo_uids: list[str], now: float) -> int:
    return sum([put_out(db, voter_id, photos.by_uid(db, uid).id, "rank", now) for uid in photo_uids])


def put_out(db: Database, voter_id: int, photo_id: int, purpose: str, now: float) -> bool:
    if answers.out_of_ranking(db, voter_id, photo_id):
        return False
    answers.add(db, voter_id, Question.RANKING, Choice.OUT, photo_id, None, purpose, now)
    return True


async def bring_back(service: Service, voter_id: int, photo_uids: Sequence[str]) -> int:
    """Undo `take_out`, whoever did it. How many were out."""
    return await service.store.awrite(_bring_back, voter_id, list(photo_uids), service.clock())


def _bring_back(db: Database, voter_id: int, photo_uids: list[str], now: float) -> int:
    done = 0
    for uid in photo_uids:
        if out := answers.out_of_ranking(db, voter_id, photos.by_uid(db, uid).id):
            answers.undo(db, voter_id, now, out.id)
            done += 1
    return done
