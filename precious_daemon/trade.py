"""Votes and rankings in and out: image-ranker's files, and pairs to train a reward model on."""

from __future__ import annotations

import os
from collections.abc import Iterable

from precious_daemon import ask, exchange, ledger, rating
from precious_daemon.exchange import ImportReport
from precious_daemon.models import Choice, Question, Rating, Vote
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, ratings


async def export_votes(service: Service, voter_id: int) -> str:
    """CSV `Winner,Loser` of every comparison with a winner, in the order given; then the photos taken out, as `None,photo`."""

    def look(db: Database) -> str:
        names = _names(db)
        found = answers.votes_on_two(answers.votes(db, voter_id))
        rows = [(names[v.winner], names[v.loser]) for v in found if not v.draw]
        rows += [(exchange.NOBODY, names[i]) for i in answers.all_out_of_ranking(db, voter_id)]
        return exchange.votes_text(rows)

    return await service.store.aread(look)


async def export_ranking(service: Service, voter_id: int) -> str:
    """CSV `Image,ELO,Uncertainty,Upvotes,Downvotes`, best first."""

    def look(db: Database) -> str:
        rows: list[tuple[str, Rating]] = []
        after: tuple[float, int] | None = None
        while part := ratings.ranking(db, voter_id, after, 1000):
            rows += [(_shown(photo.path), rated) for photo, rated in part]
            after = (part[-1][1].mu, part[-1][0].id)
        return exchange.ranking_text(rows, rating.START.mu)

    return await service.store.aread(look)


async def import_csv(service: Service, voter_id: int, text: str) -> ImportReport:
    """Bring votes or a ranking along. Votes are stored as answers, rankings as where the ratings start from."""
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
    for vote in votes:
        answers.add(db, voter_id, Question.PAIR, Choice.FIRST, vote.winner, vote.loser, "import", now)
    starts = [(found[name], start) for name, start in ranked if name in found]
    for photo_id, start in starts:
        ratings.put_prior(db, voter_id, photo_id, start)
    taken_out = sum([ask.put_out(db, voter_id, found[name], "import", now) for name in dict.fromkeys(out) if name in found])
    if starts:
        ledger.rebuild(db, voter_id)
    else:
        ledger.catch_up(db, voter_id)
    return ImportReport(kind, len(votes) + len(starts), unknown, taken_out)


def _names(db: Database) -> dict[int, str]:
    return {row[0]: _shown(os.fsdecode(row[1])) for row in db.execute("SELECT id, path FROM photos")}


def _shown(path: str) -> str:
    """A path as text that any program can read: bytes that are not UTF-8 become question marks."""
    return path.encode("utf-8", "replace").decode("utf-8")
