"""Pictures that the cache does not have, made from the originals in a process that ends when nobody asks any more: previews, and
the pixels themselves."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import Any, TypeVar, cast

from precious_daemon import errors
from precious_daemon.config import IngestSettings
from precious_daemon.folders.readers import Readers
from precious_daemon.models import Photo, PhotoState, RootState
from precious_daemon.store import Database, Store, pictures, roots

log = logging.getLogger(__name__)

T = TypeVar("T")

IDLE = 60.0  # seconds after which the process ends


class Previews:
    """One reading process, started on demand; a photo that several ask for at once is read once."""

    def __init__(self, store: Store, settings: IngestSettings, idle: float = IDLE) -> None:
        self._store, self._idle = store, idle
        self._readers = Readers(settings)
        self.use(settings)
        self._under_way: dict[tuple[str, int], asyncio.Task[Any]] = {}
        self._ending: asyncio.TimerHandle | None = None

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings."""
        self._limit = int(settings.preview_cache_gb * 1e9)
        self._readers.use(replace(settings, workers=1, executor="processes"))  # somebody waits: here is nearest

    async def make(self, photo: Photo) -> bytes | None:
        """A JPEG from the original; None where that is not to be had now: its folder is away, or it is not what it was."""
        return await self._once(("preview", photo.id), lambda: self._preview(photo))

    async def tile(self, photo: Photo, place: tuple[int, int]) -> bytes | None:
        """A tile of the original at full size, by (column, row); None where it is not to be had, or has no such tile."""
        tiles = await self._once(("tiles", photo.id), lambda: self._tiles(photo, place))
        if tiles is not None and place not in tiles:  # of a very large photo, another part was under way
            tiles = await self._once(("tiles", photo.id), lambda: self._tiles(photo, place))
        return (tiles or {}).get(place)

    async def _once(self, what: tuple[str, int], make: Callable[[], Coroutine[None, None, T]]) -> T:
        task = self._under_way.get(what)
        if task is None:
            self._stay()
            task = self._under_way[what] = asyncio.create_task(make(), name=f"{what[0]} of photo {what[1]}")
            task.add_done_callback(lambda _: self._done(what))
        return cast(T, await asyncio.shield(task))  # whoever leaves does not take it from the others

    async def stop(self) -> None:
        """End the process, and what is under way."""
        self._stay()
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._stay()
        self._readers.stop()

    async def _preview(self, photo: Photo) -> bytes | None:
        found = await self._read(photo, self._readers.read)
        if found is None or found.content_hash != photo.content_hash:
            return None  # changed since it was read
        await self._keep(pictures.put_preview, photo, found.preview)
        return found.preview

    async def _tiles(self, photo: Photo, place: tuple[int, int]) -> dict[tuple[int, int], bytes] | None:
        found = await self._read(photo, lambda path: self._readers.read_tiles(path, place))
        if found is None or found[0] != photo.content_hash:
            return None
        await self._keep(pictures.put_tiles, photo, found[1])
        return found[1]

    async def _read(self, photo: Photo, read: Callable[[str], Awaitable[T]]) -> T | None:
        if photo.state is not PhotoState.PRESENT or photo.content_hash is None:
            return None
        watched = {root.id: root for root in await self._store.aread(roots.all_roots) if root.state is RootState.WATCHED}
        if photo.root_id not in watched:
            return None
        root = watched[photo.root_id]
        self._readers.within(root.path for root in watched.values())
        path = os.path.join(root.path, photo.path)
        try:
            return await read(path)
        except (errors.UnreadablePhoto, FileNotFoundError, BrokenExecutor) as exc:
            log.info("no picture of %s: %s", path, exc)  # the next scan sees to it
            return None

    async def _keep(self, put: Callable[[Database, bytes, Any, int], None], photo: Photo, made: object) -> None:
        if self._limit and photo.content_hash:
            try:
                await self._store.awrite(put, photo.content_hash, made, self._limit)
            except sqlite3.OperationalError as exc:
                log.warning("what was made of %s is not kept: %s", photo.path, exc)

    def _done(self, what: tuple[str, int]) -> None:
        del self._under_way[what]
        if not self._under_way:
            self._ending = asyncio.get_running_loop().call_later(self._idle, self._readers.stop)

    def _stay(self) -> None:
        if self._ending:
            self._ending.cancel()
            self._ending = None
