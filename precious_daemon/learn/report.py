"""What the owner is told of a model: figures on held-out answers, mistakes, and why a photo is thought to go. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve, precision_recall_fscore_support

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn.baseline import Doubles, coordinates
from precious_daemon.learn.space import Examples

THRESHOLD = 0.5  # chance of "delete" from which a photo counts as one to delete, in the figures
RESAMPLES = 300
BINS = 5  # of the reliability table
EVIDENCE_OF = 2_000  # photos likeliest to go that get evidence
SHOWN = 3  # pictures of each side
ALIKE = 0.5  # cosine from which two photos look alike


def figures(chances: Doubles, deleted: Ints) -> dict[str, Any]:
    """On held-out answers, "delete" being positive. chances of "delete" (n,), deleted (n,)."""
    called = (chances >= THRESHOLD).astype(np.int64)
    precision, recall, f1, _ = precision_recall_fscore_support(deleted, called, average="binary", zero_division=0)
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "average_precision": float(average_precision_score(deleted, chances)),
        "confusion": confusion_matrix(deleted, called, labels=[0, 1]).tolist(),
        "threshold": THRESHOLD,
        "n": len(deleted),
        "intervals": intervals(chances, deleted),
    }


def intervals(chances: Doubles, deleted: Ints, seed: int = 0) -> dict[str, list[float]]:
    """[low, high] in which each figure lies with 95 %: percentiles of the bootstrap, drawn from either class apart."""
    rng = np.random.default_rng(seed)
    sides = [np.flatnonzero(deleted == side) for side in (0, 1)]
    rows = []
    for _ in range(RESAMPLES):
        at = np.concatenate([rng.choice(side, len(side)) for side in sides if len(side)])
        called, truth = chances[at] >= THRESHOLD, deleted[at] == 1
        right = float((called & truth).sum())
        precision, recall = right / max(called.sum(), 1), right / max(truth.sum(), 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        rows.append((precision, recall, f1, float(average_precision_score(deleted[at], chances[at]))))
    low, high = np.percentile(rows, [2.5, 97.5], axis=0)
    names = ("precision", "recall", "f1", "average_precision")
    return {name: [float(a), float(b)] for name, a, b in zip(names, low, high, strict=True)}


def pr_curve(chances: Doubles, deleted: Ints) -> list[list[float]]:
    """Points [recall, precision, threshold], recall falling."""
    precision, recall, thresholds = precision_recall_curve(deleted, chances)
    return [[float(r), float(p), float(t)] for r, p, t in zip(recall, precision, thresholds, strict=False)]


def reliability(chances: Doubles, deleted: Ints) -> list[dict[str, float]]:
    """For each fifth of the scale that has answers: mean chance of keep said, share kept, number of answers."""
    keep, kept = 1 - chances, 1 - deleted
    place = np.minimum((keep * BINS).astype(np.int64), BINS - 1)
    return [
        {
            "predicted": float(keep[place == b].mean()),
            "observed": float(kept[place == b].mean()),
            "count": int((place == b).sum()),
        }
        for b in range(BINS)
        if (place == b).any()
    ]


def mistakes(ids: Ints, chances: Doubles, deleted: Ints, most: int = 24) -> list[dict[str, Any]]:
    """Held-out photos on the wrong side, the surest first."""
    wrong = np.flatnonzero((chances >= THRESHOLD) != (deleted == 1))
    wrong = wrong[np.argsort(-np.abs(chances[wrong] - THRESHOLD), kind="stable")][:most]
    return [
        {
            "photo_id": int(ids[i]),
            "keep": float(1 - chances[i]),
            "label": "delete" if deleted[i] else "keep",
            "kept": not deleted[i],
        }
        for i in wrong
    ]


def evidence(ids: Ints, x: Examples, weight: float, keep: Doubles, where: Ints, deleted: Ints) -> dict[str, dict[str, Any]]:
    """For the photos likeliest to go: the labelled photos that they look like, nearest first, by photo id.

    `like_deleted` counts the deleted ones that look alike and nearer than any kept one.
    """
    lowest = np.argsort(keep, kind="stable")[:EVIDENCE_OF]
    cosines = coordinates(x.take(lowest), weight) @ coordinates(x.take(where), weight).T
    cosines[lowest[:, None] == where[None, :]] = -1  # a photo is no evidence of itself
    return {str(int(ids[photo])): one for photo, one in zip(lowest, _alike(cosines, ids[where], deleted == 1), strict=True)}


def _alike(cosines: np.ndarray[Any, Any], ids: Ints, deleted: np.ndarray[Any, Any]) -> Iterator[dict[str, Any]]:
    for row in cosines:
        order = [i for i in np.argsort(-row, kind="stable") if row[i] > -1]
        sides = {side: [i for i in order if deleted[i] == side] for side in (True, False)}
        bar = max(ALIKE, float(row[sides[False][0]]) if sides[False] else ALIKE)
        yield {
            "deleted": [int(ids[i]) for i in sides[True][:SHOWN]],
            "kept": [int(ids[i]) for i in sides[False][:SHOWN]],
            "like_deleted": sum(float(row[i]) >= bar for i in sides[True]),
        }
