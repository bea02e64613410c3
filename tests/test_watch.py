"""Watching for real: events, disks that go and come, files still being written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from precious_daemon import watch
from precious_daemon.config import IngestSettings, Places, Settings, WatchSettings
from precious_daemon.models import PhotoState, RootState
from precious_daemon.scan import add_root
from precious_daemon.service import Service, open_service
from precious_daemon.store import photos, roots
from precious_daemon.watch import Watcher
from tests.pictures import save

QUICK = Settings(watch=WatchSettings(settle_seconds=0.2), ingest=IngestSettings(workers=1))


@pytest.fixture
async def service(here: Places) -> AsyncIterator[Service]:
    opened = open_service(here, QUICK)
    yield opened
    await opened.jobs.stop()
    opened.store.close()


@pytest.fixture
async def folder(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A folder that is watched, with one photo in it that is known."""
    monkeypatch.setattr(watch, "HEALTH_SECONDS", 0.2)
    made = tmp_path / "pictures"
    save(made / "first.jpg", 0)
    add_root(service.store, str(made), time.time())
    watcher = Watcher(service.store, service.jobs, QUICK.watch.settle_seconds)
    await watcher.start()
    await until(lambda: counted(service, PhotoState.PRESENT) == 1)
    yield made
    await watcher.stop()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.05)


def counted(service: Service, state: PhotoState) -> int:
    return service.store.read(photos.counts)[state]


def state_of(service: Service) -> RootState:
    return service.store.read(roots.all_roots)[0].state


async def test_new_photo_is_noticed_and_read(service: Service, folder: Path) -> None:
    save(folder / "deep" / "er" / "new.jpg", 1)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)


async def test_photo_still_being_written_is_read_once_whole(service: Service, folder: Path, tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.jpg", 2, (1600, 1200)).read_bytes()
    with open(folder / "slow.jpg", "wb") as file:
        for part in range(8):
            file.write(whole[part * len(whole) // 8 : (part + 1) * len(whole) // 8])
            file.flush()
            await asyncio.sleep(0.08)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)
    assert counted(service, PhotoState.BROKEN) == 0


async def test_renamed_folder_keeps_its_photos(service: Service, folder: Path) -> None:
    save(folder / "old" / "a.jpg", 3)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)
    before = {photo.id for photo in service.store.read(photos.page, PhotoState.PRESENT)}
    (folder / "old").rename(folder / "new")
    await until(lambda: any(photo.path == "new/a.jpg" for photo in service.store.read(photos.page, PhotoState.PRESENT)))
    assert {photo.id for photo in service.store.read(photos.page, PhotoState.PRESENT)} == before


async def test_deleted_photo_is_missing(service: Service, folder: Path) -> None:
    (folder / "first.jpg").unlink()
    save(folder / "second.jpg", 4)  # an empty folder would be frozen instead
    await until(lambda: counted(service, PhotoState.MISSING) == 1)


async def test_disk_that_goes_away_is_offline_and_back_to_normal_when_it_returns(
    service: Service, folder: Path, tmp_path: Path
) -> None:
    folder.rename(tmp_path / "unplugged")
    await until(lambda: state_of(service) is RootState.OFFLINE)
    assert counted(service, PhotoState.MISSING) == 0
    (tmp_path / "unplugged").rename(folder)
    await until(lambda: state_of(service) is RootState.WATCHED)
    save(folder / "later.jpg", 5)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)


async def test_limit_on_watches_is_said_with_the_command_that_mends_it(service: Service, folder: Path) -> None:
    root = service.store.read(roots.all_roots)[0]
    sentence = watch._why_blind(replace(root, path="/photos"), OSError(28, "No space left on device"))
    assert "sudo sysctl fs.inotify.max_user_watches" in sentence
