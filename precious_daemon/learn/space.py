"""Coordinates for the learners: what the network saw, and what was measured, each brought to length one.

The look is the network's features under a square root (they are averages of rectified maps: skewed, and never negative),
turned to their principal axes. Measured on label spreading against standardized features: AP of the taste personas
.631 / .951 / .801 against .622 / .934 / .794, junk the same; 128 axes serve regression as well as all 1,280.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from precious_daemon.grouping.measures import Floats, Ints, scale, scaled

LOOK = 128  # axes kept


@dataclass(frozen=True, slots=True)
class Examples:
    """n photos as the learners see them. Rows of `look` and `measures` have a length of one in the mean."""

    look: Floats  # (n, axes)
    measures: Floats  # (n, MEASURES)
    group: Ints  # (n,): photos of one burst share a number, and never stand on both sides of a split

    def __len__(self) -> int:
        return len(self.group)

    def take(self, where: Ints) -> Examples:
        return Examples(self.look[where], self.measures[where], self.group[where])

    def part(self, where: slice) -> Examples:
        """No copy."""
        return Examples(self.look[where], self.measures[where], self.group[where])

    def weighed(self, weight: float) -> Floats:
        """(n, axes + MEASURES): look and measures side by side, the measures at a weight."""
        return np.hstack([self.look, np.float32(weight) * self.measures])


@dataclass(frozen=True, slots=True)
class Space:
    """The way from features to coordinates. Saved with the model, so that another photo can be placed in it."""

    centre: Floats  # (features,)
    axes: Floats  # (features, axes): columns are principal axes, divided by the mean length
    middle: Floats  # (MEASURES,)
    spread: Floats  # (MEASURES,): standard deviation times the mean length

    @classmethod
    def fit(cls, features: Floats, measures: Floats) -> Space:
        """From a sample of photos: (n, features), not negative, and (n, MEASURES)."""
        rooted = np.sqrt(np.maximum(features, 0)).astype(np.float64)
        centre = rooted.mean(0)
        rooted -= centre
        count = max(1, min(LOOK, len(rooted) - 1, len(centre)))
        if len(rooted) < len(centre):  # the smaller of the two matrices has the same values, and gives the same axes
            values, rows = np.linalg.eigh(rooted @ rooted.T)
            vectors = rooted.T @ rows / np.sqrt(np.maximum(values, 1e-12))
        else:
            values, vectors = np.linalg.eigh(rooted.T @ rooted)
        values, vectors = values[::-1][:count] / len(rooted), vectors[:, ::-1][:, :count]
        vectors *= np.sign(vectors[np.abs(vectors).argmax(0), np.arange(count)])  # else the sign would be arbitrary
        length = math.sqrt(max(values.sum(), 1e-12))
        return cls(centre.astype(np.float32), (vectors / length).astype(np.float32), *scale(measures))

    def look(self, features: Floats) -> Floats:
        """(n, features) -> (n, axes)."""
        rooted = np.maximum(features, 0)
        np.sqrt(rooted, out=rooted)
        rooted -= self.centre
        return np.asarray(rooted @ self.axes, dtype=np.float32)

    def measures(self, raw: Floats) -> Floats:
        """(n, MEASURES) -> (n, MEASURES)."""
        return scaled(raw, self.middle, self.spread)
