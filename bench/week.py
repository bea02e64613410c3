"""A week of nights on a clock that only this program moves: every job on time and once, and nothing that grows but the library.

    python -m bench.week [--quick] [--days N]

The real service, in this process, with its real jobs and schedule. Every day photos come in, an owner answers, moves something
to the trash and brings some of it back; every ten minutes of the made-up time the schedule looks at its clock. After each night
it is looked at what the service holds: memory, open files, threads, files that jobs left behind, rows and bytes that only time
adds. More than 31 days show as well that nothing is removed for good before its time, and that it can be then.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path

from bench.common import Figure, arguments, demo_library, report, rss_mb, say
from bench.loop import junk_of

DAY, LOOK = 86400.0, 600.0
ANSWERS = 15  # of each kind, a day
SETTLED = 3  # nights after which memory has to stay as it is


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Held:
    """By the service, at the end of a day."""

    memory: float  # MB
    files: int
    threads: int
    left_behind: int  # folders of jobs
    models: int


class Life:
    """One owner's days."""

    def __init__(self, started: object, clock: Clock, folder: Path, pool: list[Path], junk: set[str]) -> None:
        from precious_daemon.running.conditions import Machine
        from precious_daemon.running.daemon import Running
        from precious_daemon.running.schedule import Schedule

        assert isinstance(started, Running)
        self.service, self.jobs, self.clock, self.folder = started.service, started.service.jobs, clock, folder
        self.pool, self.junk, self.rng = pool, junk, random.Random(0)
        self.schedule = Schedule(self.service, Machine, UTC)
        self.early = self.purged = 0

    async def begin(self) -> None:
        await self.schedule.start()
        await asyncio.sleep(1)  # its first look
        await self.schedule.stop()  # from here on, it is this program that has it look at the clock

    async def rest(self) -> None:
        """Until nothing is under way."""
        while any(map(self.jobs.is_running, self.jobs.NAMES)):
            await asyncio.sleep(0.02)
        await self.jobs.arrivals.reading_done()

    async def day(self, photos: int) -> Held:
        for do in (partial(self.take, photos), self.answer, self.tidy, self.rest):
            await do()
            for _ in range(round(6 * 3600 / LOOK)):
                self.clock.now += LOOK
                await self.schedule.tick()
                await self.rest()
        await self.jobs.nightwork.instant.stop()  # it ends by itself, too, once nobody answers for a while
        return self.look()

    async def take(self, count: int) -> None:
        """Photos come in."""
        for path in [self.pool.pop() for _ in range(min(count, len(self.pool)))]:
            place = self.folder / f"{len(self.pool)}-{path.name}"
            shutil.copy(path, place)
            os.utime(place, (self.clock.now - 3600,) * 2)

    async def answer(self) -> None:
        from precious_daemon.asking import answering, ask
        from precious_daemon.models import Choice, Question

        for _ in range(ANSWERS):
            if asked := await ask.next_pair(self.service, 1):
                choice = self.rng.choice((Choice.FIRST, Choice.SECOND))
                await answering.answer(self.service, 1, Question.PAIR, choice, [p.uid for p in asked.photos], asked.purpose)
            if asked := await ask.next_label(self.service, 1):
                choice = Choice.DELETE if Path(asked.photos[0].path).name.partition("-")[2] in self.junk else Choice.KEEP
                await answering.answer(self.service, 1, asked.question, choice, [asked.photos[0].uid], asked.purpose)

    async def tidy(self) -> None:
        """Two suggestions go, one of them comes back; what may go for good, goes."""
        from precious_daemon.errors import CountNeeded, PreciousError
        from precious_daemon.store import suggestions
        from precious_daemon.suggesting import review

        rows = await self.service.store.aread(suggestions.page, 1)
        with suppress(PreciousError):  # held back since
            moved = await review.approve_and_apply(self.service, 1, [row.uid for row in rows[:2]], min(2, len(rows)))
            await review.undo(self.service, 1, [outcome.unit.uid for outcome in moved[:1]])
        try:
            await self.service.trash.purge()
        except CountNeeded as exc:
            before = {unit.id: unit for unit in await self.service.trash.ripe()}
            await self.service.trash.purge(exc.count)
            self.purged += len(before)
            self.early += sum(self.clock.now - unit.approved_at < 30 * DAY for unit in before.values())
        except PreciousError:
            pass  # nothing is old enough

    def look(self) -> Held:
        from precious_daemon.machine import lean

        lean.give_back()
        places = self.service.places
        return Held(
            rss_mb(), len(os.listdir("/proc/self/fd")), threading.active_count(), len(list(places.jobs.glob("*"))),
            len(list(places.models.iterdir())),
        )  # fmt: skip


async def live(home: Path, folder: Path, pool: list[Path], junk: set[str], days: int, photos: int) -> tuple[list[Held], Life]:
    os.environ["PRECIOUS_HOME"] = str(home)
    from precious_daemon import config
    from precious_daemon.machine import lean
    from precious_daemon.running.daemon import running

    lean.one_heap()
    settings = config.parse(
        {"ask": {"train_labels": 10, "test_labels": 10}, "trash": {"purge_days": 30}, "learn": {"threads": 1}}
    )
    clock, seen = Clock(time.time()), []
    async with running(config.places(), settings, [str(folder)], port=0, watching=False, clock=clock) as started:
        life = Life(started, clock, folder, pool, junk)
        await life.begin()
        await life.take(3 * photos)
        await started.service.jobs.run("scan")
        await life.rest()
        for number in range(days):
            seen.append(await life.day(photos))
            say(f"day {number + 1}: {seen[-1]}")
    return seen, life


def rows(home: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{home}/data/library.db?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--days", type=int, help="7, or 3 with --quick")
    options = parser.parse_args()
    days = options.days or (3 if options.quick else 7)
    photos = 8
    with tempfile.TemporaryDirectory() as scratch:
        home, folder = Path(scratch, "home"), Path(scratch, "pictures")
        made = demo_library(Path(scratch, "made"), 80 if options.quick else 160)
        junk = {Path(path).name for path in junk_of(made)}
        pool = sorted(path for path in made.rglob("*") if path.suffix.lower() == ".jpg")
        random.Random(1).shuffle(pool)
        folder.mkdir()
        seen, life = asyncio.run(live(home, folder, pool, junk, days, photos))
        nights = rows(home, "SELECT outcome, count(*) FROM job_runs WHERE name = 'night' GROUP BY outcome")
        for (told,) in rows(home, "SELECT detail FROM job_runs WHERE name = 'night' ORDER BY id"):
            say(str(told))
        scans = rows(home, "SELECT count(*) FROM job_runs WHERE name = 'scan'")
        whole = rows(home, "PRAGMA integrity_check") == [("ok",)]
    say(f"nights: {nights}")
    from precious_daemon.store import job_runs

    settled = seen[min(SETTLED, len(seen)) - 1 :]
    growth = settled[-1].memory - statistics.median(held.memory for held in settled[: max(1, len(settled) // 2)])
    figures = {
        "nights": Figure(sum(int(str(count)) for _, count in nights), "", days, more=True),
        "nights that failed": Figure(sum(int(str(count)) for outcome, count in nights if outcome != "done"), "", 0),
        "scans": Figure(int(str(scans[0][0])), "", min(4 * days, job_runs.KEPT), more=True),  # older ones are forgotten
        "memory after the first night": Figure(seen[0].memory, "MB"),
        "memory after the last": Figure(seen[-1].memory, "MB"),
        "growth of memory once settled": Figure(growth, "MB", 1.0),
        "open files more once settled": Figure(seen[-1].files - settled[0].files, "", 0),
        "threads more once settled": Figure(seen[-1].threads - settled[0].threads, "", 0),
        "folders of jobs left behind": Figure(seen[-1].left_behind, "", 0),
        "models kept": Figure(seen[-1].models, "", 60),
        "removed for good": Figure(life.purged, ""),
        "removed for good too early": Figure(life.early, "", 0),
        "databases damaged": Figure(int(not whole), "", 0),
    }
    report("week", {"days": days, "photos a day": photos, "answers a day": 2 * ANSWERS}, figures)


if __name__ == "__main__":
    main()
