"""What the stations of a night share: how a run is called, what it did for each person, and rows by the batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from precious_daemon.models import Voter
from precious_daemon.suggesting import people

T = TypeVar("T")


def name(now: float, voter_id: int = people.OWNER) -> str:
    """A name that sorts by time: 20260131-020000, and 20260131-020000-2 for the second voter."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S") + (f"-{voter_id}" if voter_id != people.OWNER else "")


def of_each(told: Iterable[tuple[Voter, object]]) -> str:
    return "; ".join(f"{voter.name}: {what}" for voter, what in told)


def parts(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    part: list[T] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
