"""Answers until the ranking is good: a simulated owner, our choice of questions, and image-ranker's beside it.

    python -m bench.votes [--quick] [--photos N] [--owners N] [--votes N] [--tau T]

The owner has a hidden taste u ~ N(0, 1) for each photo, and prefers a to b with probability 1 / (1 + exp(-3.4 (u_a - u_b))),
so that about every fifth answer contradicts it; of several, he names the best, or puts all in order, by the same u with
Gumbel noise (Plackett and Luce). A ranking is as good as its Kendall tau with u, photos that are tied in an order by chance;
the figures are the answers after which the mean over the owners reaches T, and beside those in pairs the fewest that any way of
asking in pairs could do with, about. With a prior, z = .7 u + .71 N(0, 1) is known before
the first answer. "At once" is the ranking by `rating.fit`, which the night makes; otherwise answers count one after another.

Our way is what `ask` does, with a list for the database: its constants, its neighbours, `pairing`'s choice. image-ranker's is
a shuffled ring of all photos and then the other pairs; with its automatic shuffle, every third vote puts what is left in
the order of |mu_a - mu_b| + .8 (votes_a + votes_b). Both update the same ratings, so that only the choice of pairs differs.

Many photos and few votes: 10,000 photos whose taste is 60 % a linear function of what they look like (64 numbers) and else
their own; after 1,000 votes, the share of pairs of any photos that are ranked right, ties counting half. And the replay of
a million votes.
"""

from __future__ import annotations

import math
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

from bench.common import Figure, arguments, report, say

if TYPE_CHECKING:
    from precious_daemon.models import Rating

STEEPNESS = 3.4
PRIOR = 0.7  # correlation of what is known before the first vote with the owner's taste
EVERY = 25  # answers between two looks at the ranking
AXES, LOOKS = 64, 0.6  # numbers that a photo looks like, and the share of taste's variance that they explain


class Way(Protocol):
    """A way to choose among the photos 0..n-1."""

    ratings: list[Rating]

    def ask(self) -> Sequence[int]: ...
    def told(self, order: Sequence[int]) -> None: ...


class Ours:
    """The candidates that `ask` brings from the store, and what `pairing` takes of them."""

    def __init__(self, ratings: list[Rating], known: bool, of: int, rng: random.Random) -> None:
        self.ratings, self._of, self._rng = ratings, of, rng
        self._rated = set(range(len(ratings))) if known else set()
        self._draw = list(range(len(ratings)))
        rng.shuffle(self._draw)
        self._answered: set[tuple[int, int]] = set()
        self._last: list[set[int]] = [set(), set()]

    def ask(self) -> Sequence[int]:
        from precious_daemon.asking import ask
        from precious_daemon.pure import pairing

        start = self._rng.randrange(len(self._draw))
        ids = (self._draw[start:] + self._draw[:start])[: ask.RANDOM_CANDIDATES]
        anchors = sorted((i for i in ids if i in self._rated), key=lambda i: -self.ratings[i].sigma)[: ask.ANCHORS]
        order = sorted(self._rated, key=lambda i: self.ratings[i].mu) if anchors else []
        for anchor in anchors:
            place = bisect_left(order, self.ratings[anchor].mu, key=lambda i: self.ratings[i].mu)
            ids += order[max(0, place - ask.NEIGHBOURS) : place + ask.NEIGHBOURS]
        found = [pairing.Candidate(i, self.ratings[i]) for i in dict.fromkeys(ids)]
        tired = self._last[0] & self._last[1]
        if self._of == 2:
            chosen: Sequence[int] | None = pairing.choose_pair(found, self._answered, tired, self._rng)
        else:
            chosen = pairing.choose_many(found, self._answered, tired, self._rng, count=self._of)
        assert chosen
        return chosen

    def told(self, order: Sequence[int]) -> None:
        self._rated |= set(order)
        if len(order) == 2:
            self._answered.add((min(order), max(order)))
        self._last = [set(order), self._last[0]]


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

    def ask(self) -> Sequence[int]:
        done = sum(self._votes) // 2
        if self._shuffles and done and done % 3 == 0:
            self._left.sort(key=self._cost, reverse=True)
        return self._left.pop()

    def _cost(self, pair: tuple[int, int]) -> float:
        a, b = pair
        return abs(self.ratings[a].mu - self.ratings[b].mu) + 0.8 * (self._votes[a] + self._votes[b])

    def told(self, order: Sequence[int]) -> None:
        for i in order:
            self._votes[i] += 1


def curve(
    make: Callable[[list[Rating], random.Random], Way], photos: int, votes: int, owners: int, prior: bool, ordered: bool = True
) -> tuple[list[float], list[float]]:
    """Mean Kendall tau after every `EVERY` answers: one after another, and all at once."""
    from precious_daemon.models import Lineup, Rating, Vote
    from precious_daemon.pure import rating

    in_turn, at_once = [0.0] * (votes // EVERY), [0.0] * (votes // EVERY)
    for seed in range(owners):
        owner = random.Random(seed)
        taste = [owner.gauss(0, 1) for _ in range(photos)]
        start = [rating.START] * photos
        if prior:
            rest = math.sqrt(1 - PRIOR**2)
            seen = [PRIOR * u + rest * owner.gauss(0, 1) for u in taste]
            start = [Rating(rating.MU + rating.SIGMA * PRIOR * z, rating.SIGMA * rest) for z in seen]
        begun = dict(enumerate(start))
        way = make(start, random.Random(seed + 1))
        told: list[Vote | Lineup] = []
        for place in range(votes // EVERY * EVERY):
            order = answer(way.ask(), taste, owner)
            known = [way.ratings[i] for i in order]
            if len(order) == 2:
                told.append(Vote(order[0], order[1], False))
                after = list(rating.update(*known))
            else:
                told.append(Lineup(tuple(order), ordered))
                after = rating.update_many(known, ordered=ordered)
            for i, moved in zip(order, after, strict=True):
                way.ratings[i] = moved
            way.told(order)
            if place % EVERY == EVERY - 1:
                chance = [owner.random() * 1e-6 for _ in taste]  # photos that are tied stand in some order all the same
                in_turn[place // EVERY] += kendall([r.mu + c for r, c in zip(way.ratings, chance, strict=True)], taste)
                found = rating.fit(told, begun)
                at_once[place // EVERY] += kendall([found[i].mu + chance[i] for i in range(photos)], taste)
    return [total / owners for total in in_turn], [total / owners for total in at_once]


def answer(shown: Sequence[int], taste: Sequence[float], owner: random.Random) -> list[int]:
    """The photos as this owner likes them this time, best first."""
    felt = {i: STEEPNESS * taste[i] - math.log(-math.log(owner.random() or 0.5)) for i in shown}
    return sorted(shown, key=lambda i: -felt[i])


def kendall(x: list[float], y: list[float]) -> float:
    """Kendall's tau-b."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic)


def needed(taus: list[float], goal: float) -> float:
    """Answers after which the mean reaches the goal; one look past the end where it never does."""
    return next((float(EVERY * place) for place, tau in enumerate(taus, 1) if tau >= goal), float(EVERY * (len(taus) + 1)))


def many_photos(photos: int, votes: int, seed: int) -> dict[str, float]:
    """Share of pairs ranked right after few votes on many photos: ours with and without guesses, and image-ranker's ring."""
    import numpy as np

    from precious_daemon.learn import refit
    from precious_daemon.models import Vote
    from precious_daemon.pure import rating

    dice = np.random.default_rng(seed)
    look = dice.normal(size=(photos, AXES)) / math.sqrt(AXES)
    taste = math.sqrt(LOOKS) * look @ dice.normal(size=AXES) + math.sqrt(1 - LOOKS) * dice.normal(size=photos)
    liked: list[float] = taste.tolist()
    owner, found = random.Random(seed), {}
    way = Ours([rating.START] * photos, False, 2, random.Random(seed))
    told = []
    for _ in range(votes):
        order = answer(way.ask(), liked, owner)
        told.append(Vote(order[0], order[1], False))
        way.ratings[order[0]], way.ratings[order[1]] = rating.update(*(way.ratings[i] for i in order))
        way.told(order)
    rated = rating.fit(told)
    guesses = refit.guess(np.arange(photos), look, np.zeros(photos), rated, {})
    found["ours, votes alone"] = np.array([rated.get(i, rating.START).mu for i in range(photos)])
    found["ours, with guesses by looks"] = guesses.mu
    ring = list(range(photos))
    owner.shuffle(ring)
    theirs = [rating.START] * photos
    for a, b in list(zip(ring, ring[1:] + ring[:1], strict=True))[:votes]:
        order = answer((a, b), liked, owner)
        theirs[order[0]], theirs[order[1]] = rating.update(*(theirs[i] for i in order))
    found["image-ranker"] = np.array([r.mu for r in theirs])
    a, b = dice.integers(0, photos, (2, 100_000))
    truth = np.sign(taste[a] - taste[b])
    return {name: float((0.5 + 0.5 * np.sign(score[a] - score[b]) * truth)[truth != 0].mean()) for name, score in found.items()}


def replay_seconds(votes: int) -> float:
    from precious_daemon.models import Vote
    from precious_daemon.pure import rating

    dice = random.Random(0)
    told = [Vote(a, a + 1 + dice.randrange(5), False) for a in (dice.randrange(20_000) for _ in range(votes))]
    began = time.process_time()
    rating.replay(told)
    return time.process_time() - began


def fewest(tau: float, variance: float) -> float:
    """Answers a photo that any choice of pairs needs, however it is made and whatever is concluded from them; about.

    Where estimate and taste are jointly normal, tau = 2/pi asin r (Greiner 1909), and to know a taste of this variance up to
    1 - r^2 takes log2(variance / (1 - r^2)) / 2 bits (the rate of a normal source, Shannon 1959). An answer brings most where
    both photos are believed equal: the entropy of an answer, one bit, less that of the owner's own doubt. An answer speaks of
    two photos, and the less is left to know, the less it brings: so the bits are asked for in small steps of the variance. What
    is known after a few answers is not quite normal, so that this is right to a few per cent.
    """
    end = 1 - math.sin(math.pi / 2 * tau) ** 2
    steps = 200
    ratio = (variance / end) ** (1 / steps)
    return sum(math.log2(ratio) / 2 / _most_bits(end * ratio ** (step + 0.5)) for step in range(steps))


def _most_bits(variance: float) -> float:
    """What an answer says about two photos that are believed equal, each with this variance left. In bits."""
    spread, points = STEEPNESS * math.sqrt(2 * variance), [-6 + 12 * (n + 0.5) / 600 for n in range(600)]
    weights = [math.exp(-x * x / 2) for x in points]
    doubt = math.fsum(w * _entropy(1 / (1 + math.exp(-spread * x))) for x, w in zip(points, weights, strict=True))
    return 1 - doubt / math.fsum(weights)


def _entropy(p: float) -> float:
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p)) if 0 < p < 1 else 0.0


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--owners", type=int, default=0, help="default: 10, or 2 with --quick")
    parser.add_argument("--votes", type=int, default=1000)
    parser.add_argument("--tau", type=float, default=0.75)
    args = parser.parse_args()
    owners, votes = args.owners or (2 if args.quick else 10), min(args.votes, 500) if args.quick else args.votes
    figures: dict[str, Figure] = {}

    def run(
        name: str, make: Callable[[list[Rating], random.Random], Way], prior: bool, goal: float | None, ordered: bool = True
    ) -> None:
        say(name)
        length = votes if goal is None or args.quick else min(votes, 700)
        in_turn, at_once = curve(make, args.photos, length, owners, prior, ordered)
        figures[f"{name}, to tau {args.tau:g}"] = Figure(needed(in_turn, args.tau), "answers")
        figures[f"{name}, at once"] = Figure(needed(at_once, args.tau), "answers", None if args.quick else goal)
        worse = max(a - b for a, b in zip(in_turn, at_once, strict=True))
        figures[f"{name}, at once is worse by at most"] = Figure(max(worse, 0.0), "tau", 0.01)

    for title, of, ordered, goals in (
        ("four in order", 4, True, (450.0, 350.0)), ("the best of four", 4, False, (450.0, 350.0)),
        ("pairs", 2, True, (450.0, 350.0)),
    ):  # fmt: skip
        for prior, goal in zip((False, True), goals, strict=True):

            def ours(ratings: list[Rating], rng: random.Random, prior: bool = prior, of: int = of) -> Way:
                return Ours(ratings, prior, of, rng)

            run(f"{title}{', prior' if prior else ''}", ours, prior, goal, ordered)
    for title, known in (("pairs", 0.0), ("pairs, prior", PRIOR)):
        figures[f"{title}, about the fewest that information allows"] = Figure(
            fewest(args.tau, 1 - known * known) * args.photos, "answers"
        )
    run("image-ranker, auto-shuffle", lambda ratings, rng: ImageRanker(ratings, True, rng), False, None)
    say("10,000 photos")
    for name, share in many_photos(2_000 if args.quick else 10_000, 1000, 0).items():
        figures[f"many photos, {name}"] = Figure(share, "of pairs right")
    scale = 10 if args.quick else 1
    figures["replay of 1,000,000 votes"] = Figure(scale * replay_seconds(1_000_000 // scale), "s", 30.0)
    conditions = {"photos": args.photos, "owners": owners, "prior": PRIOR, "steepness": STEEPNESS, "looks": LOOKS}
    report("votes", conditions, figures)


if __name__ == "__main__":
    main()
