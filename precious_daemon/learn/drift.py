"""Does the owner change their mind? Old answers count less where the newer ones are better foretold without them.

Several half-lives are tried, and with each the newer answers are foretold from all others, weighed by their age. One is
adopted only where it makes them clearly likelier than if all answers counted alike: an owner who is steady must not lose what
they taught. Answers age by the answers that came after them, not by the calendar: a holiday is no change of mind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn.baseline import Doubles, Graphs

HALF_LIVES = (0.5, 0.25, 0.125)  # of the number of answers
NEWER = 0.5  # share of the answers that are foretold
LEAST = 24  # answers, below which there is nothing to see
CLEAR = 1.6  # nats by which the newer answers have to become likelier: odds of five to one; steady owners stay below .6


@dataclass(frozen=True, slots=True)
class Drift:
    """What each answer counts. `half_life` in answers, None where all count alike; `gain` in nats."""

    belief: Doubles  # (L,), 0..1
    half_life: float | None
    gain: float

    def sentence(self) -> str:
        if self.half_life is None:
            return "Your answers do not seem to have changed over time: all of them count alike."
        return f"You seem to have changed your mind: an answer counts half as much after {self.half_life:.0f} newer ones."


def drift(graphs: Graphs, where: Ints, deleted: Ints, age: Ints) -> Drift:
    """From labels at `where` (L,) of `age` (L,): how many newer ones there are."""
    alike = np.ones(len(where))
    if len(where) < LEAST:
        return Drift(alike, None, 0.0)
    newer = age < NEWER * len(where)
    plain = _likelihood(graphs, where, deleted, alike, newer)
    best = Drift(alike, None, 0.0)
    for part in HALF_LIVES:
        belief = 0.5 ** (age / (part * len(where)))
        gain = _likelihood(graphs, where, deleted, belief, newer) - plain
        if gain > max(best.gain, CLEAR):
            best = Drift(belief, part * len(where), gain)
    return best


def _likelihood(
    graphs: Graphs, where: Ints, deleted: Ints, belief: Doubles, newer: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    chance = np.clip(graphs.learn(where, deleted, belief).held_out, 0.01, 0.99)
    return float(np.where(deleted == 1, np.log(chance), np.log(1 - chance))[newer].sum())
