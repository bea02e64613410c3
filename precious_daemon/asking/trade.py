"""Votes and rankings in and out: image-ranker's files, pairs to train a reward model on, the best of each event."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence

from precious_daemon.asking import answering, ledger
from precious_daemon.models import Choice, Photo, Question, Rating, Vote
from precious_daemon.pure import exchange, highlights, prompts, rating
from precious_daemon.pure.exchange import ImportReport
from precious_daemon.pure.highlights import Event
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, photos, ratings, roots
from precious_daemon.store import prompts as stored_prompts

PREFERENCES = 2000  # votes that are written at once
HIGHLIGHTS_AMONG = 300  # rated photos that are looked at for one page of events
EVENTS = 20  # of a page


async def export_votes(service: Service, voter_id: int) -> str:
    """CSV `Winner,Loser` of every comparison with a winner, in the order given; then the photos taken out, as `None,photo`."""

    def look(db: Database) -> str:
        names = _names(db)
        found = answers.votes_on_two(answers.votes(db, voter_id))
        rows = [(names[v.winner], names[v.loser]) for v in found if not v.draw]
        rows += [(exchange.NOBODY, names[i]) for i in answers.all_out_of_ranking(db, voter_id)]
        return exchange.votes_text(rows)

    return await service.store.astudy(look)


async def export_ranking(service: Service, voter_id: int) -> str:
    """CSV `Image,ELO,Uncertainty,Upvotes,Downvotes`, best first."""

    def look(db: Database) -> str:
        rows: list[tuple[str, Rating]] = []
        after: tuple[float, int] | None = None
        while part := ratings.ranking(db, voter_id, after, 1000):
            rows += [(_shown(photo.path), rated) for photo, rated in part]
            after = (part[-1][1].mu, part[-1][0].id)
        return exchange.ranking_text(rows, rating.START.mu)

    return await service.store.astudy(look)


async def export_preferences(service: Service, voter_id: int, *, hashes: bool = False) -> AsyncIterator[str]:
    """JSON lines {"prompt", "chosen", "rejected"}, one for each two photos that the owner told apart.

    These are the columns that TRL's `RewardTrainer` takes. A photo is named by its path, or on request by `blake3:` and its
    content hash; the prompt is empty where none is known. Equal and skipped pairs say nothing here.
    """
    rows = await service.store.astudy(lambda db: list(answers.votes_on_two(answers.votes(db, voter_id))))
    for start in range(0, len(rows), PREFERENCES):
        part = [vote for vote in rows[start : start + PREFERENCES] if not vote.draw]
        shown = await service.store.aread(photos.many, {i for vote in part for i in (vote.winner, vote.loser)})
        texts = await prompts_of(service, [i for i in shown if any(vote.winner == i for vote in part)])
        for vote in part:
            winner, loser = shown[vote.winner], shown[vote.loser]
            if hashes and not (winner.content_hash and loser.content_hash):
                continue
            names = [f"blake3:{(p.content_hash or b'').hex()}" if hashes else _shown(p.path) for p in (winner, loser)]
            line = {"prompt": texts.get(vote.winner, ""), "chosen": names[0], "rejected": names[1]}
            yield json.dumps(line, ensure_ascii=False) + "\n"


async def prompts_of(service: Service, photo_ids: Sequence[int]) -> dict[int, str]:
    """Prompts of these photos: as the owner put them, or as their files say. Files are looked into until one is found."""
    known = await service.store.aread(stored_prompts.many, photo_ids)
    missing = [i for i in photo_ids if i not in known]
    places = await service.store.aread(_places, missing)
    read = await asyncio.to_thread(lambda: {i: prompts.read(path) or "" for i, path in places.items()})

    def keep(db: Database) -> None:
        for photo_id, prompt in read.items():
            if prompt:
                stored_prompts.put(db, photo_id, prompt, "file", service.clock())

    if any(read.values()):
        await service.store.awrite(keep)
    return known | read


def _places(db: Database, photo_ids: Sequence[int]) -> dict[int, str]:
    watched = {root.id: root.path for root in roots.all_roots(db)}
    return {i: os.path.join(watched[p.root_id], p.path) for i, p in photos.many(db, photo_ids).items() if p.state == "present"}


async def best_of_events(
    service: Service, voter_id: int, top: int, pause: float, before: float | None = None
) -> tuple[list[tuple[Event, list[Photo]]], float | None]:
    """The best photos of each event, with variety, newest event first; and where the next page begins, None where it is the last.

    `before` leaves out photos taken then or later. An event of more than HIGHLIGHTS_AMONG rated photos is cut in two.
    """
    return await service.store.aread(best_before, voter_id, top, pause, before)


def best_before(
    db: Database, voter_id: int, top: int, pause: float, before: float | None
) -> tuple[list[tuple[Event, list[Photo]]], float | None]:
    """`best_of_events`, within a transaction."""
    candidates = ratings.for_highlights(db, voter_id, before, HIGHLIGHTS_AMONG)
    found = highlights.choose(candidates, top, pause)[::-1]
    more = len(candidates) == HIGHLIGHTS_AMONG
    if more and len(found) > 1:
        found.pop()  # older photos may belong to it: it comes whole with the next page
    shown = found[:EVENTS]
    known = photos.many(db, [i for event in shown for i in event.chosen])
    older = shown[-1].begins if shown and (more or len(found) > len(shown)) else None
    return [(event, [known[i] for i in event.chosen]) for event in shown], older


async def import_csv(service: Service, voter_id: int, text: str) -> ImportReport:
    """Bring votes or a ranking along. Votes are stored as answers, rankings as where the ratings start from.

    A vote that is here already, from an earlier import or given here, does not count twice.
    """
    kind, pairs, ranked = exchange.parse(text, rating.START.mu)
    return await service.store.awrite(_import, voter_id, kind, pairs, ranked, service.clock())


def _import(
    db: Database, voter_id: int, kind: str, pairs: list[tuple[str, str]], ranked: list[tuple[str, Rating]], now: float
) -> ImportReport:
    usable = [pair for pair in pairs if exchange.NOBODY not in pair]
    out = [loser for winner, loser in pairs if winner == exchange.NOBODY]
    wanted: Iterable[str] = [name for pair in usable for name in pair] + out + [name for name, _ in ranked]
    found, unknown = exchange.resolve(wanted, _names(db))
    votes = [Vote(found[a], found[b], False) for a, b in usable if a in found and b in found and found[a] != found[b]]
    new = _not_here(db, voter_id, votes)
    for vote in new:
        answers.add(db, voter_id, Question.PAIR, Choice.FIRST, vote.winner, vote.loser, "import", now)
    starts = [(found[name], start) for name, start in ranked if name in found]
    for photo_id, start in starts:
        ratings.put_prior(db, voter_id, photo_id, start)
    taken_out = sum([answering.put_out(db, voter_id, found[name], "import", now) for name in dict.fromkeys(out) if name in found])
    if starts:
        ledger.rebuild(db, voter_id)
    else:
        ledger.catch_up(db, voter_id)
    return ImportReport(kind, len(new) + len(starts), unknown, taken_out, len(votes) - len(new))


def _not_here(db: Database, voter_id: int, votes: Sequence[Vote]) -> list[Vote]:
    """Those that go beyond what was said of the same two photos: after an import all of the file is here, as often as in it."""
    here = (
        Counter((v.winner, v.loser) for v in answers.votes_on_two(answers.votes(db, voter_id)) if not v.draw)
        if votes
        else Counter()
    )
    new = []
    for vote in votes:
        if here[vote.winner, vote.loser]:
            here[vote.winner, vote.loser] -= 1
        else:
            new.append(vote)
    return new


def _names(db: Database) -> dict[int, str]:
    return {photo_id: _shown(path) for photo_id, path in photos.paths(db).items()}


def _shown(path: str) -> str:
    """A path as text that any program can read: bytes that are not UTF-8 become question marks."""
    return path.encode("utf-8", "replace").decode("utf-8")
