"""A real library for the pages: a folder of made pictures, read into a real store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from precious_daemon.errors import UnreadablePhoto
from precious_daemon.folders import scan, watched
from precious_daemon.models import Photo, PhotoState, Suggestion
from precious_daemon.pictures import ingest
from precious_daemon.service import Service
from precious_daemon.store import Database, changes, photos, pictures, roots, suggestions
from precious_daemon.suggesting import propose
from tests.pictures import save

KEY = "the key of the service file"


def fill(service: Service, folder: Path, count: int) -> list[Photo]:
    """Watch a folder with so many pictures, read them, and return the photos that are present."""
    for number in range(count):
        save(folder / f"IMG_{number:04}.jpg", number, (96, 72), age=3600 * (number + 1))
    return read(service, folder)


def read(service: Service, folder: Path) -> list[Photo]:
    store, now = service.store, service.clock()
    folder.mkdir(parents=True, exist_ok=True)
    root = watched.add_root(store, str(folder), now)
    scan.scan(store, root, service.settings.watch, service.clock)
    for entry in store.read(photos.to_ingest, 1000, [root.id]):
        path = Path(root.path) / entry.path
        try:
            facts = ingest.read_photo(str(path), 10)
        except UnreadablePhoto as exc:
            store.write(changes.record_broken, entry.photo_id, str(exc), now)
            continue

        def keep(db: Database, entry: Any = entry, facts: Any = facts) -> None:
            pictures.put(db, facts)
            pictures.put_preview(db, facts.content_hash, facts.preview, 10**9)
            changes.record_facts(db, entry, facts, now)

        store.write(keep)
    return store.read(photos.page, PhotoState.PRESENT, None, 1000)


def suggest(service: Service, *found: Suggestion) -> list[str]:
    """Make these the open suggestions, and return their uids, surest first."""
    service.store.write(suggestions.replace_open, 1, "run", found, service.clock())
    return [row.uid for row in service.store.read(suggestions.page, 1)]


async def choose_here(service: Service, voter_id: int, run: str) -> int:
    """Choose and store suggestions as a night does, but in this process; how many are open."""
    chosen = await propose.choose(service, voter_id)
    settings, now = service.settings.certify, service.clock()
    return await service.store.awrite(propose.keep, voter_id, run, chosen, settings, service.rng, now)


def taste(photo: Photo, keep: float = 0.1, certified: bool = False, **more: Any) -> Suggestion:
    return Suggestion(photo.id, "taste", keep, certified, ("Looks like 7 photos you deleted.",), **more)


def root_of(service: Service) -> Path:
    return Path(service.store.read(roots.all_roots)[0].path)


@dataclass
class Browser:
    """A client that sends what a browser sends from one of our own pages."""

    session: aiohttp.ClientSession
    base: str

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        return await self._send("GET", path, None, headers)

    async def post(self, path: str, value: Any = None, **headers: str) -> aiohttp.ClientResponse:
        """JSON."""
        return await self._send("POST", path, {"json": {} if value is None else value}, headers)

    async def submit(self, path: str, fields: Any, **headers: str) -> aiohttp.ClientResponse:
        """A form; a list of pairs where a field comes more than once."""
        return await self._send("POST", path, {"data": fields}, headers)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> aiohttp.ClientResponse:
        sent = {"Sec-Fetch-Site": "same-origin"} | {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.session.request(method, self.base + path, headers=sent, allow_redirects=False, **(body or {}))
        await response.read()
        return response
