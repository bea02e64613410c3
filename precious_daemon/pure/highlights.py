"""The best photos of each event, with variety: values in, values out.

An event is a stretch of time without a long pause. Of each, the best come first; a photo that shares a group (a burst, copies)
with one already chosen is passed over, and one of the same cluster counts for less the more of them are chosen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PAUSE = 6 * 3600.0  # seconds between two events
ALIKE = 4.0  # of mu, for each photo of the same cluster that is chosen: about half a sigma of a photo without votes


@dataclass(frozen=True, slots=True)
class Candidate:
    photo_id: int
    taken_at: float
    value: float  # what the photo is worth: mu less sigma
    groups: frozenset[str] = frozenset()
    cluster: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """From the first to the last photo of it, and those chosen, best first."""

    begins: float
    ends: float
    photos: int
    chosen: tuple[int, ...]


def choose(candidates: Iterable[Candidate], top: int, pause: float = PAUSE) -> list[Event]:
    """At most `top` photos of each event, events in the order of time."""
    return [
        Event(part[0].taken_at, part[-1].taken_at, len(part), _best(part, top))
        for part in events(sorted(candidates, key=lambda c: (c.taken_at, c.photo_id)), pause)
    ]


def events(in_order: Sequence[Candidate], pause: float) -> list[list[Candidate]]:
    found: list[list[Candidate]] = []
    for candidate in in_order:
        if not found or candidate.taken_at - found[-1][-1].taken_at > pause:
            found.append([])
        found[-1].append(candidate)
    return found


def _best(event: Sequence[Candidate], top: int) -> tuple[int, ...]:
    chosen: list[Candidate] = []
    left = list(event)
    while left and len(chosen) < top:
        alike: Counter[int | None] = Counter(c.cluster for c in chosen if c.cluster is not None)
        best = max(left, key=lambda c: (c.value - ALIKE * alike[c.cluster], c.photo_id))
        chosen.append(best)
        left = [c for c in left if c is not best and c.groups.isdisjoint(best.groups)]
    return tuple(c.photo_id for c in chosen)
