"""Days and events, read from when photos were taken, and people: what must not be emptied by a single night's list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime

from precious_daemon.pure.decide import Occasion
from precious_daemon.store import Database

DAY = 86400.0  # seconds
PAUSE = 3 * 3600.0  # without a photo for so long, the next one is of another event


def of(db: Database, candidates: Collection[int], leave_of_day: int, leave_of_event: int) -> Iterator[Occasion]:
    """The days and events that any of these photos is of. Photos whose time is only that of their file are of none."""
    sql = """
        SELECT id, coalesce(taken_at, 0) AS at FROM photos
        WHERE state = 'present' AND taken_at IS NOT NULL AND taken_from IS NOT 'file' ORDER BY coalesce(taken_at, 0), id
    """
    day, event = _Run(leave_of_day, _of_day), _Run(leave_of_event, _of_event)
    last = 0.0
    for photo, at in db.execute(sql) if leave_of_day or leave_of_event else ():
        if at // DAY != last // DAY:
            yield from day.end()
        if at - last > PAUSE:
            yield from event.end()
        last = at
        for run in (day, event):
            run.add(photo, at, photo in candidates)
    yield from day.end()
    yield from event.end()


def _of_day(begins: datetime, leave: int) -> str:
    date = f"{begins:%-d %B %Y}"
    return f"the last photo{'' if leave == 1 else 's'} of {date}"


def _of_event(begins: datetime, leave: int) -> str:
    date = f"{begins:%-d %B %Y at %H:%M}"
    return f"the last photo{'' if leave == 1 else 's'} of what happened on {date}"


def of_people(candidates: Collection[int], in_photos: Mapping[int, Collection[str]], leave: int) -> Iterator[Occasion]:
    """Those who are in any of these photos: so many photos of each stay. `in_photos` names who is in every photo there is."""
    present: dict[str, int] = defaultdict(int)
    might_go: dict[str, set[int]] = defaultdict(set)
    for photo, names in in_photos.items() if leave else ():
        for name in names:
            present[name] += 1
            if photo in candidates:
                might_go[name].add(photo)
    for name, members in might_go.items():
        yield Occasion(frozenset(members), present[name], leave, f"the last photo{'' if leave == 1 else 's'} of {name}")


class _Run:
    """Photos one after the other, until something ends the run."""

    def __init__(self, leave: int, why: Callable[[datetime, int], str]) -> None:
        self._leave, self._why = leave, why
        self._count, self._start, self._members = 0, 0.0, set[int]()

    def add(self, photo: int, at: float, candidate: bool) -> None:
        if not self._count:
            self._start = at
        self._count += 1
        if candidate:
            self._members.add(photo)

    def end(self) -> Iterator[Occasion]:
        if self._members and self._leave:
            why = self._why(datetime.fromtimestamp(self._start, UTC), self._leave)
            yield Occasion(frozenset(self._members), self._count, self._leave, why)
        self._count, self._members = 0, set()
