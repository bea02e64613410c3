"""Votes until the ranking is good: a simulated owner, our choice of pairs, and image-ranker's beside it.

    python -m bench.votes [--quick] [--photos N] [--owners N] [--votes N] [--candidates N ...] [--tau T]

The owner has a hidden taste u ~ N(0, 1) for each photo, and prefers a to b with probability 1 / (1 + exp(-3.4 (u_a - u_b))),
so that about every fifth answer contradicts it. A ranking is as good as its Kendall tau with u; the figures are the
votes after which the mean over the owners reaches T. With a prior, z = .7 u + .71 N(0, 1) is known before the first vote.

Our way is what `ask` does, with a list for the database: its constants, its neighbours, `pairing.choose_pair`. image-ranker's is
a shuffled ring of all photos and then the other pairs; with its automatic shuffle, every third vote puts what is left in
the order of |mu_a - mu_b| + .8 (votes_a + votes_b). Both update the same ratings, so that only the choice of pairs differs.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

from bench.common import Figure, arguments, report, say

if TYPE_CHECKING:
    from precious_daemon.models import Rating

STEEPNESS = 3.4
PRIOR = 0.7  # correlation of what is known before the first vote with the owner's taste
EVERY = 10  # votes between two looks at the ranking


class Way(Protocol):
    """A way to choose pairs of the photos 0..n-1."""

    ratings: list[Rating]

    def pair(self) -> tuple[int, int]: ...
    def voted(self, winner: int, loser: int) -> None: ...


class Ours:
    """The candidates that `ask` brings from the store, and the pair that `pairing` takes of them."""

    def __init__(self, ratings: list[Rating], known: bool, candidates: int, rng: random.Random) -> None:
        self.ratings, self._candidates, self._rng = ratings, candidates, rng
        self._rated = set(range(len(ratings))) if known else set()
        self._draw = list(range(len(ratings)))
        rng.shuffle(self._draw)
        self._answered: set[tuple[int, int]] = set()
        self._recent: list[int] = []

    def pair(self) -> tuple[int, int]:
        from precious_daemon import ask, pairing

        start = self._rng.randrange(len(self._draw))
        ids = (self._draw[start:] + self._draw[:start])[: self._candidates]
        anchors = sorted((i for i in ids if i in self._rated), key=lambda i: -self.ratings[i].sigma)[: ask.ANCHORS]
        order = sorted(self._rated, key=lambda i: self.ratings[i].mu)
        for anchor in anchors:
            place = bisect_left(order, self.ratings[anchor].mu, key=lambda i: self.ratings[i].mu)
            ids += order[max(0, place - ask.NEIGHBOURS) : place + ask.NEIGHBOURS]
        found = [pairing.Candidate(i, self.ratings[i]) for i in dict.fromkeys(ids)]
        chosen = pairing.choose_pair(found, self._answered, self._recent, self._rng)
        assert chosen
        return chosen

    def voted(self, winner: int, loser: int) -> None:
        self._rated |= {winner, loser}
        self._answered.add((min(winner, loser), max(winner, loser)))
        self._recent = [winner, loser, *self._recent][:6]


class ImageRanker:
    """Each photo against its neighbours in a shuffled ring, then every other pair."""

    def __init__(self, ratings: list[Rating], shuffles: bool, rng: random.Random) -> None:
        self.ratings, self._shuffles = ratings, shuffles
        ids = list(range(len(ratings)))
        rng.shuffle(ids)
        ring = [(a, b) for a, b in zip(ids, ids[1:] + ids[:1], strict=True)]
        rng.shuffle(ring)
        others = set(combinations(ids, 2)) - set(ring) - {(b, a) for a, b in ring}
        self._left = (ring + sorted(others, key=lambda pair: (ids.index(pair[0]), pair[1])))[::-1]
        self._votes = [0] * len(ids)

    def pair(self) -> tuple[int, int]:
        done = sum(self._votes) // 2
        if self._shuffles and done and done % 3 == 0:
            self._left.sort(key=self._cost, reverse=True)
        return self._left.pop()

    def _cost(self, pair: tuple[int, int]) -> float:
        a, b = pair
        return abs(self.ratings[a].mu - self.ratings[b].mu) + 0.8 * (self._votes[a] + self._votes[b])

    def voted(self, winner: int, loser: int) -> None:
        self._votes[winner] += 1
        self._votes[loser] += 1


def curve(make: Callable[[list[Rating], random.Random], Way], photos: int, votes: int, owners: int, prior: bool) -> list[float]:
    """Mean Kendall tau after every `EVERY` votes."""
    from precious_daemon import rating
    from precious_daemon.models import Rating

    sums = [0.0] * (votes // EVERY)
    for seed in range(owners):
        owner = random.Random(seed)
        taste = [owner.gauss(0, 1) for _ in range(photos)]
        start = [rating.START] * photos
        if prior:
            rest = math.sqrt(1 - PRIOR**2)
            seen = [PRIOR * u + rest * owner.gauss(0, 1) for u in taste]
            start = [Rating(rating.MU + rating.SIGMA * PRIOR * z, rating.SIGMA * rest) for z in seen]
        way = make(start, random.Random(seed + 1))
        for vote in range(votes // EVERY * EVERY):
            a, b = way.pair()
            if owner.random() > 1 / (1 + math.exp(-STEEPNESS * (taste[a] - taste[b]))):
                a, b = b, a
            way.ratings[a], way.ratings[b] = rating.update(way.ratings[a], way.ratings[b])
            way.voted(a, b)
            if vote % EVERY == EVERY - 1:
                sums[vote // EVERY] += kendall([r.mu for r in way.ratings], taste)
    return [total / owners for total in sums]


def kendall(x: list[float], y: list[float]) -> float:
    """Kendall's tau-b."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic)


def needed(taus: list[float], goal: float) -> float:
    """Votes after which the mean reaches the goal; one look past the end where it never does."""
    return next((float(EVERY * place) for place, tau in enumerate(taus, 1) if tau >= goal), float(EVERY * (len(taus) + 1)))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--owners", type=int, default=0, help="default: 10, or 2 with --quick")
    parser.add_argument("--votes", type=int, default=1500)
    parser.add_argument("--tau", type=float, default=0.75)
    parser.add_argument("--candidates", type=int, nargs="*", help="random candidates a question; default: what ask has")
    args = parser.parse_args()
    from precious_daemon import ask

    owners, votes = args.owners or (2 if args.quick else 10), min(args.votes, 800) if args.quick else args.votes
    figures: dict[str, Figure] = {}

    def run(name: str, make: Callable[[list[Rating], random.Random], Way], prior: bool, goal: float | None) -> None:
        say(name)
        taus = curve(make, args.photos, votes, owners, prior)
        figures[f"{name}, votes to tau {args.tau:g}"] = Figure(needed(taus, args.tau), "votes", goal)
        figures[f"{name}, tau after 300 votes"] = Figure(taus[300 // EVERY - 1], "")

    for count in args.candidates or [ask.RANDOM_CANDIDATES]:
        for prior, goal in ((False, 700.0), (True, 500.0)):

            def ours(ratings: list[Rating], rng: random.Random, prior: bool = prior, count: int = count) -> Way:
                return Ours(ratings, prior, count, rng)

            run(f"ours, {count} at random{', prior' if prior else ''}", ours, prior, None if args.quick else goal)
    run("image-ranker, auto-shuffle", lambda ratings, rng: ImageRanker(ratings, True, rng), False, None)
    if not args.quick:
        run("image-ranker", lambda ratings, rng: ImageRanker(ratings, False, rng), False, None)
    conditions = {"photos": args.photos, "owners": owners, "prior": PRIOR, "steepness": STEEPNESS}
    report("votes", conditions, figures)


if __name__ == "__main__":
    main()
