"""The next question: which photos to compare, which one to judge, and how far the answers are. Asking changes nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from precious_daemon.asking import ledger
from precious_daemon.config import AskSettings
from precious_daemon.models import TRAINING, Aim, Choice, Order, Photo, PhotoState, Question, Rating, Scope, Way
from precious_daemon.pure import rating
from precious_daemon.pure.decide import looks
from precious_daemon.pure.pairing import Candidate, choose_many, choose_pair, plain_shuffle, smart_shuffle
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, groups, photos, pictures, ratings, scopes, scores
from precious_daemon.suggesting import plugin_photos

RANDOM_CANDIDATES = 12  # photos looked at for a pair: some at random (as good as 32, in half the time), and their neighbours
ANCHORS = 4
NEIGHBOURS = 4
MATES = 12  # of the candidates' bursts and copies
TOPS = (1, 3, 5, 10, 20)
STEADY_KNOWN = 400
SCOPED = 300  # photos of a part of the library among which neighbours are looked for
RECENT = 6
FEW_DELETED = 3  # below so many labels that say delete, photos likely to get one are asked about
SUSPECTED = 200  # photos looked at for that
LABELLED = 400  # labels from which the border between keeping and deleting is estimated
# of the stream of all questions, while there is still something to learn and afterwards
PAIRS_EARLY, PAIRS_LATER, BORDER = 0.25, 0.5, 0.5
WATCH = 0.1  # of the labels, once blind answers certify no more: these check that what is certified still holds


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what it is for. `group_size` counts a single photo's burst or copies, itself included."""

    question: Question
    purpose: str
    photos: tuple[Photo, ...]
    group_size: int = 1


# --- the next comparison -----------------------------------------------------------------------------------------------


async def next_pair(
    service: Service, voter_id: int, exclude: Collection[str] = (), scope: Scope | None = None, way: Way | None = None
) -> Asked | None:
    """The photos whose comparison tells most, two or four as `way` has it; None with fewer than two.

    `exclude` holds the uids of photos that are on the page already, or were fetched for it: a page can look ahead. With a
    `scope` all are of that part of the library.
    """
    way = way or Way()
    rng = service.rng
    if way.order is Order.SMART:  # the same candidates until the next shuffle
        votes = await service.store.aread(answers.vote_count, voter_id)
        rng = random.Random(f"{voter_id} {votes // max(way.every, 1)}")
    point = rng.getrandbits(64) - (1 << 63)
    found = await service.store.aread(_candidates, voter_id, point, exclude, scope, way)
    chosen = _choose(found, way, service.rng)
    if chosen is None:
        return None
    known = await service.store.aread(photos.many, chosen)
    return Asked(Question.PAIR if len(chosen) == 2 else Question.FOUR, way.aim, tuple(known[i] for i in chosen))


@dataclass(frozen=True, slots=True)
class _Found:
    candidates: list[Candidate]
    answered: set[tuple[int, int]]
    tired: set[int]
    border: float | None


def _choose(found: _Found, way: Way, rng: random.Random) -> tuple[int, ...] | None:
    if way.of > 2:
        return choose_many(found.candidates, found.answered, found.tired, rng, found.border, way.of)
    shuffle = {Order.SMART: smart_shuffle, Order.PLAIN: plain_shuffle}.get(way.order)
    if shuffle:
        return shuffle(found.candidates, found.answered, found.tired, rng)
    return choose_pair(found.candidates, found.answered, found.tired, rng, found.border)


def _candidates(
    db: Database, voter_id: int, point: int, exclude: Collection[str], scope: Scope | None, way: Way | None = None
) -> _Found:
    """A few dozen photos by index: some at random, the neighbours in rating of the least certain of them, and near-duplicates."""
    way = way or Way()
    shown = photos.ids(db, exclude)
    if way.order is Order.ELIMINATION:
        shown |= answers.losers(db, voter_id, way.since)
    border = _border(db, voter_id, way.aim)
    find = _everywhere if scope is None else partial(_in_scope, scope)
    ids = find(db, voter_id, point, shown, border)
    if way.order is Order.TELLING:
        ids += groups.mates(db, ids, MATES)
    ids = [i for i in dict.fromkeys(ids) if i not in shown]
    ids = _once_each(db, photos.of_ranking(db, voter_id, ids, scope), scope)
    known = ratings.guesses(db, voter_id, ids) | ratings.many(db, voter_id, ids)
    together = groups.group_numbers(db, ids)
    candidates = [Candidate(i, known.get(i, rating.START), together.get(i)) for i in ids]
    last = [set(a.photos) for a in answers.recent(db, voter_id, RECENT) if a.question in ledger.COMPARING][:2]
    tired = last[0] & last[1] if len(last) == 2 else set()
    return _Found(candidates, answers.answered_pairs(db, voter_id, ids), tired, border)


def _once_each(db: Database, ids: Sequence[int], scope: Scope | None) -> list[int]:
    """One picture is one candidate, however many copies of it there are: the best copy, or in a part that lacks it any other."""
    best = groups.best_copies(db, ids)
    if scope is None:
        return [i for i in ids if i not in best]
    return list({best.get(i, i): i for i in sorted(ids, key=lambda i: i not in best)}.values())


def _everywhere(db: Database, voter_id: int, point: int, shown: Collection[int], border: float | None) -> list[int]:
    ids = photos.random_ids(db, point, RANDOM_CANDIDATES, shown)
    if border is not None:
        return ids + ratings.neighbours(db, voter_id, border, 2 * NEIGHBOURS)
    known = ratings.many(db, voter_id, ids)
    for anchor in _anchors(ids, known):
        ids += ratings.neighbours(db, voter_id, known[anchor].mu, NEIGHBOURS)
    return ids


def _in_scope(scope: Scope, db: Database, voter_id: int, point: int, shown: Collection[int], border: float | None) -> list[int]:
    """The neighbours are those among some photos of the scope: the index of ratings knows no folders."""
    pool = [i for i in scopes.sample(db, scope, voter_id, point, RANDOM_CANDIDATES, SCOPED) if i not in shown]
    known = ratings.many(db, voter_id, pool)
    middles = [known[anchor].mu for anchor in _anchors(pool[:RANDOM_CANDIDATES], known)] if border is None else [border] * 2
    ids = pool[:RANDOM_CANDIDATES]
    for middle in middles:
        ids += sorted(known, key=lambda i: abs(known[i].mu - middle))[: 2 * NEIGHBOURS + 1]
    return ids


def _anchors(ids: Iterable[int], known: Mapping[int, Rating]) -> list[int]:
    return sorted((i for i in ids if i in known), key=lambda i: -known[i].sigma)[:ANCHORS]


def _border(db: Database, voter_id: int, aim: Aim) -> float | None:
    """The mu at which sides matter: of the last photo of the top, or between what is kept and what is deleted."""
    if aim is Aim.TOP:
        return ratings.mu_at(db, voter_id, TOPS[-1])
    if aim is Aim.BORDER:
        kept, deleted = ratings.mean_of_labelled(db, voter_id, LABELLED)
        return rating.MU - rating.SIGMA / 2 if kept is None or deleted is None else (kept + deleted) / 2
    return None


async def round_left(service: Service, voter_id: int, since: int, scope: Scope | None) -> Photo | None:
    """The one photo that is left of a round of sequential elimination."""
    found = await service.store.aread(_candidates, voter_id, 0, (), scope, Way(order=Order.ELIMINATION, since=since))
    if len(found.candidates) != 1:
        return None
    left = found.candidates[0].photo_id
    return (await service.store.aread(photos.many, [left]))[left]


# --- the next photo to judge -------------------------------------------------------------------------------------------


async def next_label(service: Service, voter_id: int, exclude: Collection[str] = ()) -> Asked | None:
    """A photo to keep or delete: to train on, half of them representatives and half those that the model for now learns most
    from; random ones to test with; then those that the model is least sure of, and blind audits among them.

    `exclude` as in `next_pair`.
    """
    point = service.rng.getrandbits(64) - (1 << 63)
    guess = service.jobs.nightwork.instant.guess(voter_id)
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
    """`ahead`: photos that the model for now learns most from, which are asked about once half of the answers are there.

    Not earlier, because what is in doubt is told by what was seen; `learn.instant.next_questions` has what it is worth.
    """
    shown = photos.ids(db, exclude)
    counts = answers.counts(db, voter_id)
    train, test = counts.get("train", 0), counts.get("test", 0)
    enough = train >= settings.train_labels and test >= settings.test_labels
    audit = scores.next_audit(db, voter_id, shown)
    last = next(iter(answers.recent(db, voter_id, 1)), None)
    if audit and last and last.choice is Choice.SKIP and last.photo_id == audit.id:
        audit = None  # it comes again after another question: an audit is never dropped
    if audit and chance < (WATCH if not scores.certificate(db, voter_id)[2] else 1.0 if enough else 0.5):
        return _single(db, Question.AUDIT, "audit", audit)
    behind_on_test = train * settings.test_labels > test * settings.train_labels
    if test < settings.test_labels and (behind_on_test or train >= settings.train_labels):
        for photo in photos.random_present(db, point, 1, voter_id, shown):
            return _single(db, Question.LABEL, "test", photo)
    half = 2 * train >= settings.train_labels
    if half and (suspect := _suspect(db, voter_id, point, shown)):
        return _single(db, Question.LABEL, "train", suspect)
    among = -(-settings.train_labels // 2) if enough else settings.train_labels  # the rest were for want of a model for now
    representative = groups.next_representative(db, voter_id, shown, among)
    doubtful = _doubtful(db, voter_id, [i for i in ahead if i not in shown])
    if enough and (representative is None or chance < BORDER):
        for photo in [doubtful] if doubtful else scores.least_sure(db, voter_id, shown):
            return _single(db, Question.LABEL, "border", photo)
    chosen = doubtful or representative if half and not enough else representative or doubtful
    for photo in [chosen] if chosen else photos.random_present(db, point, 1, voter_id, shown):
        return _single(db, Question.LABEL, "train", photo)
    return None


def _suspect(db: Database, voter_id: int, point: int, shown: Collection[int]) -> Photo | None:
    """While hardly any answer says "delete": a photo that most people would throw away, such as a blurred one or a screenshot.

    Nothing is learnt of what was never seen, and in a tidy library the photos that stand for many others are all good ones.
    """
    labels = answers.labels(db, voter_id)
    if sum(not label.keep for label in labels if label.purpose in TRAINING) >= FEW_DELETED:
        return None
    drawn = photos.random_present(db, point, SUSPECTED, voter_id, shown)
    measures = pictures.qualities(db, {photo.content_hash for photo in drawn if photo.content_hash})
    return next((photo for photo in drawn if any(looks(plugin_photos.known_of(photo, measures)))), None)


def _doubtful(db: Database, voter_id: int, ahead: Sequence[int]) -> Photo | None:
    """The first of these photos that is there and not labelled."""
    labelled = {label.photo_id for label in answers.labels(db, voter_id)} if ahead else set()
    known = photos.many(db, ahead)
    there = (known[i] for i in ahead if i in known and i not in labelled)
    return next((photo for photo in there if photo.state is PhotoState.PRESENT), None)


def _single(db: Database, question: Question, purpose: str, photo: Photo) -> Asked:
    sizes = [len(group.members) for group in groups.group_of(db, photo.id) if group.kind.thinned]
    return Asked(question, purpose, (photo,), max(sizes, default=1))


# --- all questions in one stream ---------------------------------------------------------------------------------------


async def next_any(
    service: Service, voter_id: int, exclude: Collection[str] = (), scope: Scope | None = None, way: Way | None = None
) -> Asked | None:
    """A comparison or a photo to judge, whichever is due; None where there is neither.

    Labels come first, because nothing can be learned without them. Afterwards comparisons take half: each third of these at the
    border between keeping and deleting. A part of the library (`scope`) is only compared.
    """
    counts, settings = await service.store.aread(answers.counts, voter_id), service.settings.ask
    early = counts.get("train", 0) < settings.train_labels or counts.get("test", 0) < settings.test_labels
    pair_first = scope is not None or service.rng.random() < (PAIRS_EARLY if early else PAIRS_LATER)
    way = way or Way()
    if way == Way() and not early and service.rng.random() < 1 / 3:
        way = replace(way, aim=Aim.BORDER)
    if pair_first and (pair := await next_pair(service, voter_id, exclude, scope, way)):
        return pair
    if scope is not None:
        return None
    return await next_label(service, voter_id, exclude) or await next_pair(service, voter_id, exclude, scope, way)


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
    if scope is None:
        total, rated = photos.counts(db)[PhotoState.PRESENT], ratings.count(db, voter_id)
    else:
        inside = scopes.sample(db, scope, voter_id, 0, 0, scopes.FEW)
        total, rated = len(inside), len(ratings.many(db, voter_id, inside))
    top = max((size for size in TOPS if 4 * size <= total), default=0)
    if not top:
        return None
    best = ratings.best(db, voter_id, STEADY_KNOWN, scope)
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
        return f"thousands more until {what} is steady; fewer for a part"
    step = 5 if needed < 50 else 10 if needed < 200 else 50 if needed < 1000 else 100
    return f"about {math.ceil(needed / step) * step:,} more answers until {what} is steady"
