"""The processes that read photos, and the loop that feeds them: what waits to be read is in the store, not in memory."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Executor
from typing import Concatenate, ParamSpec, TypeVar

from precious_daemon import errors
from precious_daemon.config import IngestSettings
from precious_daemon.machine.progress import Say
from precious_daemon.models import FileEntry, Glimpse, PhotoFacts, Root, RootState, Told
from precious_daemon.store import Database, Store, changes, photos, pictures, relatives, roots

log = logging.getLogger(__name__)

A = TypeVar("A")
T = TypeVar("T")
P = ParamSpec("P")

BATCH = 64
A_FEW = 100  # so many photos are read in full as soon as a first look at them would be of use
GLANCES = 50  # first looks asked for and stored in one go; some of these are under way at a time
TOGETHER = 16  # photos stored in one transaction: waiting for the disk after each would take longer than reading it
FULL_DISK_PAUSE = 30.0  # seconds until a full disk is tried again


def _read(path: str, seconds: float) -> PhotoFacts:
    """In the worker: the room that imports numpy and Pillow is loaded there only."""
    from precious_daemon.pictures.ingest import read_photo

    return read_photo(path, seconds)


def _glimpse(paths: list[str], seconds: float) -> list[Glimpse | None]:
    from precious_daemon.pictures.ingest import glimpse

    return glimpse(paths, seconds)


def _read_tiles(what: tuple[str, tuple[int, int]], seconds: float) -> tuple[bytes, dict[tuple[int, int], bytes]]:
    from precious_daemon.pictures.ingest import read_tiles

    return read_tiles(*what, seconds)


def _look_into(paths: list[str], seconds: float) -> list[Told]:
    from precious_daemon.pictures.ingest import look_into

    return look_into(paths, seconds)


def _is_here(pool: Executor) -> bool:
    """Whether this machine reads."""
    from concurrent.futures import ProcessPoolExecutor

    return isinstance(pool, ProcessPoolExecutor)


class Readers:
    """A pool of reading processes, started on demand. A file that kills its process is found out by reading it alone."""

    def __init__(self, settings: IngestSettings) -> None:
        self._pool: Executor | None = None
        self._opening = asyncio.Lock()
        self.notes: list[str] = []  # what keeps others from reading for this machine, in words
        self._folders: tuple[str, ...] = ()
        self.use(settings)

    def within(self, folders: Iterable[str]) -> None:
        """Read files below these folders: the processes can read no others of the owner's, so that more take new ones."""
        wanted = tuple(sorted(folders))
        if not set(wanted) <= set(self._folders):
            self._folders = wanted
            if self._pool is not None:
                self._pool.shutdown(wait=False)  # what is under way there is brought to its end
                self._pool = None

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings; processes that run already keep theirs until they end."""
        self._settings = settings
        self.workers = settings.workers or max(1, (os.cpu_count() or 2) - 1)

    async def read(self, path: str) -> PhotoFacts:
        """Raises UnreadablePhoto, FileNotFoundError, or BrokenExecutor where some file in work killed its process."""
        try:
            return await self._in_pool(_read, path)
        except FileNotFoundError:
            if self._settings.executor == "processes" or not os.path.lexists(path):
                raise
            log.warning("%s is read here: a worker does not see it, perhaps for want of the folder it is in", path)
            return await self.read_alone(path)

    async def glimpse(self, paths: list[str]) -> list[Glimpse | None]:
        """A first look at each file; None where only reading it in full will tell. Raises BrokenExecutor as `read`."""
        return await self._in_pool(_glimpse, paths)

    async def read_tiles(self, path: str, place: tuple[int, int]) -> tuple[bytes, dict[tuple[int, int], bytes]]:
        """The hash of a photo's bytes, and its pixels at full size around a tile. Raises as `read`."""
        return await self._in_pool(_read_tiles, (path, place))

    async def look_into(self, paths: list[str]) -> list[Told]:
        """What videos and RAW files say of themselves."""
        return await self._in_pool(_look_into, paths)

    async def _in_pool(self, work: Callable[[A, float], T], what: A) -> T:
        pool = await self.open()
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work, what, self._settings.seconds_per_file)
        except BrokenExecutor:
            if self._pool is pool and _is_here(pool):  # workers elsewhere set up their own
                self.stop()
            raise
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if _is_here(pool) or (task and task.cancelling()):
                raise
            raise errors.ServiceError(f"The scheduler {self._settings.scheduler} went away while photos were read.") from exc

    async def open(self) -> Executor:
        """Whoever reads: processes of this machine, or workers elsewhere. Raises ServiceError where those are not to be had."""
        async with self._opening:
            if self._pool is None:
                if self._settings.executor == "dask":
                    from precious_daemon.folders.elsewhere import Elsewhere

                    self._pool = elsewhere = await asyncio.to_thread(Elsewhere, self._settings, self._folders)
                    self.workers, self.notes = elsewhere.slots, elsewhere.refused
                else:
                    self._pool = self._processes(self.workers)
            return self._pool

    async def read_alone(self, path: str) -> PhotoFacts:
        """Read one file in a process for it alone. One that kills its process is unreadable for good."""
        pool = self._processes(1)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, _read, path, self._settings.seconds_per_file)
        except BrokenExecutor as exc:
            raise errors.UnreadablePhoto(
                f"its decoder crashed, or took more than {self._settings.seconds_per_file:g} s or "
                f"{self._settings.worker_megabytes} MB"
            ) from exc
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _processes(self, count: int) -> Executor:
        from precious_daemon.folders.pools import reading_processes  # a service that reads nothing has no use for it

        return reading_processes(count, self._settings.worker_megabytes, self._folders)

    def stop(self) -> None:
        """Let the processes end: memory is given back while there is nothing to read."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def kill(self) -> None:
        """End the processes at once, whatever they are reading: nothing of it was stored."""
        import multiprocessing

        self.stop()
        for process in multiprocessing.active_children():
            process.terminate()


class Ingest:
    """Reads whatever waits in the store, newest first, until nothing is left.

    Where many wait, all get a first look before: at their headers and the camera's own thumbnail, a thousand a second, so that
    they can be browsed and voted on at once. What is done is in the store: nothing is done twice after a stop or a kill.
    """

    def __init__(self, store: Store, settings: IngestSettings, clock: Callable[[], float]) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self.readers = Readers(settings)
        self._unstored: list[tuple[FileEntry, PhotoFacts]] = []
        self._changed: set[int] = set()  # photos that were found to be changed
        self._read_in: set[tuple[int, str]] = set()  # (root, folder) of photos read
        self.paired_anew: set[tuple[int, str]] = set()  # (root, folder) where it may be known better now what belongs together
        self._seen = 0  # photos with ids up to this had their first look
        self.paused = False  # set it to stop after the photos in hand; clear it and run again to go on
        self.warning: str | None = None  # why it waits, in words

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings."""
        self._settings = settings
        self.readers.use(settings)

    async def run(self, say: Say) -> int:
        """Read all that waits; return how many were read. Cancelling loses nothing: what was not stored waits on."""
        done = 0
        self._changed.clear()

        def one_more() -> None:
            nonlocal done
            done += 1
            say("reading photos", done, total)

        try:
            while not self.paused:
                watched = {r.id: r for r in await self._store.aread(roots.all_roots) if r.state is RootState.WATCHED}
                self.readers.within(root.path for root in watched.values())
                total = done + await self._store.aread(photos.waiting_count, watched)
                if total > done:
                    await self.readers.open()
                if total - done > A_FEW and not await self._first_look(watched, say):
                    break
                waiting = await self._store.aread(photos.to_ingest, BATCH, watched, self._changed) if watched else []
                if not waiting:
                    await self._look_into_relatives(watched, say)
                    return done
                gate = asyncio.Semaphore(self.readers.workers * 2)  # enough to keep each process busy, few to lose
                async with asyncio.TaskGroup() as group:
                    for entry in waiting:
                        group.create_task(self._one(entry, watched[entry.root_id], gate, one_more))
                await self._keep()
            return done
        except BaseException as exc:
            self._unstored.clear()  # read again the next time
            self.readers.kill()
            for reason in getattr(exc, "exceptions", (exc,)):
                if isinstance(reason, errors.ServiceError):
                    self.warning = str(reason)
            raise
        finally:
            self.readers.stop()

    async def _first_look(self, watched: Mapping[int, Root], say: Say) -> bool:
        """Take a first look at all photos that are new since the last time, newest first; False where a pause cut it short."""
        newest = await self._store.aread(photos.newest_id)
        total = await self._store.aread(photos.unseen_count, watched, self._seen)
        done, place = 0, (math.inf, 0)
        while not self.paused:
            found = await self._store.aread(photos.to_glimpse, GLANCES * 8 * self.readers.workers, watched, self._seen, place)
            if not found:
                self._seen = newest
                return True
            entries, place = [entry for _, entry in found], found[-1][0]
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(entries), GLANCES):
                    group.create_task(self._glimpse(entries[start : start + GLANCES], watched))
            done += len(entries)
            say("looking at new photos", done, total)
        return False

    async def _look_into_relatives(self, watched: Mapping[int, Root], say: Say) -> None:
        """Look into videos and RAW files for whose they are; folders where they or their neighbours are new are `paired_anew`."""
        done = 0
        while not self.paused and (found := await self._store.aread(relatives.unseen, GLANCES, watched)):
            told = await self._told([os.path.join(watched[root_id].path, path) for root_id, path in found])
            await self._store.awrite(relatives.record, zip(found, told, strict=True))
            spoke = [place for place, its in zip(found, told, strict=True) if its != Told(None, None)]
            self.paired_anew |= {(root_id, os.path.dirname(path)) for root_id, path in spoke}
            done += len(found)
            say("pairing photos with their videos and RAW files", done, 0)
        for root_id, folder in self._read_in:
            if await self._store.aread(relatives.have, root_id, folder):
                self.paired_anew.add((root_id, folder))
        self._read_in.clear()

    async def _told(self, paths: list[str]) -> list[Told]:
        try:
            return await self.readers.look_into(paths)
        except BrokenExecutor:  # paired by their names, then
            return [Told(None, None)] * len(paths)

    async def _glimpse(self, entries: list[FileEntry], watched: Mapping[int, Root]) -> None:
        try:
            seen = await self.readers.glimpse([os.path.join(watched[e.root_id].path, e.path) for e in entries])
        except BrokenExecutor:
            return  # one of them killed the process: which one, reading them in full will tell
        found = [(entry, look) for entry, look in zip(entries, seen, strict=True) if look]
        await self._store_patiently(_record_glimpses, found)

    async def _one(self, entry: FileEntry, root: Root, gate: asyncio.Semaphore, finished: Callable[[], None]) -> None:
        async with gate:
            if self.paused:
                return
            await self._read(entry, os.path.join(root.path, entry.path))
        finished()

    async def _read(self, entry: FileEntry, path: str) -> None:
        try:
            try:
                facts = await self.readers.read(path)
            except BrokenExecutor:
                facts = await self.readers.read_alone(path)
        except errors.UnreadablePhoto as exc:
            log.info("%s %s", path, exc)
            await self._store.awrite(changes.record_broken, entry.photo_id, str(exc), self._clock())
        except FileNotFoundError:
            # gone between scan and reading: as if the scan had not seen it; the next one decides what became of it
            await self._store.awrite(changes.file_gone, entry, self._clock())
        else:
            if not entry.stamp.is_same_file(facts.stamp):
                self._changed.add(entry.photo_id)  # since the scan: the next one tells what it is, and it is read then
                return
            self._unstored.append((entry, facts))
            self._read_in.add((entry.root_id, os.path.dirname(entry.path)))
            if len(self._unstored) >= TOGETHER:
                await self._keep()

    async def _keep(self) -> None:
        """Store what was read."""
        facts, self._unstored = self._unstored, []
        if facts:
            await self._store_patiently(_record, facts, int(self._settings.preview_cache_gb * 1e9))

    async def _store_patiently(
        self, action: Callable[Concatenate[Database, float, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Store something; on a full disk wait, and try again until there is room."""
        while True:
            try:
                await self._store.awrite(action, self._clock(), *args, **kwargs)
            except sqlite3.OperationalError as exc:
                if "full" not in str(exc):
                    raise
                self.warning = "The disk is full: reading photos waits until there is room."
                log.error(self.warning)
                await asyncio.sleep(FULL_DISK_PAUSE)
            else:
                self.warning = None
                return


def _record_glimpses(db: Database, now: float, seen: list[tuple[FileEntry, Glimpse]]) -> None:
    for entry, look in seen:
        changes.record_glimpse(db, entry, look, now)


def _record(db: Database, now: float, read: list[tuple[FileEntry, PhotoFacts]], preview_limit: int) -> None:
    for entry, facts in read:
        pictures.put(db, facts)
        if preview_limit:
            pictures.put_preview(db, facts.content_hash, facts.preview, preview_limit)
        changes.record_facts(db, entry, facts, now)
