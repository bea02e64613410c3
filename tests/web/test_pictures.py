"""Previews that the cache no longer has: made again while their photo is there, the thumbnail otherwise."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from precious_daemon.config import IngestSettings
from precious_daemon.models import Photo, PhotoFacts, RootState
from precious_daemon.previews import Previews
from precious_daemon.readers import Readers
from precious_daemon.service import Service
from precious_daemon.store import Database, pictures, roots
from tests.conftest import until
from tests.web.library import Browser, root_of


def forget(service: Service) -> None:
    service.store.write(lambda db: db.execute("DELETE FROM cache.previews"))


def kept(db: Database, photo: Photo) -> bytes | None:
    assert photo.content_hash
    return pictures.preview(db, photo.content_hash)


async def test_forgotten_preview_is_made_again_and_kept(service: Service, browser: Browser, library: list[Photo]) -> None:
    photo = library[0]
    before = service.store.read(kept, photo)
    first = await browser.get(f"/preview/{photo.uid}")
    forget(service)
    again = await browser.get(f"/preview/{photo.uid}")
    assert await again.read() == before
    assert again.headers["ETag"] == first.headers["ETag"]
    assert service.store.read(kept, photo) == before


async def test_browser_that_has_the_preview_still_costs_no_reading(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    first = await browser.get(f"/preview/{library[0].uid}")
    forget(service)
    again = await browser.get(f"/preview/{library[0].uid}", If_None_Match=first.headers["ETag"])
    assert again.status == 304
    assert service.store.read(kept, library[0]) is None


@pytest.mark.parametrize("state", [RootState.OFFLINE, RootState.FROZEN])
async def test_folder_that_is_away_gives_the_thumbnail(
    service: Service, browser: Browser, library: list[Photo], state: RootState
) -> None:
    forget(service)
    service.store.write(roots.set_state, library[0].root_id, state, "away")
    assert (await browser.get(f"/preview/{library[0].uid}")).headers["ETag"].endswith('-thumb"')


async def test_file_that_is_gone_or_another_gives_the_thumbnail(service: Service, browser: Browser, library: list[Photo]) -> None:
    forget(service)
    gone, changed = root_of(service) / library[0].path, root_of(service) / library[1].path
    gone.unlink()
    changed.write_bytes((root_of(service) / library[2].path).read_bytes())
    for photo in library[:2]:
        assert (await browser.get(f"/preview/{photo.uid}")).headers["ETag"].endswith('-thumb"')
    assert service.store.read(kept, library[1]) is None


@pytest.fixture
async def previews(service: Service) -> AsyncIterator[Previews]:
    made = Previews(service.store, IngestSettings(), idle=0.0)
    yield made
    await made.stop()


async def test_photo_asked_for_twice_at_once_is_read_once(
    previews: Previews, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = Readers.read

    async def counted(self: Readers, path: str) -> PhotoFacts:
        asked.append(Path(path).name)
        return await read(self, path)

    monkeypatch.setattr(Readers, "read", counted)
    one, two, other = await asyncio.gather(*(previews.make(photo) for photo in (library[0], library[0], library[1])))
    assert one == two != other
    assert sorted(asked) == sorted([library[0].path, library[1].path])


async def test_process_ends_when_nobody_asks(previews: Previews, library: list[Photo]) -> None:
    assert await previews.make(library[0])
    await asyncio.sleep(0)  # the timer of no seconds
    await asyncio.to_thread(until, lambda: not multiprocessing.active_children())


async def test_without_room_for_previews_they_are_shown_and_not_kept(service: Service, library: list[Photo]) -> None:
    forget(service)
    previews = Previews(service.store, IngestSettings(preview_cache_gb=0))
    assert await previews.make(library[0])
    assert service.store.read(kept, library[0]) is None
    await previews.stop()
