"""The field of learners, and which of them to believe.

All learn from the same labels. They are compared by cross-validation on those, in which the photos of one burst stay on one
side; what the owner answered on held-out photos only confirms the choice, and never makes it.

Measured on simulated owners (45 labels on representatives, photos held out by source, mean AP of 10 draws):

                    junk   taste A  taste B  taste C  quality  mixed
    regression      .984   .641     .877     .844     .993     .875
    label spreading .979   .762     .943     .883     .994     .886
    FixMatch        .962   .690     .877     .838     .973     .874
    mean rank       .975   .747     .924     .878     .993     .890
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn.baseline import Doubles, Graphs, Linear, Platt, Spread, regression
from precious_daemon.learn.fixmatch import Views, fixmatch
from precious_daemon.learn.space import Examples

FLOOR = "regression"
ORDER = ("label_spreading", "mean_rank", "fixmatch", FLOOR)  # where cross-validation sees no difference, the earlier one
FOLDS = 5
REPEATS = 3  # of the cross-validation, each with other folds
NOISE = 0.2  # of a cross-validated average precision, over the root of the rarer class's labels: .06 for 10 deletions
LEAST_TESTED = 2  # held-out answers of each class, below which they say nothing
RESAMPLES = 200
NAMES = {
    "mean_rank": "The mean rank of FixMatch and label spreading",
    "label_spreading": "Label spreading",
    "fixmatch": "FixMatch",
    FLOOR: "Regression",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What every learner made of the same labels."""

    spread: Spread
    linear: Mapping[str, Linear]  # regression, and FixMatch where there are views
    scores: Mapping[str, Doubles]  # by learner: (n,), higher is likelier deleted
    seconds: Mapping[str, float]


def learn_all(
    x: Examples,
    where: Ints,
    deleted: Ints,
    graphs: Graphs,
    views: Views | None,
    seed: int,
    belief: Doubles | None = None,
) -> Field:
    """Every learner on labels at `where` (L,), 1 where deleted (L,); `belief` (L,) is what each still counts."""
    began = time.perf_counter()
    spread = graphs.learn(where, deleted, belief)
    spreading = time.perf_counter()
    linear = {FLOOR: regression(x, where, deleted, spread.weight, belief)}
    regressing = time.perf_counter()
    scores = {"label_spreading": spread.logits, FLOOR: linear[FLOOR](x)}
    seconds = {"label_spreading": spreading - began, FLOOR: regressing - spreading}
    if views is not None and len(views.where):
        linear["fixmatch"] = fixmatch(x, where, deleted, views, spread.logits, linear[FLOOR], seed, belief=belief)
        scores["fixmatch"] = linear["fixmatch"](x)
        scores["mean_rank"] = mean_rank(scores["fixmatch"], scores["label_spreading"])
        seconds["fixmatch"] = time.perf_counter() - regressing
        seconds["mean_rank"] = seconds["fixmatch"] + seconds["label_spreading"]
    return Field(spread, linear, scores, seconds)


def mean_rank(*scores: Doubles) -> Doubles:
    """Log odds of the mean rank, ranks from 0 to 1. Each (n,) -> (n,)."""
    rank = np.mean([(rankdata(s) - 0.5) / len(s) for s in scores], axis=0)
    return np.asarray(np.log(rank / (1 - rank)))


@dataclass(frozen=True, slots=True)
class Trial:
    """How one learner did in cross-validation."""

    mean: float  # average precision for "delete" over the repeats
    sd: float
    held_out: Doubles  # (L,): of each label, the score found without it, mean over the repeats


def cross_validate(
    learn: Callable[[Ints, Ints], Mapping[str, Doubles]],
    where: Ints,
    deleted: Ints,
    group: Ints,
    seed: int,
    go_on: Callable[[int, int], bool],
) -> dict[str, Trial]:
    """Repeated stratified group cross-validation. `learn` takes labels (where, deleted) and gives scores of all photos.

    `group` (L,). `go_on(done, total)` is asked before each fold; after the first repeat it may say no.
    """
    found: dict[str, list[Doubles]] = defaultdict(list)
    splits = [list(folds(deleted, group, seed + repeat)) for repeat in range(REPEATS)]
    total, done = sum(map(len, splits)), 0
    for repeat, parts in enumerate(splits):
        held_out: dict[str, Doubles] = defaultdict(lambda: np.zeros(len(where)))
        for train, test in parts:
            if not go_on(done, total) and repeat:
                break
            for name, scores in learn(where[train], deleted[train]).items():
                held_out[name][test] = scores[where[test]]
            done += 1
        else:
            for name, row in held_out.items():
                found[name].append(row)
            continue
        break
    trials = {}
    for name, rows in found.items():
        precision = [float(average_precision_score(deleted, row)) for row in rows]
        trials[name] = Trial(float(np.mean(precision)), float(np.std(precision)), np.mean(rows, axis=0))
    return trials


def folds(deleted: Ints, group: Ints, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """(train, test) positions: at most FOLDS, each with a burst of the rarer class; none where that has a single burst.

    A split that leaves only one class to learn from is passed over: its labels keep the score 0.
    """
    rarer = min(len(set(group[deleted == side].tolist())) for side in (0, 1))
    if rarer < 2:
        return
    for train, test in StratifiedGroupKFold(min(FOLDS, rarer), shuffle=True, random_state=seed).split(group, deleted, group):
        if len(set(deleted[train].tolist())) == 2:
            yield train, test


def choose(trials: Mapping[str, Trial], rarest: int) -> str:
    """The learner that cross-validation likes best. What is within its noise goes by ORDER, which is that of simulated owners.

    `rarest`: labels of the rarest class, which make the noise.

    A strict best of four chose worse than always taking the first: on 45 labels it picks whichever the folds happened to favour.
    """
    best = max((trial.mean for trial in trials.values()), default=0.0)
    noise = NOISE / math.sqrt(max(rarest, 1))
    return next((name for name in ORDER if name in trials and trials[name].mean >= best - noise), FLOOR)


def confirm(
    champion: str, trials: Mapping[str, Trial], chances: Mapping[str, Doubles], deleted: Ints, seed: int = 0
) -> tuple[str, str]:
    """(champion, why in a sentence), from the chances that each learner gives the held-out answers `deleted` (t,).

    A champion gives way to regression where it does worse by more than chance explains: a few held-out answers order two
    learners no better than a coin, and regression is the worse of them more often than not.
    """
    if champion not in trials:
        return FLOOR, "Regression was used: there are too few answers to compare the learners."
    ahead = trials[champion].mean >= max(trial.mean for trial in trials.values()) - 0.005
    best = (
        f"{NAMES[champion]} {'did best' if ahead else 'is within chance of the best'} in cross-validation "
        f"(average precision {trials[champion].mean:.2f}"
    )
    best += ")" if champion == FLOOR else f", regression {trials[FLOOR].mean:.2f})"
    if min(int(deleted.sum()), int((1 - deleted).sum())) < LEAST_TESTED:
        return champion, f"{best}; there are not enough held-out answers to confirm it yet."
    tested = {name: float(average_precision_score(deleted, chances[name])) for name in (champion, FLOOR)}
    if champion == FLOOR:
        return FLOOR, f"{best}; on the held-out answers it has {tested[FLOOR]:.2f}."
    against = f"{tested[champion]:.2f} against {tested[FLOOR]:.2f}"
    lost = tested[FLOOR] - tested[champion]
    if lost <= 0.005:
        return champion, f"{best}, and the held-out answers confirm it ({against})."
    noise = paired_noise(chances[champion], chances[FLOOR], deleted, seed)
    if lost > noise:
        return FLOOR, f"{best}, and worse than regression on the held-out answers ({against}): regression was used."
    return champion, f"{best}; the held-out answers are too few to tell them apart ({against}, give or take {noise:.2f})."


def paired_noise(one: Doubles, other: Doubles, deleted: Ints, seed: int) -> float:
    """How far the difference of two average precisions on the same answers varies by chance: its standard deviation.

    By the bootstrap, drawn from either class apart, so that it is the rarer class that counts. All (t,).
    """
    rng = np.random.default_rng(seed)
    sides = [np.flatnonzero(deleted == side) for side in (0, 1)]
    gaps = []
    for _ in range(RESAMPLES):
        at = np.concatenate([rng.choice(side, len(side)) for side in sides])
        gaps.append(average_precision_score(deleted[at], one[at]) - average_precision_score(deleted[at], other[at]))
    return float(np.std(gaps))


def calibrate(trial: Trial | None, deleted: Ints) -> Platt:
    """Scores to chances, from scores of labels that were found without them."""
    return Platt.fit(trial.held_out, deleted) if trial else Platt(1.0, 0.0)
