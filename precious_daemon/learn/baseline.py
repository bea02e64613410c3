"""Label spreading, the gate that it finds, and logistic regression: the learners that need no training loop.

How much the measures (sharpness, exposure, file size, ...) should count beside the look differs by owner: an owner who deletes
blurred frames and receipts needs them, one who deletes by subject is misled by them. In simulation no fixed weight served both:
AP of label spreading for the junk persona rises from .74 at weight 0 to .91 at weight 2, and for taste B falls from .95 to .59.
So the graph is built at several weights, and each is believed by how well it foretells every label from the others (`gate`). That
gives .90 and .95, and its mean weight is what regression and FixMatch start from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from precious_daemon.grouping.measures import Floats, Ints
from precious_daemon.learn.space import Examples

Doubles = NDArray[np.float64]

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # of the measures beside the look
NEIGHBOURS = 15
GRAPH_AXES = 40  # of the look: the first ones
AT_ONCE, STRIPS = 256, 8  # rows whose neighbours are looked for at once, and parts of them: what fits into a core's cache
BLOCK = 32_768  # photos placed at once
ALPHA = 0.9  # share that a photo takes from its neighbours; the rest is its own label
STEPS = 40  # of the iteration: 0.9 ** 40 is 1.5 %
LEAST_SLOPE = 0.05  # of a calibration
STRENGTH = 10.0  # inverse of regression's L2 penalty, for rows of length one


# --- the graph ---------------------------------------------------------------------------------------------------------


def coordinates(x: Examples, weight: float, length: float | None = None) -> Floats:
    """(n, axes + measures), rows of length one: their products are cosines. `length` is that of the looks beside the measures."""
    look = x.look[:, :GRAPH_AXES] / np.float32(mean_length(x) if length is None else length)
    rows = np.hstack([look, np.float32(weight) * x.measures])
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def mean_length(x: Examples) -> float:
    """Of the looks, as far as the graph sees them."""
    return max(float(np.sqrt((x.look[:, :GRAPH_AXES] ** 2).sum(1).mean())), 1e-9)


def nearest(rows: Floats, among: Floats, k: int, own: bool = False) -> tuple[Ints, Floats]:
    """(n, k) positions in `among` of the k largest cosines to each row, unordered, and those. `own`: a row is not its own."""
    k = min(k, len(among) - own)
    places, values = np.empty((len(rows), k), dtype=np.int64), np.empty((len(rows), k), dtype=np.float32)
    width = max(-(-len(among) // STRIPS), k)
    columns = np.zeros((among.shape[1], STRIPS * width), dtype=np.float32)
    columns[:, : len(among)] = among.T
    for start in range(0, len(rows), AT_ONCE):
        part = slice(start, min(start + AT_ONCE, len(rows)))
        cosines = rows[part] @ columns
        cosines[:, len(among) :] = -3
        if own:
            cosines[np.arange(part.stop - start), np.arange(start, part.stop)] = -2
        # where the strips are laid on one another, the k largest lie below the k largest of what is on top
        top = cosines.reshape(len(cosines), STRIPS, width).max(axis=1)
        below = _largest(top, k)[:, :, None] + width * np.arange(STRIPS)
        found = below.reshape(len(cosines), -1)
        known = np.take_along_axis(cosines, found, axis=1)
        best = _largest(known, k)
        places[part], values[part] = np.take_along_axis(found, best, axis=1), np.take_along_axis(known, best, axis=1)
    return places, values


def _largest(values: Floats, k: int) -> Ints:
    """(n, m) -> (n, k): where the k largest of each row are, unordered."""
    return np.argpartition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k :]


def by_neighbours(x: Examples, nodes: Examples, weight: float, scores: Doubles) -> Doubles:
    """What the nodes score, (m,) or (m, columns), for all photos: the mean of the 15 that look most alike, each by its cosine."""
    length = mean_length(nodes)  # as in the model's file, so that both score a photo alike
    among = coordinates(nodes, weight, length)
    found = np.empty((len(x), *scores.shape[1:]))
    for start in range(0, len(x), BLOCK):
        part = slice(start, start + BLOCK)
        places, cosines = nearest(coordinates(x.part(part), weight, length), among, NEIGHBOURS)
        pull = np.maximum(cosines, 1e-6).astype(np.float64)
        found[part] = np.einsum("nk,nk...->n...", pull / pull.sum(1, keepdims=True), scores[places])
    return found


def graph(rows: Floats) -> sp.csr_array:
    """S = D^-1/2 W D^-1/2 of Zhou et al. 2004: W holds the cosines of 15 nearest neighbours, of either side."""
    n = len(rows)
    places, values = nearest(rows, rows, NEIGHBOURS, own=True)
    ends = np.repeat(np.arange(n), places.shape[1]), places.ravel()
    one_way = sp.csr_array((np.maximum(values.ravel(), 0), ends), shape=(n, n))
    return normalized(one_way.maximum(one_way.T).tocsr())


def normalized(affinity: sp.csr_array) -> sp.csr_array:
    """D^-1/2 W D^-1/2; a node without neighbours stays without."""
    scale = sp.diags_array(1 / np.sqrt(np.maximum(affinity.sum(axis=1), 1e-9)))
    return (scale @ affinity @ scale).tocsr().astype(np.float32)


def spread(links: sp.csr_array, seeds: Floats, alpha: float = ALPHA, steps: int = STEPS) -> Floats:
    """F <- alpha S F + (1 - alpha) Y, Zhou et al. 2004, "Learning with local and global consistency". Y is (n, columns)."""
    found = seeds
    for _ in range(steps):
        found = alpha * (links @ found) + (1 - alpha) * seeds
    return found


# --- label spreading ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """What label spreading says: log odds of "delete" for every node, and the mean weight of the measures."""

    logits: Doubles  # (n,)
    weight: float
    shares: Doubles  # (len(WEIGHTS),), shares that sum to one: how far each graph is believed
    held_out: Doubles  # (L,): chance of "delete" of each label, found without it and its burst


class Graphs:
    """The graphs of all nodes, and how each answers to a label alone: spreading is linear, so every split is a sum of those."""

    def __init__(self, x: Examples, labelled: Ints) -> None:
        """`labelled` are the positions of all labels that will ever be learnt from here."""
        self._group = x.group
        self._column = {int(place): column for column, place in enumerate(labelled)}
        seeds = np.zeros((len(x), len(labelled)), dtype=np.float32)
        seeds[labelled, np.arange(len(labelled))] = 1
        self._responses = [spread(graph(coordinates(x, weight)), seeds) for weight in WEIGHTS]

    def learn(self, where: Ints, deleted: Ints, belief: Doubles | None = None) -> Spread:
        """From labels at positions `where` (L,), each of them among those given at first. `belief` (L,): what each counts."""
        columns = np.array([self._column[int(place)] for place in where])
        apart = self._group[where][:, None] != self._group[where][None, :]
        counted = np.ones((1, len(where))) if belief is None else belief[None]
        logits, held_out = [], []
        for response in self._responses:
            votes = response[:, columns].astype(np.float64)
            floor = 0.02 * float(votes[votes > 0].mean())  # where no label reaches, all are equally likely
            logits.append(log_odds(votes, counted, deleted, floor))
            held_out.append(log_odds(votes[where], apart * counted, deleted, floor))
        shares, scales = gate(np.stack(held_out), deleted, belief)
        chances = sum(share * scale(row) for share, scale, row in zip(shares, scales, logits, strict=True))
        clipped = np.clip(chances, 1e-6, 1 - 1e-6)
        known = sum(share * scale(row) for share, scale, row in zip(shares, scales, held_out, strict=True))
        return Spread(np.log(clipped / (1 - clipped)), float(shares @ np.array(WEIGHTS)), shares, np.asarray(known))


def log_odds(votes: Doubles, counted: NDArray[Any], deleted: Ints, floor: float) -> Doubles:
    """Log of the mean vote of deleted labels over that of kept ones, so that the commoner class has no head start.

    votes (m, L), counted (m or 1, L) how far each label may vote for each row, deleted (L,) -> (m,).
    """
    sides = []
    for side in (deleted, 1 - deleted):
        voters = counted * side
        sides.append((votes * voters).sum(1) / np.maximum(voters.sum(1), 1e-9) + floor)
    return np.asarray(np.log(sides[0] / sides[1]))


def gate(held_out: Doubles, deleted: Ints, belief: Doubles | None = None) -> tuple[Doubles, list[Platt]]:
    """How far to believe each of several scorings: in proportion to the likelihood of the labels under each.

    held_out (s, L): log odds of each label found without it (and without its burst). Returns shares (s,) and, for each,
    the scaling to chances. A Bayesian model average with leave-one-out likelihoods (Yao et al. 2018, pseudo-BMA).
    """
    scales = [Platt.fit(row, deleted, belief) for row in held_out]
    chances = np.stack([np.clip(scale(row), 1e-4, 1 - 1e-4) for scale, row in zip(scales, held_out, strict=True)])
    likelihood = ((deleted * np.log(chances) + (1 - deleted) * np.log(1 - chances)) * (1.0 if belief is None else belief)).sum(1)
    shares = np.exp(likelihood - likelihood.max())
    return shares / shares.sum(), scales


@dataclass(frozen=True, slots=True)
class Platt:
    """Scores to chances by a logistic curve (Platt 1999), never falling: it may doubt a score, and not turn it round."""

    slope: float
    offset: float

    @classmethod
    def fit(cls, scores: Doubles, deleted: Ints, belief: Doubles | None = None) -> Platt:
        """From log odds that were found without the label that they are held against."""
        if len(set(deleted.tolist())) < 2:
            return cls(1.0, 0.0)
        found = LogisticRegression(C=1.0).fit(scores[:, None], deleted, sample_weight=belief)
        return cls(max(float(found.coef_[0, 0]), LEAST_SLOPE), float(found.intercept_[0]))

    def logit(self, scores: Doubles) -> Doubles:
        return self.slope * scores + self.offset

    def __call__(self, scores: Doubles) -> Doubles:
        return np.asarray(1 / (1 + np.exp(-np.clip(self.logit(scores), -60, 60))))


# --- regression --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Linear:
    """log odds of "delete" = look . a + measures . b + c."""

    look: Floats
    measures: Floats
    offset: float

    def __call__(self, x: Examples) -> Doubles:
        return np.asarray(x.look @ self.look + x.measures @ self.measures + self.offset, dtype=np.float64)

    def tensors(self, name: str) -> Mapping[str, Floats]:
        offset = np.array([self.offset], dtype=np.float32)
        return {f"{name}.look": self.look, f"{name}.measures": self.measures, f"{name}.offset": offset}


def regression(x: Examples, where: Ints, deleted: Ints, weight: float, belief: Doubles | None = None) -> Linear:
    """Logistic regression on the labels alone, classes balanced: the floor that every other learner has to beat."""
    rows = x.take(where).weighed(weight)
    found = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000).fit(rows, deleted, sample_weight=belief)
    a, axes = found.coef_[0].astype(np.float32), x.look.shape[1]
    return Linear(a[:axes], np.float32(weight) * a[axes:], float(found.intercept_[0]))
