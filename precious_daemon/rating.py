"""TrueSkill: what the votes of one voter say about each photo.

Herbrich, Minka and Graepel, "TrueSkill: A Bayesian Skill Rating System" (2006). With two photos the factor graph has a
closed form; an order of more is left to the package `trueskill`. Performance of a photo is N(mu, sigma^2 + beta^2), the
better performance wins, and two that differ by less than the draw margin are a draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from precious_daemon.models import Rating, Vote

MU = 25.0
SIGMA = MU / 3
BETA = SIGMA / 2  # noise of one look at a photo: 76 % for the better one where the means differ by beta
TAU = SIGMA / 100  # added before each vote, so that an old rating can still move: taste does
DRAW_PROBABILITY = 0.10
DRAW_MARGIN = 0.12566134685507402 * math.sqrt(2) * BETA  # the normal's quantile at (DRAW_PROBABILITY + 1) / 2

START = Rating(MU, SIGMA)

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
