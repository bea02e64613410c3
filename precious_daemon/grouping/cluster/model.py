"""Clusters as they were made, kept: new photos are put into them, and it is told when they no longer hold."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from precious_daemon.grouping.cluster.kmeans import Indexes, Points
from precious_daemon.grouping.cluster.space import Space

GROWTH = 0.2  # share of photos come and gone since after which clusters are made anew
DRIFT = 1.25  # or when those that came are further from their centres than the others were, by this factor
DRIFT_OF = 50  # photos that have to have come before that is believed


@dataclass(frozen=True, slots=True)
class Model:
    """`centres` (k, d) in `space`, `discs` (k, 3) of the map; made of `count` photos, `spread` from their centres on average."""

    space: Space
    centres: Points
    discs: Points
    count: int
    spread: float

    def pack(self) -> bytes:
        out = io.BytesIO()
        arrays = self.space.arrays() | {"centres": self.centres, "discs": self.discs}
        np.savez(out, count=self.count, spread=self.spread, **arrays)  # type: ignore[arg-type]
        return out.getvalue()

    @classmethod
    def unpack(cls, blob: bytes) -> Self:
        with np.load(io.BytesIO(blob), allow_pickle=False) as found:
            arrays = dict(found)
        count, spread = int(arrays.pop("count")), float(arrays.pop("spread"))
        return cls(Space.from_arrays(arrays), arrays["centres"], arrays["discs"], count, spread)


def outgrown(model: Model, came: int, gone: int, far: float) -> str | None:
    """Why clusters have to be made anew, in words; None where they hold. `far`: mean distance of what came to its centres."""
    if came + gone > GROWTH * model.count:
        return f"{came:,} photos came and {gone:,} went since they were made of {model.count:,}"
    if came >= DRIFT_OF and far > DRIFT * model.spread:
        return f"the {came:,} photos that came look unlike the clusters there were"
    return None


def renumbered(assignment: Indexes, before: Indexes) -> Indexes:
    """(k,) a number for each new cluster, such that those that share most members with an old one are called as it was.

    `before` holds the old cluster of each photo, -1 where it had none.
    """
    k, known = int(assignment.max()) + 1, before >= 0
    old = int(before.max()) + 1 if known.any() else 0
    shared = np.zeros((k, max(old, 1)), np.int64)
    np.add.at(shared, (assignment[known], before[known]), 1)
    new, as_old = linear_sum_assignment(shared, maximize=True)
    called = np.full(k, -1, np.int64)
    kept = shared[new, as_old] > 0
    called[new[kept]] = as_old[kept]
    free = iter(np.setdiff1d(np.arange(k + old), called))
    return np.array([number if number >= 0 else next(free) for number in called.tolist()], dtype=np.int64)
