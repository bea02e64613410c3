"""What to compare next: the photos whose answer says most about what matters now.

Which candidates to bring (never the library; a few dozen are enough):

    company     a dozen photos at random of all: one index look-up, and in a new library most of them have no votes yet
    anchors     the four of these that have votes and the greatest sigma
    neighbours  for each anchor the four photos just above and the four just below its mu; or those nearest to a border

That makes about forty candidates and a choice in 2 ms. More random company gains nothing: with 32 it takes as many votes
(680 against 670, 16 owners of `bench/votes.py`) and twice the time.

What to expect: in that world (200 photos, an owner who often contradicts himself) Kendall's tau reaches .75 after 640 answers on
two photos, and after 430 with a prior that correlates .7. Not much less is possible for anybody: tau .75 takes 1.39
(with the prior .90) bits a photo, and one of his answers on two gives .31 to .65 bits, so 610 (430) at the least. An answer about
four says more: 435 (250) where only the best is named, 150 (115) where all are put in order. image-ranker needs 700 with,
1300 without its automatic shuffle.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from precious_daemon.models import Rating
from precious_daemon.pure.rating import BETA

NEAR = 0.02  # of the best: pairs within it count as equally good, and chance decides

_C2 = math.pi * math.log(2) / 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo that may be asked about. Photos of one near-duplicate group share `group`."""

    photo_id: int
    rating: Rating
    group: int | None = None


def choose_pair(
    candidates: Sequence[Candidate],
    answered: Set[tuple[int, int]],
    tired: Set[int],
    rng: random.Random,
    border: float | None = None,
) -> tuple[int, int] | None:
    """Photo ids of the next pair, left and right; None with fewer than two candidates.

    `answered` holds the pairs among the candidates that were compared or skipped, smaller id first: they come again only
    when there is no other. `tired` are photos that were in both of the last two questions: they rest, unless nothing else is
    left. A near-duplicate meets its group before it meets strangers: what tells two frames of a burst apart is seen only
    side by side. With a `border` (a mu) it matters only on which side of it a photo belongs.
    """
    pairs = _open_pairs(candidates, answered, tired)
    if not pairs:
        return None
    first, second = _best(pairs, rng, border)
    if twins := _unmet_twins(candidates, [p for p in pairs if first in p or second in p], answered):
        first, second = _best(twins, rng, None)
    return _shuffled(first, second, rng)


def _best(pairs: Sequence[tuple[Candidate, Candidate]], rng: random.Random, border: float | None) -> tuple[Candidate, Candidate]:
    gains = [expected_information(a.rating, b.rating) for a, b in pairs]
    if border is not None:
        known = {c.photo_id: c.rating for pair in pairs for c in pair}
        open_ = {photo_id: _open(rating, border) for photo_id, rating in known.items()}
        gains = [gain * (open_[a.photo_id] + open_[b.photo_id]) / 2 for gain, (a, b) in zip(gains, pairs, strict=True)]
    bar = max(gains) * (1 - NEAR)
    return rng.choice([pair for pair, gain in zip(pairs, gains, strict=True) if gain >= bar])


def choose_many(
    candidates: Sequence[Candidate],
    answered: Set[tuple[int, int]],
    tired: Set[int],
    rng: random.Random,
    border: float | None = None,
    count: int = 4,
) -> tuple[int, ...] | None:
    """Photo ids to put in order: the most telling pair, and then one by one the photo that says most beside those chosen."""
    pair = choose_pair(candidates, answered, tired, rng, border)
    if pair is None:
        return None
    chosen = [c for c in candidates if c.photo_id in pair]
    rested = [c for c in candidates if c.photo_id not in tired] or candidates
    while len(chosen) < count and (left := [c for c in rested if c not in chosen]):
        chosen.append(max(left, key=lambda c: (sum(_gain(c, other, border) for other in chosen), rng.random())))
    ids = [c.photo_id for c in chosen]
    rng.shuffle(ids)
    return tuple(ids)


def smart_shuffle(
    candidates: Sequence[Candidate], answered: Set[tuple[int, int]], tired: Set[int], rng: random.Random
) -> tuple[int, int] | None:
    """As image-ranker's: first the pairs of photos that are close in rating and were compared least."""
    pairs = _open_pairs(candidates, answered, tired)
    if not pairs:
        return None

    def cost(pair: tuple[Candidate, Candidate]) -> float:
        looks = sum(c.rating.wins + c.rating.losses + c.rating.draws for c in pair)
        return abs(pair[0].rating.mu - pair[1].rating.mu) + 0.8 * looks

    return _shuffled(*min(pairs, key=lambda pair: (cost(pair), rng.random())), rng)


def plain_shuffle(
    candidates: Sequence[Candidate], answered: Set[tuple[int, int]], tired: Set[int], rng: random.Random
) -> tuple[int, int] | None:
    """Any two."""
    pairs = _open_pairs(candidates, answered, tired)
    return _shuffled(*rng.choice(pairs), rng) if pairs else None


def _open_pairs(
    candidates: Sequence[Candidate], answered: Set[tuple[int, int]], tired: Set[int]
) -> list[tuple[Candidate, Candidate]]:
    """Pairs that may be asked about: rested and new, where there are such."""
    pairs = list(combinations(candidates, 2))
    pairs = [p for p in pairs if tired.isdisjoint((p[0].photo_id, p[1].photo_id))] or pairs
    return [p for p in pairs if _key(*p) not in answered] or pairs


def _shuffled(a: Candidate, b: Candidate, rng: random.Random) -> tuple[int, int]:
    return (a.photo_id, b.photo_id) if rng.random() < 0.5 else (b.photo_id, a.photo_id)


def _gain(a: Candidate, b: Candidate, border: float | None) -> float:
    """Information about the two; near a border, by how open it is on which side of it they are."""
    found = expected_information(a.rating, b.rating)
    return found if border is None else found * (_open(a.rating, border) + _open(b.rating, border)) / 2


def _open(rating: Rating, border: float) -> float:
    """4 p (1 - p), with p the chance that the photo is above the border."""
    p = 0.5 * math.erfc((border - rating.mu) / (math.sqrt(2) * rating.sigma))
    return 4 * p * (1 - p)


def expected_information(a: Rating, b: Rating) -> float:
    """Bits that the answer is expected to give about the two photos: its entropy less what stays of it if both were known.

    Bayesian active learning by disagreement (Houlsby, Huszar, Ghahramani and Lengyel 2011, eqs. 2 and 4). The answer is a
    probit of f ~ N(m, s^2), the difference of the true means over the noise sqrt(2) beta of one comparison; the second
    term is the paper's closed form, within .003 bits. Greatest for photos that we know little about and believe equal.
    """
    m = (a.mu - b.mu) / (math.sqrt(2) * BETA)
    s2 = (a.sigma * a.sigma + b.sigma * b.sigma) / (2 * BETA * BETA)
    p = 0.5 * math.erfc(m / math.sqrt(2 * (s2 + 1)))
    if p <= 0 or p >= 1:
        return 0.0
    entropy = -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
    noise = math.sqrt(_C2 / (s2 + _C2)) * math.exp(-m * m / (2 * (s2 + _C2)))
    return max(entropy - noise, 0.0)


def _key(a: Candidate, b: Candidate) -> tuple[int, int]:
    return (a.photo_id, b.photo_id) if a.photo_id < b.photo_id else (b.photo_id, a.photo_id)


def _unmet_twins(
    candidates: Sequence[Candidate], pairs: Sequence[tuple[Candidate, Candidate]], answered: Set[tuple[int, int]]
) -> list[tuple[Candidate, Candidate]]:
    """Pairs within a group of which at least one photo has not yet met any of its group."""
    group = {c.photo_id: c.group for c in candidates if c.group is not None}
    met = {photo for pair in answered if group.get(pair[0], 0) == group.get(pair[1], 1) for photo in pair}
    return [(a, b) for a, b in pairs if a.group is not None and a.group == b.group and not {a.photo_id, b.photo_id} <= met]
