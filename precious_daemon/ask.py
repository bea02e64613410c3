"""The next question, and what becomes of its answer: stored first, then rated."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from precious_daemon import exchange, rating, verdict
from precious_daemon.config import AskSettings
from precious_daemon.errors import PreciousError
from precious_daemon.exchange import ImportReport
from precious_daemon.models import Answer, Choice, Photo, PhotoState, Question, Rating, Scope, Vote
from precious_daemon.pairing import Candidate, choose_pair
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, groups, photos, ratings, scopes, scores

CHOICES = {
    Question.PAIR: {Choice.FIRST, Choice.SECOND, Choice.DRAW, Choice.SKIP, Choice.BOTH_KEEP, Choice.BOTH_DELETE},
    Question.LABEL: {Choice.KEEP, Choice.DELETE, Choice.SKIP},
    Question.AUDIT: {Choice.KEEP, Choice.DELETE, Choice.SKIP},
}
RANDOM_CANDIDATES = 12  # photos looked at for a pair: some at random (as good as 32, in half the time), and their neighbours
ANCHORS = 4
NEIGHBOURS = 4
TOPS = (1, 3, 5, 10, 20)
STEADY_KNOWN = 400
SCOPED = 300  # photos of a part of the library that neighbours are looked for among
RECENT = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. Two photos for a pair, one otherwise; `group_size` counts the photo's burst or copies, itself included."""

    question: Question
    purpose: str
    photos: tuple[Photo, ...]
    group_size: int = 1


# --- the next question -------------------------------------------------------------------------------------------------


async def next_pair(service: Service, voter_id: int, exclude: Collection[str] = (), scope: Scope | None = None) -> Asked | None:
    """Two photos whose comparison tells most; None with fewer than two photos.

    `exclude` holds the uids of photos that are on the page already, or were fetched for it: a page can look ahead. With a
    `scope` both are of that part of the library.
    """
    point = service.rng.getrandbits(64) - (1 << 63)
    candidates, answered, recent = await service.store.aread(_pair_candidates, voter_id, point, exclude, scope)
    chosen = choose_pair(candidates, answered, recent, service.rng)
    if chosen is None:
        return None
    found = await service.store.aread(photos.many, chosen)
    return Asked(Question.PAIR, "rank", (found[chosen[0]], found[chosen[1]]))


def _pair_candidates(
    db: Database, voter_id: int, point: int, exclude: Collection[str], scope: Scope | None
) -> tuple[list[Candidate], set[tuple[int, int]], list[int]]:
    """A few dozen photos by index: some at random, and the neighbours in rating of the least certain of them."""
    shown = photos.ids(db, exclude)
    find = _everywhere if scope is None else partial(_in_scope, scope)
    ids = [i for i in dict.fromkeys(find(db, voter_id, point, shown)) if i not in shown]
    known = ratings.many(db, voter_id, ids)
    together = groups.group_numbers(db, ids)
    candidates = [Candidate(i, known.get(i, rating.START), together.get(i)) for i in ids]
    recent = [
        i
        for answer in answers.recent(db, voter_id, RECENT)
        if answer.question is Question.PAIR
        for i in (answer.photo_id, answer.other_id)
        if i is not None
    ]
    return candidates, answers.answered_pairs(db, voter_id, ids), recent


def _everywhere(db: Database, voter_id: int, point: int, shown: Collection[int]) -> list[int]:
    ids = [photo.id for photo in photos.random_present(db, point, RANDOM_CANDIDATES, exclude=shown, ranked_by=voter_id)]
    known = ratings.many(db, voter_id, ids)
    for anchor in _anchors(ids, known):
        ids += ratings.neighbours(db, voter_id, known[anchor].mu, NEIGHBOURS)
    return ids


def _in_scope(scope: Scope, db: Database, voter_id: int, point: int, shown: Collection[int]) -> list[int]:
    """The neighbours are those among some photos of the scope: the index of ratings knows no folders."""
    pool = [i for i in scopes.sample(db, scope, voter_id, point, RANDOM_CANDIDATES, SCOPED) if i not in shown]
    known = ratings.many(db, voter_id, pool)
    ids = pool[:RANDOM_CANDIDATES]
    for anchor in _anchors(ids, known):
        ids += sorted(known, key=lambda i: abs(known[i].mu - known[anchor].mu))[: 2 * NEIGHBOURS + 1]
    return ids


def _anchors(ids: Iterable[int], known: Mapping[int, Rating]) -> list[int]:
    return sorted((i for i in ids if i in known), key=lambda i: -known[i].sigma)[:ANCHORS]


async def next_label(service: Service, voter_id: int, exclude: Collection[str] = ()) -> Asked | None:
    """A photo to keep or delete: representatives to train on, random ones to test with, and blind audits among them.

    `exclude` as in `next_pair`.
    """
    point = service.rng.getrandbits(64) - (1 << 63)
    guess = service.jobs.instant.guess(voter_id)
    ahead = guess.ask if guess else ()
    return await service.store.aread(_next_label, voter_id, service.settings.ask, point, service.rng.random(), exclude, ahead)


def _next_label(
    db: Database,
    voter_id: int,
    settings: AskSettings,
    point: int,
    chance: float,
    exclude: Collection[str],
    ahead: Sequence[int],
) -> Asked | None:
    """`ahead`: photos that the model for now is in doubt about, which are asked once the representatives are."""
    shown = photos.ids(db, exclude)
    counts = answers.counts(db, voter_id)
    train, test = counts.get("train", 0), counts.get("test", 0)
    enough = train >= settings.train_labels and test >= settings.test_labels
    audit = scores.next_audit(db, voter_id, shown)
    last = next(iter(answers.recent(db, voter_id, 1)), None)
    if audit and last and last.choice is Choice.SKIP and last.photo_id == audit.id:
        audit = None  # it comes again after another question: an audit is never dropped
    if audit and (enough or chance < 0.5):
        return _single(db, Question.AUDIT, "audit", audit)
    behind_on_test = train * settings.test_labels > test * settings.train_labels
    if test < settings.test_labels and (behind_on_test or train >= settings.train_labels):
        for photo in photos.random_present(db, point, 1, voter_id, shown):
            return _single(db, Question.LABEL, "test", photo)
    representative = groups.next_representative(db, voter_id, shown)
    doubtful = None if representative else _doubtful(db, voter_id, [i for i in ahead if i not in shown])
    chosen = representative or doubtful
    for photo in [chosen] if chosen else photos.random_present(db, point, 1, voter_id, shown):
        return _single(db, Question.LABEL, "train", photo)
    return None


def _doubtful(db: Database, voter_id: int, ahead: Sequence[int]) -> Photo | None:
    """The first of these photos that is there and not labelled."""
    labelled = {label.photo_id for label in answers.labels(db, voter_id)} if ahead else set()
    known = photos.many(db, ahead)
    there = (known[i] for i in ahead if i in known and i not in labelled)
    return next((photo for photo in there if photo.state is PhotoState.PRESENT), None)


def _single(db: Database, question: Question, purpose: str, photo: Photo) -> Asked:
    sizes = [len(group.members) for group in groups.group_of(db, photo.id)]
    return Asked(question, purpose, (photo,), max(sizes, default=1))


# --- how far it is -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Steady:
    """How many answers it takes until the top of a ranking is steady. Nothing is needed, or known, of fewer than four photos."""

    top: int
    needed: int
    sentence: str


def until_steady(db: Database, voter_id: int, scope: Scope | None = None) -> Steady | None:
    """`rating.answers_until_steady` of the library or a part of it; None where there is too little, or a part too large.

    Of more than `STEADY_KNOWN` rated photos the best are looked at, and the others taken to be known as well as they are.
    """
    best = [rated for _, rated in ratings.ranking(db, voter_id, None, STEADY_KNOWN, scope)]
    if scope is None:
        total, rated = photos.counts(db)[PhotoState.PRESENT], ratings.count(db, voter_id)
    else:
        inside = scopes.sample(db, scope, voter_id, 0, 0, scopes.FEW)
        total, rated = len(inside), len(ratings.many(db, voter_id, inside))
    top = max((size for size in TOPS if 4 * size <= total), default=0)
    if not top:
        return None
    unknown = max(total - rated, 0)
    needed = rating.answers_until_steady(best, unknown, top)
    if rated > len(best) > 0:
        needed = round(needed * total / (len(best) + unknown))
    return Steady(top, needed, _steady_words(top, needed))


def _steady_words(top: int, needed: int) -> str:
    what = f"the top {top}" if top > 1 else "the best photo"
    if needed == 0:
        return f"{what} is steady"
    if needed > 5000:
        return f"{what} of so many photos takes thousands of answers; a folder or a year alone gets there sooner"
    step = 5 if needed < 50 else 10 if needed < 200 else 50 if needed < 1000 else 100
    return f"about {math.ceil(needed / step) * step:,} more answers until {what} is steady"


# --- the answer --------------------------------------------------------------------------------------------------------


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
    if len(set(photo_uids)) != (2 if question is Question.PAIR else 1):
        raise PreciousError("A pair has two different photos, any other question one.")
    if purpose not in {Question.PAIR: {"rank"}, Question.LABEL: {"train", "test"}, Question.AUDIT: {"audit"}}[question]:
        raise PreciousError(f'"{purpose}" is no purpose of this question.')
    stored = await service.store.awrite(_store, voter_id, question, choice, list(photo_uids), purpose, service.clock(), request)
    if question is Question.AUDIT:
        await verdict.refresh(service, voter_id)
    if question is Question.LABEL:
        service.jobs.instant.answered(voter_id)
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
    newest = answers.newest_id(db, voter_id)
    stored = answers.add(db, voter_id, question, choice, ids[0], ids[1] if len(ids) > 1 else None, purpose, now, request)
    if stored.id > newest:
        _rate(db, voter_id, stored)
    return stored


def _rate(db: Database, voter_id: int, stored: Answer) -> None:
    if stored.choice in (Choice.FIRST, Choice.SECOND, Choice.DRAW):
        first, second = stored.photo_id, stored.other_id
        assert first is not None
        assert second is not None
        winner, loser = (second, first) if stored.choice is Choice.SECOND else (first, second)
        known = ratings.many(db, voter_id, (winner, loser))
        after = rating.update(known.get(winner, rating.START), known.get(loser, rating.START), draw=stored.choice is Choice.DRAW)
        ratings.put(db, voter_id, winner, after[0])
        ratings.put(db, voter_id, loser, after[1])
    ratings.set_applied_through(db, voter_id, stored.id)


async def take_back(service: Service, voter_id: int) -> tuple[Answer, tuple[Photo, ...]]:
    """Undo the newest answer that counts, and return it with its photos. Raises NotFound where there is none."""
    undone, shown = await service.store.awrite(_take_back, voter_id, service.clock())
    if undone.question is Question.AUDIT:
        await verdict.refresh(service, voter_id)
    if undone.question is Question.LABEL:
        service.jobs.instant.answered(voter_id)
    return undone, shown


def _take_back(db: Database, voter_id: int, now: float) -> tuple[Answer, tuple[Photo, ...]]:
    undone = answers.undo(db, voter_id, now)
    if undone.question is Question.PAIR:
        rerate(db, voter_id)
    ids = [i for i in (undone.photo_id, undone.other_id) if i is not None]
    found = photos.many(db, ids)
    return undone, tuple(found[i] for i in ids)


def rerate(db: Database, voter_id: int) -> None:
    """Make the ratings anew from every vote that counts."""
    votes = (vote for _, vote in answers.votes(db, voter_id))
    ratings.replace_all(db, voter_id, rating.replay(votes, ratings.priors(db, voter_id)))
    ratings.set_applied_through(db, voter_id, answers.newest_id(db, voter_id))


def catch_up(db: Database, voter_id: int) -> bool:
    """After a start: ratings that do not hold the newest answer (a crash, a rebuilt cache) are made anew."""
    if ratings.applied_through(db, voter_id) == answers.newest_id(db, voter_id):
        return False
    rerate(db, voter_id)
    return True


# --- in and out of the ranking -----------------------------------------------------------------------------------------


async def take_out(service: Service, voter_id: int, photo_uids: Sequence[str]) -> int:
    """Take photos out of the ranking: they are asked about in no pair, and keep their votes. How many were in it."""
    return await service.store.awrite(_take_out_uids, voter_id, list(photo_uids), service.clock())


def _take_out_uids(db: Database, voter_id: int, photo_uids: list[str], now: float) -> int:
    return sum([_take_out(db, voter_id, photos.by_uid(db, uid).id, "rank", now) for uid in photo_uids])


def _take_out(db: Database, voter_id: int, photo_id: int, purpose: str, now: float) -> bool:
    if answers.out_of_ranking(db, voter_id, photo_id):
        return False
    answers.add(db, voter_id, Question.RANKING, Choice.OUT, photo_id, None, purpose, now)
    ratings.set_applied_through(db, voter_id, answers.newest_id(db, voter_id))  # no rating changes
    return True


async def bring_back(service: Service, voter_id: int, photo_uids: Sequence[str]) -> int:
    """Undo `take_out`, whoever did it. How many were out."""
    return await service.store.awrite(_bring_back, voter_id, list(photo_uids), service.clock())


def _bring_back(db: Database, voter_id: int, photo_uids: list[str], now: float) -> int:
    done = 0
    for uid in photo_uids:
        if out := answers.out_of_ranking(db, voter_id, photos.by_uid(db, uid).id):
            answers.undo(db, voter_id, now, out.id)
            ratings.set_applied_through(db, voter_id, answers.newest_id(db, voter_id))
            done += 1
    return done


# --- moving over from and to image-ranker ------------------------------------------------------------------------------


async def export_votes(service: Service, voter_id: int) -> str:
    """CSV `Winner,Loser` of every comparison with a winner, in the order given; then the photos taken out, as `None,photo`."""

    def look(db: Database) -> str:
        names = _names(db)
        rows = [(names[v.winner], names[v.loser]) for _, v in answers.votes(db, voter_id) if not v.draw]
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
    taken_out = sum([_take_out(db, voter_id, found[name], "import", now) for name in dict.fromkeys(out) if name in found])
    rerate(db, voter_id)
    return ImportReport(kind, len(votes) + len(starts), unknown, taken_out)


def _names(db: Database) -> dict[int, str]:
    return {row[0]: _shown(os.fsdecode(row[1])) for row in db.execute("SELECT id, path FROM photos")}


def _shown(path: str) -> str:
    """A path as text that any program can read: bytes that are not UTF-8 become question marks."""
    return path.encode("utf-8", "replace").decode("utf-8")
