"""The named jobs that the schedule, the page and the commands run: each at most once at a time, recorded, paused, stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from precious_daemon import status
from precious_daemon.config import IngestSettings, Places, Settings
from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.folders.previews import Previews
from precious_daemon.jobs.arrivals import Arrivals
from precious_daemon.jobs.nightwork import Budget, Nightwork
from precious_daemon.machine import joblog, lean
from precious_daemon.machine.progress import Board, Progress, Say
from precious_daemon.models import JobRun, Pause, PhotoState
from precious_daemon.plugins import Plugins
from precious_daemon.service import Service
from precious_daemon.store import Store, groups, job_runs, photos
from precious_daemon.trash import Trash
from precious_daemon.work.children import Allowance

log = logging.getLogger(__name__)

BY_THEMSELVES = ("schedule", "catch-up", "new photos")  # triggers that a pause holds back
WAITING = "waits for another job"
LOOK_AGAIN = 30.0  # seconds: how far past its end a pause may last where the machine slept or its clock was set


class Jobs:
    """Runs named jobs, each at most once at a time, and only one that needs much of the machine."""

    NAMES = status.JOBS

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store, self._clock = service.store, service.clock
        self.board = Board()
        self.arrivals = Arrivals(service, self.board, self._group_if_stale)
        self.nightwork = Nightwork(service)
        self.previews = Previews(service.store, service.settings.ingest)
        self.pause_ends: Callable[[], Awaitable[None]] | None = None  # the schedule makes up for what it missed
        self.paused: Pause | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._triggers: dict[str, str] = {}
        self.waiting: dict[str, str] = {}  # jobs that are due, and what they wait for
        self.next_run: Callable[[str], float | None] = lambda name: None  # the schedule, where there is one, knows
        self._tasks: dict[str, asyncio.Task[JobRun]] = {}
        self._grown = False  # while photos were being grouped many more came
        self._heavy = asyncio.Lock()
        joblog.install()

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings; everything else is looked up when it is needed."""
        self.arrivals.use(settings)
        self.previews.use(settings)

    # --- running -------------------------------------------------------------------------------------------------------

    def start(self, name: str, trigger: str = "owner") -> bool:
        """Run a job in the background. False where it runs already, or starts by itself while the owner wants a pause."""
        self._check(name)
        if name in self._tasks or (self.paused and self._by_itself(trigger)):
            return False
        self._triggers[name] = trigger
        task = self._tasks[name] = asyncio.create_task(self._recorded(name, trigger), name=f"job {name}")
        task.add_done_callback(lambda done: self._ended(name, done))
        return True

    async def run(self, name: str, trigger: str = "owner") -> JobRun:
        """Run a job to its end, or join the run that is under way. What the owner can mend is raised as PreciousError."""
        self.start(name, trigger)
        return await asyncio.shield(self._tasks[name])

    async def stop_job(self, name: str) -> None:
        """Stop a run and wait for it: what it has done so far stays."""
        self._check(name)
        task = self._tasks.get(name)
        if task:
            task.cancel()
            await asyncio.wait([task])

    async def stop(self) -> None:
        """Stop everything that is under way."""
        tasks: list[asyncio.Task[Any]] = [*self._tasks.values(), *filter(None, [self._resuming])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.arrivals.stop()
        await self.nightwork.instant.stop()
        await self.previews.stop()

    def is_running(self, name: str) -> bool:
        return name in self._tasks

    def began_by_itself(self, name: str) -> bool:
        """Whether the run under way is the schedule's, not the owner's."""
        return self.is_running(name) and self._by_itself(self._triggers[name])

    def progress(self) -> list[Progress]:
        return self.board.lines()

    def _check(self, name: str) -> None:
        if name not in self.NAMES:
            raise NotFound(f'There is no job "{name}". The jobs are {", ".join(self.NAMES)}.')

    def _ended(self, name: str, task: asyncio.Task[JobRun]) -> None:
        self._tasks.pop(name, None)
        lean.give_back()
        if name == "group" and self._grown and not task.cancelled():
            self.start("group", "new photos")
            self._grown = False
        if not task.cancelled() and (error := task.exception()):
            log.info("%s: %s", name, error)  # recorded with the run; whoever waits for it gets it raised

    async def _recorded(self, name: str, trigger: str) -> JobRun:
        begun = asyncio.ensure_future(self._store.awrite(job_runs.start, name, trigger, self._clock()))
        outcome, detail, error = "failed", "", None
        with joblog.kept() as lines:
            try:
                await asyncio.shield(begun)  # one that is stopped at once is recorded, too
                detail = await self._one(name)
                outcome = "done"
            except asyncio.CancelledError:
                outcome, detail = "stopped", "stopped before the end; what was done is kept"
                raise
            except PreciousError as exc:
                detail, error = str(exc), type(exc).__name__
                raise
            except Exception as exc:  # the edge of a job
                log.exception("job %s failed", name)
                detail = f"{type(exc).__name__}: {exc}"
                raise
            finally:
                end = outcome, detail, error, self._clock(), "\n".join(lines)
                await asyncio.shield(self._finish(begun, *end))
        found = await self._store.aread(job_runs.last, name)
        assert found
        return found

    async def _finish(self, begun: Awaitable[int], outcome: str, detail: str, error: str | None, now: float, text: str) -> None:
        await self._store.awrite(job_runs.finish, await begun, outcome, detail, error, now, text)

    async def _one(self, name: str) -> str:
        job, started = self._work(name), self._clock()

        def say(what: str, done: int, total: int) -> None:
            if self.board.post(Progress(name, what, done, total, started)):
                joblog.note(what)

        try:
            if name in ("scan", "night"):
                return await job(say)
            if self._heavy.locked():
                say(WAITING, 0, 0)
            async with self._heavy:
                return await job(say)
        finally:
            self.board.wipe(name)

    async def adopt(self, voter_id: int, file: Path) -> str:
        """Use a model from elsewhere from now on, once nothing else needs the machine; what it is, in a sentence."""
        started = self._clock()

        def say(what: str, done: int, total: int) -> None:
            self.board.post(Progress("learn", what, done, total, started))

        try:
            async with self._heavy:
                return await self.nightwork.adopt(say, voter_id, file)
        finally:
            self.board.wipe("learn")

    def _work(self, name: str) -> Callable[[Say], Awaitable[str]]:
        if name == "night":
            return self._night
        return self.arrivals.scan_all if name == "scan" else getattr(self.nightwork, name)

    async def _night(self, say: Say) -> str:
        """Everything in its order, within the night's budget. What cannot be done yet does not keep the rest from it."""
        limits = self._service.settings.schedule
        allowance = Allowance(limits.cpu_minutes * 60 or None, limits.memory_megabytes * 1e6 or None)
        self.nightwork.budget = Budget(time.monotonic() + limits.budget_minutes * 60, allowance)
        details = []
        try:
            for name in ("scan", "listen", "group", "learn", "sort", "rate", "suggest"):
                if name in ("group", "learn", "sort", "rate") and allowance.spent:
                    details.append(f"{name}: left for the next night, this one's processor time is used up")
                    continue
                say(f"the night's work: {name}", 0, 0)
                try:
                    details.append(f"{name}: {(await self.run(name, 'night')).detail}")
                except PreciousError as exc:
                    details.append(f"{name}: {exc}")
                if name == "scan":
                    await self.arrivals.reading_done()
        except asyncio.CancelledError:
            for name in self.NAMES[:-1]:
                await self.stop_job(name)
            raise
        finally:
            self.nightwork.budget = None
        return " · ".join(details)

    async def _group_if_stale(self) -> None:
        """The first photos, or many new ones, are grouped at once, so that there is something worth asking."""
        present = (await self._store.aread(photos.counts))[PhotoState.PRESENT]
        grouped = await self._store.aread(groups.clustered_count)
        if present - grouped > 0.2 * present and present >= 2:
            self._grown = not self.start("group", "new photos")  # one that runs began without the newest of them
            self.start("suggest", "new photos")  # waits for its turn: copies and bursts can be seen to from the first day

    # --- the pause -----------------------------------------------------------------------------------------------------

    async def recall_pause(self) -> None:
        """After a start: go on pausing, where the owner wanted that."""
        self._set_pause(await self._store.aread(job_runs.paused, self._clock()))

    async def pause(self, until: float | None) -> Pause:
        """Read nothing new and start no scheduled job until then, or until `resume`.

        Photos being read are finished; jobs that started by themselves are stopped, and what they have done is kept.
        """
        pause = Pause(self._clock(), until)
        await self._store.awrite(job_runs.pause, pause.since, until)
        self._set_pause(pause)
        for name in [name for name in self._tasks if self._by_itself(self._triggers[name])]:
            await self.stop_job(name)
        return pause

    async def resume(self) -> None:
        """Go on, and make up for what was held back."""
        await self._store.awrite(job_runs.resume)
        self._set_pause(None)
        self.arrivals.read_new()
        if self.pause_ends:
            await self.pause_ends()

    def _by_itself(self, trigger: str) -> bool:
        return trigger in BY_THEMSELVES or (trigger == "night" and self._triggers.get("night") in BY_THEMSELVES)

    def _set_pause(self, pause: Pause | None) -> None:
        self.paused, self.arrivals.ingest.paused = pause, pause is not None
        if self._resuming and self._resuming is not asyncio.current_task():
            self._resuming.cancel()
        self._resuming = None
        if pause and pause.until is not None:
            self._resuming = asyncio.create_task(self._resume_at(pause.until), name="end of the pause")

    async def _resume_at(self, moment: float) -> None:
        while (left := moment - self._clock()) > 0:
            await asyncio.sleep(min(left, LOOK_AGAIN))
        await self.resume()


def open_service(places: Places, settings: Settings, clock: Callable[[], float] = time.time) -> Service:
    """Open the library for writing. Raises LibraryLocked where somebody else has it."""
    store = Store(places)
    service = Service(places, settings, store, Trash(store, places, settings, clock), Plugins.load(places, settings), clock)
    service.jobs = Jobs(service)
    return service
