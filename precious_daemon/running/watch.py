"""Watches the folders: file events become hints for a scan, and a root that goes away or comes back is noticed."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial

from precious_daemon.config import WatchSettings
from precious_daemon.disk.observers import EVERYTHING, Eyes, Hint, Mailbox, why_blind, why_polled
from precious_daemon.folders import watched
from precious_daemon.jobs import Jobs
from precious_daemon.models import Root, RootState
from precious_daemon.store import Store, roots

log = logging.getLogger(__name__)

HEALTH_SECONDS = 5.0  # how often each root is looked at: a disk that went away is frozen within ten
AGAIN_SECONDS = 60.0  # until what could not be looked through is tried again
MANY = 512  # so many folders with news at once are a scan of everything
REST = 10  # a folder that is polled rests ten times as long as looking through it took


class Watcher:
    """Keeps the library in step with the disk while the service runs. Scans are the truth; this says where to look."""

    def __init__(self, store: Store, jobs: Jobs, settings: WatchSettings) -> None:
        self._store, self._jobs, self._settings = store, jobs, settings
        self._eyes: dict[int, Eyes] = {}
        self._polled: dict[int, float] = {}  # roots without an observer, and when they are looked through next (time.monotonic)
        self._hints: dict[int, set[Hint]] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.warnings: dict[int, str] = {}

    def use(self, settings: WatchSettings) -> None:
        """Go on with these settings."""
        self._settings = settings

    async def start(self) -> None:
        """Start the observers first, then look through everything once: what changes meanwhile is seen by one or the other."""
        for root in await self._store.aread(roots.all_roots):
            await self._look_after(root)
        self._hints.clear()
        self._jobs.arrivals.unsettled = lambda root_id, folder: self.hint(root_id, (folder, False))
        self._jobs.start("scan", "start")
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep_looking())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for root_id in list(self._eyes):
            await self._close_eyes(root_id)

    def hint(self, root_id: int, hint: Hint) -> None:
        """Look here soon."""
        hints = self._hints.setdefault(root_id, set())
        if len(hints) < MANY:
            hints.add(hint)
        else:
            self._hints[root_id] = {EVERYTHING}
        self._news.set()

    # --- hints to scans ------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Wait until it has been quiet for a moment, then scan what was hinted at."""
        while True:
            await self._news.wait()
            quiet = 0
            while self._news.is_set() and quiet < 10:  # a disk that never rests is looked at nevertheless
                self._news.clear()
                await asyncio.sleep(self._settings.settle_seconds)
                quiet += 1
            self._news.clear()
            hints, self._hints = self._hints, {}
            for root_id, places in hints.items():
                try:
                    await self._scan(root_id, places)
                except Exception:  # the edge of a job, most likely a full disk: nothing that was seen is forgotten
                    log.exception("looking through folder %d failed", root_id)
                    for place in places:
                        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.hint, root_id, place)

    async def _scan(self, root_id: int, places: set[Hint]) -> None:
        root, began = await self._store.aread(roots.get, root_id), time.monotonic()
        if root.state is not RootState.WATCHED:
            return
        report = await self._jobs.arrivals.scan_root(root, places)
        if root.id in self._polled:
            took = time.monotonic() - began
            self._polled[root.id] = time.monotonic() + max(self._settings.poll_minutes * 60, REST * took)
        if str(report) != "nothing new":
            log.info("%s: %s", root.path, report)

    # --- roots that go away and come back ------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            for root in await self._store.aread(roots.all_roots):
                try:
                    await self._look_after(root)
                except Exception:  # the edge of a job: looked at again in a moment
                    log.exception("looking after %s failed", root.path)

    async def _look_after(self, root: Root) -> None:
        if root.reason == roots.NO_LONGER_WATCHED:
            await self._forget(root.id)
            return
        now = await asyncio.to_thread(watched.check_root, self._store, root)
        eyes = self._eyes.get(root.id)
        if now.state is RootState.OFFLINE:
            await self._forget(root.id)
        elif eyes and eyes.failure:  # a folder made since is one too many
            await self._close_eyes(root.id)
            self._poll(now, why_blind(now.path, eyes.failure, self._settings.poll_minutes))
        elif eyes is None and time.monotonic() >= self._polled.get(root.id, 0):
            await self._jobs.arrivals.settle_trash()
            await self._open_eyes(now)
            self.hint(root.id, EVERYTHING)

    async def _open_eyes(self, root: Root) -> None:
        """Watch a folder; where that cannot be, look through it now and then, and try again each time."""
        loop, minutes = asyncio.get_running_loop(), self._settings.poll_minutes
        why = await asyncio.to_thread(why_polled, root.path, minutes)
        if why is None:
            mailbox = Mailbox(loop, partial(self.hint, root.id))
            try:
                eyes = await asyncio.to_thread(Eyes, root.path, mailbox.put)
                await asyncio.to_thread(eyes.open)
            except OSError as exc:
                why = why_blind(root.path, exc, minutes)
            else:
                self._eyes[root.id] = eyes
                self._polled.pop(root.id, None)
                self.warnings.pop(root.id, None)
                return
        self._poll(root, why)

    def _poll(self, root: Root, why: str) -> None:
        if self.warnings.get(root.id) != why:
            log.warning(why)
        self.warnings[root.id] = why
        self._polled[root.id] = time.monotonic() + self._settings.poll_minutes * 60

    async def _forget(self, root_id: int) -> None:
        """Its disk is away, or it is not watched any more: as if it had never been looked at."""
        self._polled.pop(root_id, None)
        self.warnings.pop(root_id, None)
        await self._close_eyes(root_id)

    async def _close_eyes(self, root_id: int) -> None:
        eyes = self._eyes.pop(root_id, None)
        if eyes is not None:
            await asyncio.to_thread(eyes.close)
