"""The schedule on a clock that only the test moves: each job once, however the clock jumps, and never at a bad moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from precious_daemon import jobs
from precious_daemon.config import Places, ScheduleSettings, Settings
from precious_daemon.jobs import arrivals, open_service
from precious_daemon.machine.progress import Say
from precious_daemon.models import JobRun
from precious_daemon.running.conditions import Machine
from precious_daemon.running.schedule import Schedule
from precious_daemon.service import Service
from precious_daemon.store import job_runs, roots

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = 3600.0, 86400.0


class World:
    """A service whose night only counts, on a machine and at a time that the test makes."""

    def __init__(self, service: Service) -> None:
        self.service, self.machine = service, Machine()
        self.now = 0.0
        self.schedule = Schedule(service, lambda: self.machine, BERLIN)

    async def begin(self, text: str) -> None:
        """Watch from this moment on."""
        await self.at(text)
        self.service.store.write(roots.add, "/photos", None, 1, self.now)
        await self.schedule.start()
        await self.schedule.stop()  # the test itself says when it looks at the clock

    async def at(self, text: str, fold: int = 0) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()

    async def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        await self.schedule.tick()
        await self.begun()

    async def begun(self) -> None:
        """What was started is recorded, or over again."""
        while self.service.jobs.is_running("night") and not any(run.outcome == "running" for run in self.nights()):
            await asyncio.sleep(0.01)

    async def sleep_through(self, hours: float, every: float = 1800.0) -> None:
        for _ in range(int(hours * HOUR / every)):
            await self.tick(every)
            await self.finished()

    async def finished(self) -> None:
        while self.service.jobs.is_running("night") or self.service.jobs.is_running("scan"):
            await asyncio.sleep(0.01)

    def nights(self) -> list[JobRun]:
        return self.service.store.read(job_runs.recent, "night")

    def use(self, schedule: ScheduleSettings) -> None:
        self.service.settings = replace(self.service.settings, schedule=schedule)


@pytest.fixture
async def world(here: Places, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async def counted(self: object, say: Say) -> str:
        return "counted"

    monkeypatch.setattr(jobs.Jobs, "_night", counted)
    monkeypatch.setattr(arrivals.Arrivals, "scan_all", counted)
    made: list[World] = []
    service = open_service(here, Settings(), lambda: made[0].now if made else 0.0)
    made.append(World(service))
    yield made[0]
    await service.jobs.stop()
    service.store.close()


@pytest.fixture
async def endless(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    async def forever(self: object, say: Say) -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(jobs.Jobs, "_night", forever)
    return world


async def test_one_night_a_day_and_a_scan_every_six_hours(world: World) -> None:
    await world.begin("2026-05-05 12:00")
    await world.sleep_through(72)
    assert [run.trigger for run in world.nights()] == ["schedule"] * 3
    assert len(world.service.store.read(job_runs.recent, "scan", 100)) == 12


@pytest.mark.parametrize("day", ["2026-03-28 12:00", "2026-10-24 12:00"])
async def test_a_change_of_the_clock_has_one_night(world: World, day: str) -> None:
    world.use(ScheduleSettings(night="02:30"))
    await world.begin(day)
    await world.sleep_through(24)
    assert len(world.nights()) == 1


async def test_a_clock_that_jumps_a_year_forth_and_back_makes_one_night_each(world: World) -> None:
    await world.begin("2026-05-05 12:00")
    await world.tick(365 * DAY)
    await world.finished()
    await world.tick()
    assert len(world.nights()) == 1
    await world.tick(-365 * DAY)
    await world.sleep_through(12)
    assert len(world.nights()) == 1, "what ran in the future is not run again at once"
    await world.sleep_through(24)
    assert len(world.nights()) == 2


async def test_a_machine_that_slept_through_the_night_makes_up_for_it_once(world: World) -> None:
    await world.begin("2026-05-05 23:00")
    await world.tick(9 * HOUR)
    await world.finished()
    await world.tick(60)
    (night,) = world.nights()
    assert night.trigger == "catch-up"


async def test_a_night_that_is_over_is_not_made_up_for_where_it_has_an_end(world: World) -> None:
    world.use(ScheduleSettings(night_end="06:00"))
    await world.begin("2026-05-05 23:00")
    await world.tick(9 * HOUR)
    assert world.nights() == []
    await world.sleep_through(24)
    assert [run.trigger for run in world.nights()] == ["schedule"]


async def test_a_job_says_what_it_waits_for_and_begins_when_that_is_over(world: World) -> None:
    await world.begin("2026-05-05 23:00")
    world.machine = Machine(on_battery=True)
    await world.sleep_through(8)
    assert world.nights() == []
    assert world.service.jobs.waiting == {"night": "on battery"}
    assert (world.schedule.next_run("night") or 0) < world.now
    world.machine = Machine(on_battery=False)
    await world.tick(60)
    await world.finished()
    assert len(world.nights()) == 1
    assert world.service.jobs.waiting == {}


async def test_a_night_off_the_mains_is_stopped_and_goes_on_once_it_is_back(endless: World) -> None:
    world = endless
    await world.begin("2026-05-05 23:00")
    await world.at("2026-05-06 02:00")
    await world.tick()
    world.machine = Machine(on_battery=True)
    await world.tick(60)
    assert [run.outcome for run in world.nights()] == ["stopped"]
    await world.tick(60)
    assert world.service.jobs.waiting == {"night": "on battery"}
    world.machine = Machine(on_battery=False)
    await world.tick(60)
    assert [run.outcome for run in world.nights()] == ["running", "stopped"]


async def test_the_end_of_the_night_ends_its_work_until_the_next(endless: World) -> None:
    world = endless
    world.use(ScheduleSettings(night_end="06:00"))
    await world.begin("2026-05-05 23:00")
    await world.at("2026-05-06 05:59")
    await world.tick()
    await world.tick(60)
    assert [run.outcome for run in world.nights()] == ["stopped"]
    await world.tick(60)
    assert len(world.nights()) == 1


async def test_what_the_owner_starts_runs_at_any_moment_and_counts_for_the_night(endless: World) -> None:
    world = endless
    world.machine = Machine(on_battery=True)
    await world.begin("2026-05-05 23:00")
    await world.at("2026-05-06 02:00")
    world.service.jobs.start("night", "owner")
    await world.begun()
    await world.tick(60)
    assert [run.outcome for run in world.nights()] == ["running"]
    await world.service.jobs.stop_job("night")
    world.machine = Machine()
    await world.tick(60)
    assert len(world.nights()) == 1


async def test_a_pause_holds_the_night_back(world: World, tmp_path: Path) -> None:
    await world.begin("2026-05-05 23:00")
    await world.service.jobs.pause(None)
    await world.sleep_through(8)
    assert world.nights() == []
    assert world.service.jobs.waiting == {"night": "paused"}
    await world.service.jobs.resume()
    await world.finished()
    assert len(world.nights()) == 1


async def test_clock_that_is_set_back_a_year_does_not_stop_the_looking(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("precious_daemon.running.schedule.LOOK", 0.05)
    looks: list[float] = []

    async def tick() -> None:
        looks.append(time.monotonic())

    monkeypatch.setattr(world.schedule, "tick", tick)
    await world.schedule.start()
    try:
        job = world.schedule._scheduler.get_job("look")
        job.modify(next_run_time=datetime.now(UTC) + timedelta(days=365))  # as it stands once the clock has gone back a year
        before = len(looks)
        async with asyncio.timeout(10):
            while len(looks) <= before:
                await asyncio.sleep(0.01)
    finally:
        await world.schedule.stop()
