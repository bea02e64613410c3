"""TrueSkill: what the votes of one voter say about each photo.

Herbrich, Minka and Graepel, "TrueSkill: A Bayesian Skill Rating System" (2006). With two photos the factor graph has a
closed form; an order of more is left to the package `trueskill`. Performance of a photo is N(mu, sigma^2 + beta^2), the
better performance wins, and two that differ by less than the draw margin are a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import NormalDist

from precious_daemon.models import Rating, Vote

MU = 25.0
SIGMA = MU / 3
BETA = SIGMA / 2  # noise of one look at a photo: 76 % for the better one where the means differ by beta
TAU = SIGMA / 100  # added before each vote, so that an old rating can still move: taste does
DRAW_PROBABILITY = 0.10
DRAW_MARGIN = 0.12566134685507402 * math.sqrt(2) * BETA  # the normal's quantile at (DRAW_PROBABILITY + 1) / 2

START = Rating(MU, SIGMA)
MISSING = 0.2  # a top is steady once at most this share of what belongs there is expected to be missing

_ROOT_2 = math.sqrt(2)
_ROOT_2PI = math.sqrt(2 * math.pi)
_ROOT_HALF_PI = math.sqrt(math.pi / 2)


def conservative(rating: Rating) -> float:
    """What the photo is worth with 99.9 % certainty: a photo without votes is worth 0."""
    return rating.mu - 3 * rating.sigma


def update(winner: Rating, loser: Rating, *, draw: bool = False) -> tuple[Rating, Rating]:
    """Both ratings after one vote, in the order given."""
    mu_w, var_w, mu_l, var_l = _after(winner.mu, winner.sigma**2, loser.mu, loser.sigma**2, draw)
    return (
        Rating(mu_w, math.sqrt(var_w), winner.wins + (not draw), winner.losses, winner.draws + draw),
        Rating(mu_l, math.sqrt(var_l), loser.wins, loser.losses + (not draw), loser.draws + draw),
    )


def replay(votes: Iterable[Vote], start: Mapping[int, Rating] | None = None) -> dict[int, Rating]:
    """Ratings by photo id after all votes, in their order. Photos that `start` does not name begin at START.

    The same as `update` vote by vote, on plain numbers: a million votes take seconds.
    """
    state = {i: [r.mu, r.sigma**2, r.wins, r.losses, r.draws] for i, r in (start or {}).items()}
    for vote in votes:
        winner = state.get(vote.winner) or state.setdefault(vote.winner, [MU, SIGMA**2, 0, 0, 0])
        loser = state.get(vote.loser) or state.setdefault(vote.loser, [MU, SIGMA**2, 0, 0, 0])
        winner[0], winner[1], loser[0], loser[1] = _after(winner[0], winner[1], loser[0], loser[1], vote.draw)
        winner[4 if vote.draw else 2] += 1
        loser[4 if vote.draw else 3] += 1
    return {i: Rating(mu, math.sqrt(var), int(won), int(lost), int(drawn)) for i, (mu, var, won, lost, drawn) in state.items()}


def best_of(order: Sequence[Rating]) -> list[Rating]:
    """Ratings after one answer that put all of these in order, best first; in the order given.

    Photo i won against those after it and lost to those before it. The package passes messages between the neighbours'
    comparisons until they agree; it is given our corrections, because its own break down on far upsets.
    """
    import trueskill  # here: it is needed for this rare kind of answer only

    env = trueskill.TrueSkill(MU, SIGMA, BETA, TAU, DRAW_PROBABILITY)
    env.v_win, env.w_win = (lambda d, margin, part=part: _win(d - margin)[part] for part in (0, 1))
    groups = env.rate([(env.create_rating(r.mu, r.sigma),) for r in order])
    last = len(order) - 1
    return [
        Rating(float(new.mu), float(new.sigma), old.wins + last - place, old.losses + place, old.draws)
        for place, (old, (new,)) in enumerate(zip(order, groups, strict=True))
    ]


def answers_until_steady(known: Sequence[Rating], unknown: int, top: int) -> int:
    """About how many answers it takes until the best `top` photos are steady. `unknown` more photos are at START.

    Answers go to the least certain photos first (`pairing`), so they bring the greatest sigmas down to one level s. A photo
    of N(mu, sigma^2) will then be believed to be at m ~ N(mu, sigma^2 - s^2), and be at N(m, s^2). The border c is where
    `top` photos are expected to be above; those of them that are believed to be below are missing from the top.
    A comparison with an equal takes W var^2 / (2 beta^2 + 2 var) off a variance, and one answer compares two photos. Taste
    is taken not to change. In the world of `bench/votes.py` the level is right to a tenth.
    """
    crowd = [(r.mu, r.sigma, 1) for r in known] + [(MU, SIGMA, unknown)] * (unknown > 0)
    if sum(count for *_, count in crowd) <= top:
        return 0
    border = _bisect(lambda c: sum(n * _above((mu - c) / sigma) for mu, sigma, n in crowd) < top, MU - 99, MU + 99)

    def missing(level: float) -> float:
        return sum(n * _missed(mu - border, sigma, level) for mu, sigma, n in crowd if abs(mu - border) < 4 * sigma)

    if missing(math.inf) <= MISSING * top:
        return 0
    level = _bisect(lambda s: missing(s) > MISSING * top, SIGMA / 50, max(sigma for _, sigma, _ in crowd))
    looks = sum(
        n * (2 * BETA * BETA * (level**-2 - sigma**-2) + 4 * math.log(sigma / level)) / _W
        for _, sigma, n in crowd
        if sigma > level
    )
    return math.ceil(looks / 2)


_W = 0.72  # mean of W over the comparisons of photos that are believed about equal
_RIGHT = [NormalDist().inv_cdf(0.5 + (k + 0.5) / 16) for k in range(8)]  # the positive half of a normal, in eight equal parts


def _missed(ahead: float, sigma: float, level: float) -> float:
    """Chance that a photo, `ahead` of the border by its mean, is above it and believed to be below, once sigma is `level`."""
    if sigma <= level:
        return _above(ahead / sigma) if ahead <= 0 else 0.0
    spread = math.sqrt(sigma * sigma - level * level)  # of m; what is left, u - m, is N(0, level^2)
    return sum(_above(-ahead / spread) - _above((-ahead - z * level) / spread) for z in _RIGHT) / len(_RIGHT) / 2


def _above(x: float) -> float:
    return 0.5 * math.erfc(-x / _ROOT_2)


def _bisect(too_high: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (low, middle) if too_high(middle) else (middle, high)
    return low


# --- the closed form ---------------------------------------------------------------------------------------------------


def _after(mu_w: float, var_w: float, mu_l: float, var_l: float, draw: bool) -> tuple[float, float, float, float]:
    """Means and variances of winner and loser after a vote (section 4 of the paper; c is the spread of the difference)."""
    var_w += TAU * TAU
    var_l += TAU * TAU
    c2 = 2 * BETA * BETA + var_w + var_l
    c = math.sqrt(c2)
    v, w = _draw((mu_w - mu_l) / c, DRAW_MARGIN / c) if draw else _win((mu_w - mu_l - DRAW_MARGIN) / c)
    return mu_w + var_w / c * v, var_w * (1 - var_w / c2 * w), mu_l - var_l / c * v, var_l * (1 - var_l / c2 * w)


def _win(x: float) -> tuple[float, float]:
    """V and W of a win: shift and shrinkage of a normal cut off below at -x."""
    v = 1 / _mills(-x) if x < 0 else math.exp(-x * x / 2) / (_ROOT_HALF_PI * math.erfc(-x / _ROOT_2))
    return v, min(max(v * (v + x), 0.0), 1.0)


def _draw(x: float, margin: float) -> tuple[float, float]:
    """V and W of a draw: a normal of mean x cut off outside of +-margin.

    The paper's ratio of densities and tails, both divided by the density at the nearer end, so that neither vanishes
    however far x is.
    """
    near, far = abs(x) - margin, abs(x) + margin
    fall = math.exp(-2 * abs(x) * margin)  # density at the far end over that at the near end
    mass = _mills(near) - fall * _mills(far)
    v = (fall - 1) / mass
    w = v * v + (far * fall - near) / mass
    return math.copysign(v, -x), min(max(w, 0.0), 1.0)


def _mills(x: float) -> float:
    """Upper tail of the standard normal at x over its density there. Neither vanishes in the quotient."""
    if x < 25:
        return _ROOT_HALF_PI * math.exp(x * x / 2) * math.erfc(x / _ROOT_2)
    y = 1 / (x * x)
    return (1 - y * (1 - 3 * y * (1 - 5 * y * (1 - 7 * y * (1 - 9 * y * (1 - 11 * y)))))) / x
