"""The next pair to compare: the one whose answer says most about the order of the photos.

Which candidates to bring (never the library; a few dozen are enough):

    company     a dozen photos at random of all: one index look-up, and in a new library most of them have no votes yet
    anchors     the four of these that have votes and the greatest sigma
    neighbours  for each anchor the four photos just above and the four just below its mu

That makes about forty candidates and a choice in 2 ms. More random company gains nothing: with 32 it takes as many votes
(680 against 670, 16 owners of `bench/votes.py`) and twice the time.

What to expect: in that world (200 photos, an owner who often contradicts himself) Kendall's tau reaches .75 after 650 to 700
votes, and after 460 to 500 with a prior that correlates .7. Not much less is possible for anybody: tau .75 takes 1.39
(with the prior .90) bits a photo, and one of his answers gives .31 to .65 bits, so 610 (430) votes at the
least. image-ranker needs 700 with, 1300 without its automatic shuffle.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from precious_daemon.models import Rating
from precious_daemon.rating import BETA

NEAR = 0.02  # of the best: pairs within it count as equally good, and chance decides

_C2 = math.pi * math.log(2) / 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo that may be asked about. Photos of one near-duplicate group share `group`."""

    photo_id: int
    rating: Rating
    group: int | None = None


def choose_pair(
    candidates: Sequence[Candidate], answered: Set[tuple[int, int]], recent: Sequence[int], rng: random.Random
) -> tuple[int, int] | None:
    """Photo ids of the next pair, left and right; None with fewer than two candidates.

    `answered` holds the pairs among the candidates that were compared or skipped, smaller id first: they come again only
    when there is no other. `recent` holds the ids of the last pairs shown, two a pair, newest pair first: a photo in both
    of the last two rests, unless nothing else is left. Near-duplicates meet each other before they meet strangers: what
    tells two frames of a burst apart is seen only side by side.
    """
    tired = set(recent[:2]) & set(recent[2:4])
    pairs = list(combinations(candidates, 2))
    pairs = [p for p in pairs if tired.isdisjoint((p[0].photo_id, p[1].photo_id))] or pairs
    pairs = [p for p in pairs if _key(*p) not in answered] or pairs
    if not pairs:
        return None
    pairs = _unmet_twins(candidates, pairs, answered) or pairs
    gains = [expected_information(a.rating, b.rating) for a, b in pairs]
    bar = max(gains) * (1 - NEAR)
    first, second = rng.choice([pair for pair, gain in zip(pairs, gains, strict=True) if gain >= bar])
    return (first.photo_id, second.photo_id) if rng.random() < 0.5 else (second.photo_id, first.photo_id)


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
