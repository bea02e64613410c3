"""TrueSkill: what the votes of one voter say about each photo.

Herbrich, Minka and Graepel, "TrueSkill: A Bayesian Skill Rating System" (2006). With two photos the factor graph has a
closed form; of more, the comparisons are made to agree with one another as the paper's messages do. Performance of a photo is
N(mu, sigma^2 + beta^2), the better performance wins, and two that differ by less than the draw margin are a draw.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from precious_daemon.models import Lineup, Rating, Vote

MU = 25.0
SIGMA = MU / 3
BETA = SIGMA / 2  # noise of one look at a photo: 76 % for the better one where the means differ by beta
TAU = SIGMA / 100  # added before each vote, so that an old rating can still move: taste does
DRAW_PROBABILITY = 0.10
DRAW_MARGIN = 0.12566134685507402 * math.sqrt(2) * BETA  # the normal's quantile at (DRAW_PROBABILITY + 1) / 2

START = Rating(MU, SIGMA)
MISSING = 0.2  # a top is steady once at most this share of what belongs there is expected to be missing

_SWEEPS = 40  # at most, until several comparisons agree; four photos need about six
_FIT_SWEEPS = 30  # at most, over all votes
_FIT_ENOUGH = SIGMA / 500  # no mean moves by more than this: far less than any rating is sure of
_ROOT_2 = math.sqrt(2)
_ROOT_HALF_PI = math.sqrt(math.pi / 2)


def update(winner: Rating, loser: Rating, *, draw: bool = False) -> tuple[Rating, Rating]:
    """Both ratings after one vote, in the order given."""
    mu_w, var_w, mu_l, var_l = _after(winner.mu, winner.sigma**2, loser.mu, loser.sigma**2, draw)
    return (
        Rating(mu_w, math.sqrt(var_w), winner.wins + (not draw), winner.losses, winner.draws + draw),
        Rating(mu_l, math.sqrt(var_l), loser.wins, loser.losses + (not draw), loser.draws + draw),
    )


def update_many(order: Sequence[Rating], *, ordered: bool = True, draw: bool = False) -> list[Rating]:
    """Ratings after one answer about all of these, in the order given.

    They are in order, best first; or, not `ordered`, the first is better than each of the others; or all are a draw.
    """
    moved = _after_many([(r.mu, r.sigma**2) for r in order], ordered, draw)
    wins, losses, draws = _counted(len(order), ordered, draw)
    return [
        Rating(mu, math.sqrt(var), r.wins + won, r.losses + lost, r.draws + draws)
        for r, (mu, var), won, lost in zip(order, moved, wins, losses, strict=True)
    ]


def _counted(count: int, ordered: bool, draw: bool) -> tuple[list[int], list[int], int]:
    """Comparisons won and lost, by place, and how many each drew."""
    if draw:
        return [0] * count, [0] * count, count - 1
    if ordered:
        return list(range(count - 1, -1, -1)), list(range(count)), 0
    return [count - 1] + [0] * (count - 1), [0] + [1] * (count - 1), 0


def replay(votes: Iterable[Vote | Lineup], start: Mapping[int, Rating] | None = None) -> dict[int, Rating]:
    """Ratings by photo id after all votes, in their order. Photos that `start` does not name begin at START.

    The same as `update` and `update_many` vote by vote, on plain numbers: a million votes on two take seconds.
    """
    state = {i: [r.mu, r.sigma**2, r.wins, r.losses, r.draws] for i, r in (start or {}).items()}

    def of(photo_id: int) -> list[float]:
        return state.get(photo_id) or state.setdefault(photo_id, [MU, SIGMA**2, 0, 0, 0])

    for vote in votes:
        if isinstance(vote, Lineup):
            many = [of(photo_id) for photo_id in vote.photos]
            wins, losses, draws = _counted(len(many), vote.ordered, vote.draw)
            for one, (mu, var), won, lost in zip(
                many, _after_many([(one[0], one[1]) for one in many], vote.ordered, vote.draw), wins, losses, strict=True
            ):
                one[:] = [mu, var, one[2] + won, one[3] + lost, one[4] + draws]
            continue
        winner, loser = of(vote.winner), of(vote.loser)
        winner[0], winner[1], loser[0], loser[1] = _after(winner[0], winner[1], loser[0], loser[1], vote.draw)
        winner[4 if vote.draw else 2] += 1
        loser[4 if vote.draw else 3] += 1
    return {i: Rating(mu, math.sqrt(var), int(won), int(lost), int(drawn)) for i, (mu, var, won, lost, drawn) in state.items()}


def fit(votes: Sequence[Vote | Lineup], start: Mapping[int, Rating] | None = None) -> dict[int, Rating]:
    """Ratings by photo id from all votes at once: each vote informs every rating, also those that were rated before it.

    Expectation propagation over the whole history (the batch form of section 4; Dangauthier et al. 2007 without time): each
    vote's effect on its photos stands as a factor that is made anew from what all other votes say, until none moves.
    Taste is taken not to change. A million votes on two take about ten seconds a sweep.
    """
    places: dict[int, int] = {}
    for vote in votes:
        for photo_id in vote.photos if isinstance(vote, Lineup) else (vote.winner, vote.loser):
            places.setdefault(photo_id, len(places))
    begun = [(start or {}).get(photo_id, START) for photo_id in places]
    precision = [1 / r.sigma**2 for r in begun]
    shift = [r.mu / r.sigma**2 for r in begun]
    shown = [
        ([places[i] for i in vote.photos] if isinstance(vote, Lineup) else [places[vote.winner], places[vote.loser]])
        for vote in votes
    ]
    factors = [[(0.0, 0.0)] * len(ids) for ids in shown]
    for _ in range(_FIT_SWEEPS):
        change = 0.0
        for vote, ids, factor in zip(votes, shown, factors, strict=True):
            rest = [(precision[i] - p, shift[i] - s) for i, (p, s) in zip(ids, factor, strict=True)]
            known = [(s / p, 1 / p) for p, s in rest]
            if isinstance(vote, Lineup):
                moved = _after_many(known, vote.ordered, vote.draw, drift=0.0)
            else:
                mu_w, var_w, mu_l, var_l = _after(*known[0], *known[1], vote.draw, drift=0.0)
                moved = [(mu_w, var_w), (mu_l, var_l)]
            for place, (i, (mu, var), (p, s)) in enumerate(zip(ids, moved, rest, strict=True)):
                change = max(change, abs(mu - shift[i] / precision[i]))
                precision[i], shift[i] = 1 / var, mu / var
                factor[place] = precision[i] - p, shift[i] - s
        if change < _FIT_ENOUGH:
            break
    counts = {photo_id: [r.wins, r.losses, r.draws] for photo_id, r in zip(places, begun, strict=True)}
    for vote in votes:
        if isinstance(vote, Lineup):
            wins, losses, draws = _counted(len(vote.photos), vote.ordered, vote.draw)
            for photo_id, won, lost in zip(vote.photos, wins, losses, strict=True):
                of = counts[photo_id]
                of[:] = [of[0] + won, of[1] + lost, of[2] + draws]
        else:
            counts[vote.winner][2 if vote.draw else 0] += 1
            counts[vote.loser][2 if vote.draw else 1] += 1
    return {
        photo_id: Rating(shift[i] / precision[i], 1 / math.sqrt(precision[i]), *counts[photo_id])
        for photo_id, i in places.items()
    } | {photo_id: r for photo_id, r in (start or {}).items() if photo_id not in places}


def answers_until_steady(known: Sequence[Rating], unknown: int, top: int) -> int:
    """`_until_steady`, which is asked for on every page while the ratings stay as they are: the last few are remembered.

    Of many photos, those of about equal rating count as equal: after each vote it is worked out anew, while somebody waits
    for the next question.
    """
    few = len(known) <= 100
    alike = Counter(_about(r, 0.01 if few or r.sigma < 1 else 0.25) for r in known)
    return _until_steady(tuple((mu, sigma, n) for (mu, sigma), n in sorted(alike.items())), unknown, top)


def _about(rated: Rating, step: float) -> tuple[float, float]:
    return round(rated.mu / step) * step, max(1, round(rated.sigma / step)) * step


@lru_cache(maxsize=8)
def _until_steady(known: tuple[tuple[float, float, int], ...], unknown: int, top: int) -> int:
    """About how many answers it takes until the best `top` photos are steady. `unknown` more photos are at START.

    Answers go to the least certain photos first (`pairing`), so they bring the greatest sigmas down to one level s. A photo
    of N(mu, sigma^2) will then be believed to be at m ~ N(mu, sigma^2 - s^2), and be at N(m, s^2). The border c is where
    `top` photos are expected to be above; those of them that are believed to be below are missing from the top.
    A comparison with an equal takes W var^2 / (2 beta^2 + 2 var) off a variance, and one answer compares two photos. Taste
    is taken not to change. In the world of `bench/votes.py` the level is right to a tenth.
    """
    crowd = [*known, (MU, SIGMA, unknown)] if unknown else known
    if sum(count for *_, count in crowd) <= top:
        return 0
    border = _bisect(lambda c: sum(n * _above((mu - c) / sigma) for mu, sigma, n in crowd) < top, MU - 99, MU + 99)

    def missing(level: float) -> float:
        return sum(n * _missed(mu - border, sigma, level) for mu, sigma, n in crowd if abs(mu - border) < 4 * sigma)

    if missing(math.inf) <= MISSING * top:
        return 0
    widest = max(sigma for _, sigma, _ in crowd)
    level = math.exp(_bisect(lambda s: missing(math.exp(s)) > MISSING * top, math.log(SIGMA / 50), math.log(widest), 10))
    looks = sum(
        n * (2 * BETA * BETA * (level**-2 - sigma**-2) + 4 * math.log(sigma / level)) / _W
        for _, sigma, n in crowd
        if sigma > level
    )
    return math.ceil(looks / 2)


_W = 0.72  # mean of W over the comparisons of photos that are believed about equal
# The positive half of a normal, in eight equal parts: NormalDist().inv_cdf(0.5 + (k + 0.5) / 16).
_RIGHT = (0.078412, 0.237202, 0.40225, 0.579132, 0.776422, 1.00999, 1.318011, 1.862732)


def _missed(ahead: float, sigma: float, level: float) -> float:
    """Chance that a photo, `ahead` of the border by its mean, is above it and believed to be below, once sigma is `level`."""
    if sigma <= level:
        return _above(ahead / sigma) if ahead <= 0 else 0.0
    unit = _ROOT_2 * math.sqrt(sigma * sigma - level * level)  # of m; what is left, u - m, is N(0, level^2)
    a, left, erfc = ahead / unit, level / unit, math.erfc  # `_above` by hand: this is where the time goes
    return (erfc(a) - sum([erfc(a + z * left) for z in _RIGHT]) / len(_RIGHT)) / 4


def _above(x: float) -> float:
    return 0.5 * math.erfc(-x / _ROOT_2)


def _bisect(too_high: Callable[[float], bool], low: float, high: float, steps: int = 16) -> float:
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if too_high(middle) else (middle, high)
    return low


# --- the closed form ---------------------------------------------------------------------------------------------------


def _after(
    mu_w: float, var_w: float, mu_l: float, var_l: float, draw: bool, drift: float = TAU * TAU
) -> tuple[float, float, float, float]:
    """Means and variances of winner and loser after a vote (section 4 of the paper; c is the spread of the difference)."""
    var_w += drift
    var_l += drift
    c2 = 2 * BETA * BETA + var_w + var_l
    c = math.sqrt(c2)
    v, w = _draw((mu_w - mu_l) / c, DRAW_MARGIN / c) if draw else _win((mu_w - mu_l - DRAW_MARGIN) / c)
    return mu_w + var_w / c * v, var_w * (1 - var_w / c2 * w), mu_l - var_l / c * v, var_l * (1 - var_l / c2 * w)


def _after_many(
    known: Sequence[tuple[float, float]], ordered: bool, draw: bool, drift: float = TAU * TAU
) -> list[tuple[float, float]]:
    """Means and variances after one answer about several photos.

    The performances are jointly normal; each comparison of two cuts their difference off, and stands as a normal factor
    (`precision`, `shift`) of it that is made anew from what all others say, until none changes: expectation propagation
    (Minka 2001), whose fixed point the messages of TrueSkill's factor graph have too.
    """
    n = len(known)
    skill = [var + drift for _, var in known]
    mean = [mu for mu, _ in known]
    cov = [[skill[i] + BETA * BETA if i == j else 0.0 for j in range(n)] for i in range(n)]
    pairs = [(i, i + 1) for i in range(n - 1)] if ordered or draw else [(0, i) for i in range(1, n)]
    factors = [(0.0, 0.0)] * len(pairs)
    for _ in range(_SWEEPS):
        change = 0.0
        for k, (a, b) in enumerate(pairs):
            precision, shift = factors[k]
            d, s2 = mean[a] - mean[b], cov[a][a] + cov[b][b] - 2 * cov[a][b]
            rest2 = 1 / max(1 / s2 - precision, 1e-12)
            rest = rest2 * (d / s2 - shift)
            c = math.sqrt(rest2)
            v, w = _draw(rest / c, DRAW_MARGIN / c) if draw else _win((rest - DRAW_MARGIN) / c)
            cut2 = rest2 * max(1 - w, 1e-9)
            factors[k] = (1 / cut2 - 1 / rest2, (rest + c * v) / cut2 - rest / rest2)
            more, push = factors[k][0] - precision, factors[k][1] - shift
            grip = 1 + more * s2
            column = [cov[i][a] - cov[i][b] for i in range(n)]
            move, narrow = (push - more * d) / grip, more / grip
            change = max(change, abs(move) * s2, abs(narrow) * s2 * s2)
            for i in range(n):
                mean[i] += column[i] * move
                for j in range(n):
                    cov[i][j] -= column[i] * column[j] * narrow
        if change < 1e-8:
            break
    share = [s / (s + BETA * BETA) for s in skill]  # of a surprise in the performance that is the photo's own
    return [
        (mu + f * (mean[i] - mu), skill[i] + f * f * (cov[i][i] - skill[i] - BETA * BETA))
        for i, ((mu, _), f) in enumerate(zip(known, share, strict=True))
    ]


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
