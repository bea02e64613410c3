"""Starts jobs when they are due and the machine has nothing better to do.

APScheduler has it look at the clock on the wall once a minute. One timer until the night would not do: it stands still while
the machine sleeps, so that the night's work would begin in the middle of the day, and it does not notice when the clock is set.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from precious_daemon.machine.lean import hollow
from precious_daemon.running import conditions
from precious_daemon.running.conditions import Machine
from precious_daemon.service import Service
from precious_daemon.store import job_runs, roots

# its pools of processes are not for us: 1 MB that the service saves
with hollow("multiprocessing", "concurrent.futures.process"):
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

LOOK = 60.0  # seconds between looks at the clock
LATE = 600.0  # a night that begins later than this was missed, and is made up for


class Schedule:
    """One scan every few hours, one night a day: each once, however the clock jumps and however late it becomes."""

    def __init__(self, service: Service, look: Callable[[], Machine] = conditions.look, zone: tzinfo | None = None) -> None:
        self._service, self._jobs, self._clock = service, service.jobs, service.clock
        self._look, self._zone = look, zone
        self._scanned = self._night = 0.0  # when each was last begun; never in the future
        self._cut_short: float | None = None  # the night that was begun before this one was stopped to wait
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        last = await self._service.store.aread(job_runs.last, "night")
        self._night = last.started_at if last else 0.0
        self._scanned = self._clock()  # the start itself looks through everything
        self._jobs.next_run, self._jobs.pause_ends = self.next_run, self.tick
        # late is better than never, and once is enough
        options = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler.add_job(
            self._look_at_the_clock, IntervalTrigger(seconds=LOOK), id="look", next_run_time=datetime.now(UTC), **options
        )
        self._scheduler.start()
        self._task = asyncio.create_task(self._keep_looking(), name="schedule")

    async def stop(self) -> None:
        if self._task:
            self._scheduler.shutdown(wait=False)
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _look_at_the_clock(self) -> None:
        try:
            await self.tick()
        except asyncio.CancelledError:
            return  # the service stops: the scheduler would tell of it as of a failure
        except Exception:  # the edge: looked at again in a minute
            log.exception("the schedule failed")

    async def _keep_looking(self) -> None:
        """The scheduler reckons its next run by the wall: a clock that is set back by a year would have it wait for one."""
        while True:
            await asyncio.sleep(LOOK)
            job, now = self._scheduler.get_job("look"), datetime.now(UTC)
            if job and job.next_run_time > now + timedelta(seconds=2 * LOOK):
                job.modify(next_run_time=now)

    def next_run(self, name: str) -> float | None:
        """When a job is due by itself; a moment that is over where it is due and waits."""
        schedule = self._service.settings.schedule
        if name == "scan":
            return self._scanned + self._service.settings.watch.rescan_hours * 3600
        if name != "night":
            return None
        if name in self._jobs.waiting:
            return conditions.last_night(schedule.night, self._clock(), self._zone)
        return conditions.next_night(schedule.night, self._clock(), self._zone)

    async def tick(self) -> None:
        """Start what is due, stop what may not go on."""
        if hasattr(time, "tzset"):
            time.tzset()  # the machine may have travelled
        now = self._clock()
        # a clock that was set back makes what was begun lie in the future: it counts as begun now, and is not begun again
        self._scanned, self._night = min(self._scanned, now), min(self._night, now)
        due = self.next_run("scan")
        if due is not None and due <= now and self._jobs.start("scan", "schedule"):
            self._scanned = now
            await self._service.trash.note_day()
        await self._see_to_the_night(now)

    async def _see_to_the_night(self, now: float) -> None:
        settings = self._service.settings.schedule
        if self._jobs.is_running("night"):
            await self._stop_a_bad_moment(now)
            return
        due = conditions.last_night(settings.night, now, self._zone)
        if self._night >= due or not conditions.is_night(settings, now, self._zone) or not await self._has_work_since(due):
            self._jobs.waiting.pop("night", None)
            return
        why = "paused" if self._jobs.paused else conditions.why_wait(settings, await asyncio.to_thread(self._look))
        if why:
            if self._jobs.waiting.get("night") != why:
                log.info("the night's work waits: %s", why)
            self._jobs.waiting["night"] = why
            return
        self._jobs.waiting.pop("night", None)
        trigger = "schedule" if now - due < LATE else "catch-up"
        if self._jobs.start("night", trigger):
            self._cut_short, self._night = self._night, now
            await self._service.trash.note_day()
            if trigger == "catch-up":
                log.info("the night's work was missed, and is done now")

    async def _has_work_since(self, due: float) -> bool:
        """A folder that was not yet watched then has missed nothing."""
        return any(root.added_at < due for root in await self._service.store.aread(roots.all_roots))

    async def _stop_a_bad_moment(self, now: float) -> None:
        """A night that began by itself ends with the night, and waits while the moment is a bad one."""
        settings = self._service.settings.schedule
        if not self._jobs.began_by_itself("night"):
            self._night = now  # the owner's run is this night's
            return
        if not conditions.is_night(settings, now, self._zone):
            await self._jobs.stop_job("night")
        elif why := conditions.why_stop(settings, await asyncio.to_thread(self._look)):
            log.info("the night's work is stopped, and goes on later: %s", why)
            await self._jobs.stop_job("night")
            if self._cut_short is not None:
                self._night = self._cut_short  # still due
