"""Previews that the cache no longer has, made again from the originals in a process that ends when nobody asks any more."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from precious_daemon import errors
from precious_daemon.config import IngestSettings
from precious_daemon.models import Photo, PhotoState, RootState
from precious_daemon.readers import Readers
from precious_daemon.store import Store, pictures, roots

log = logging.getLogger(__name__)

IDLE = 60.0  # seconds after which the process ends


class Previews:
    """One reading process, started on demand; a photo that several ask for at once is read once."""

    def __init__(self, store: Store, settings: IngestSettings, idle: float = IDLE) -> None:
        self._store, self._idle = store, idle
        self._readers = Readers(replace(settings, workers=1))
        self.use(settings)
        self._under_way: dict[int, asyncio.Task[bytes | None]] = {}
        self._ending: asyncio.TimerHandle | None = None

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings."""
        self._limit = int(settings.preview_cache_gb * 1e9)
        self._readers.use(replace(settings, workers=1))

    async def make(self, photo: Photo) -> bytes | None:
        """A JPEG from the original; None where that is not to be had now: its folder is away, or it is not what it was."""
        task = self._under_way.get(photo.id)
        if task is None:
            self._stay()
            task = self._under_way[photo.id] = asyncio.create_task(self._make(photo), name=f"preview of photo {photo.id}")
            task.add_done_callback(lambda _: self._done(photo.id))
        return await asyncio.shield(task)  # whoever leaves does not take it from the others

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

    async def _make(self, photo: Photo) -> bytes | None:
        if photo.state is not PhotoState.PRESENT or photo.content_hash is None:
            return None
        root = await self._store.aread(roots.get, photo.root_id)
        if root.state is not RootState.WATCHED:
            return None
        path = os.path.join(root.path, photo.path)
        try:
            facts = await self._readers.read(path)
        except (errors.UnreadablePhoto, FileNotFoundError, BrokenProcessPool) as exc:
            log.info("no preview of %s: %s", path, exc)  # the next scan sees to it
            return None
        if facts.content_hash != photo.content_hash:
            return None  # changed since it was read
        if self._limit:
            try:
                await self._store.awrite(pictures.put_preview, photo.content_hash, facts.preview, self._limit)
            except sqlite3.OperationalError as exc:
                log.warning("the preview of %s is not kept: %s", path, exc)
        return facts.preview

    def _done(self, photo_id: int) -> None:
        del self._under_way[photo_id]
        if not self._under_way:
            self._ending = asyncio.get_running_loop().call_later(self._idle, self._readers.stop)

    def _stay(self) -> None:
        if self._ending:
            self._ending.cancel()
            self._ending = None
