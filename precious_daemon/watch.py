"""Watches the folders: file events become hints for a scan, and a root that goes away or comes back is noticed."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import posixpath
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from precious_daemon import scan
from precious_daemon.jobs import Jobs
from precious_daemon.models import Root, RootState
from precious_daemon.store import Store, roots

log = logging.getLogger(__name__)

HEALTH_SECONDS = 5.0  # how often each root is looked at: a disk that went away is frozen within ten
CHANGES = {EVENT_TYPE_CREATED, EVENT_TYPE_MODIFIED, EVENT_TYPE_MOVED, EVENT_TYPE_DELETED, EVENT_TYPE_CLOSED}
MANY = 512  # so many folders with news at once are a scan of everything

Hint = tuple[str, bool]  # a folder below the root, and whether with all below it


class _Handler(FileSystemEventHandler):
    """Hands over from the observer's thread. An exception here would end that thread for good, so it only passes on."""

    def __init__(self, root: Root, hint: Callable[[int, Hint], None], loop: asyncio.AbstractEventLoop) -> None:
        self._root, self._hint, self._loop = root, hint, loop

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in CHANGES or self._loop.is_closed():
            return  # opening and reading is what we do ourselves
        for path in (event.src_path, event.dest_path):
            if not path:
                continue
            place = os.path.relpath(os.fsdecode(path), self._root.path)
            if place.startswith(".."):
                continue
            deep = event.is_directory and event.event_type != EVENT_TYPE_MODIFIED
            folder = place if event.is_directory else posixpath.dirname(place)
            if not any(part.startswith(".") and part != "." for part in folder.split("/")):
                self._loop.call_soon_threadsafe(self._hint, self._root.id, ("" if folder == "." else folder, deep))


class Watcher:
    """Keeps the library in step with the disk while the service runs. Scans are the truth; this says where to look."""

    def __init__(self, store: Store, jobs: Jobs, settle_seconds: float) -> None:
        self._store, self._jobs, self._settle = store, jobs, settle_seconds
        self._observers: dict[int, BaseObserver] = {}
        self._hints: dict[int, set[Hint]] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.warnings: dict[int, str] = {}

    async def start(self) -> None:
        for root in await self._store.aread(roots.all_roots):
            await self._look_after(root)
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep_looking())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for root_id in list(self._observers):
            await self._blind(root_id)

    def hint(self, root_id: int, hint: Hint) -> None:
        """Look here soon."""
        hints = self._hints.setdefault(root_id, set())
        if len(hints) < MANY:
            hints.add(hint)
        else:
            self._hints[root_id] = {("", True)}
        self._news.set()

    # --- hints to scans ------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Wait until it has been quiet for a moment, then scan what was hinted at."""
        while True:
            await self._news.wait()
            quiet = 0
            while self._news.is_set() and quiet < 10:  # a disk that never rests is looked at nevertheless
                self._news.clear()
                await asyncio.sleep(self._settle)
                quiet += 1
            self._news.clear()
            hints, self._hints = self._hints, {}
            for root_id, places in hints.items():
                root = await self._store.aread(roots.get, root_id)
                if root.state is RootState.WATCHED:
                    await self._scan(root, places)

    async def _scan(self, root: Root, places: set[Hint]) -> None:
        try:
            report = await self._jobs.scan_root(root, places)
        except Exception:  # the edge of a job: the next hint or the periodic scan looks again
            log.exception("looking through %s failed", root.path)
            return
        if str(report) != "nothing new":
            log.info("%s: %s", root.path, report)
        for folder in report.unsettled:
            self.hint(root.id, (folder, False))

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
        if root.reason == scan.NO_LONGER_WATCHED:
            await self._blind(root.id)
            return
        now = await asyncio.to_thread(scan.check_root, self._store, root)
        if now.state is RootState.OFFLINE:
            await self._blind(root.id)
        elif root.id not in self._observers:
            await self._open_eyes(now)
            self.hint(root.id, ("", True))

    async def _open_eyes(self, root: Root) -> None:
        observer = Observer()
        handler = _Handler(root, self.hint, asyncio.get_running_loop())
        try:
            await asyncio.to_thread(_begin, observer, handler, root.path)
        except OSError as exc:
            self.warnings[root.id] = _why_blind(root, exc)
            log.warning(self.warnings[root.id])
        else:
            self.warnings.pop(root.id, None)
        self._observers[root.id] = observer

    async def _blind(self, root_id: int) -> None:
        observer = self._observers.pop(root_id, None)
        if observer is not None and observer.is_alive():
            observer.stop()
            await asyncio.to_thread(observer.join)


def _begin(observer: BaseObserver, handler: _Handler, path: str) -> None:
    observer.schedule(handler, path, recursive=True)
    observer.start()


def _why_blind(root: Root, exc: OSError) -> str:
    if exc.errno == errno.ENOSPC:
        limit = Path("/proc/sys/fs/inotify/max_user_watches")
        now = limit.read_text().strip() if limit.exists() else "?"
        return (
            f"{root.path} has more folders than this system lets a user watch ({now}). It is looked through every few hours "
            "only, until you raise the limit: sudo sysctl fs.inotify.max_user_watches=1048576"
        )
    return f"{root.path} cannot be watched ({exc.strerror}). It is looked through every few hours only."
