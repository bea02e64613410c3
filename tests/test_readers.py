"""The reading processes: real ones, with files that kill them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from precious_daemon import readers
from precious_daemon.config import IngestSettings, WatchSettings
from precious_daemon.models import PhotoState
from precious_daemon.readers import Ingest
from precious_daemon.scan import add_root, scan
from precious_daemon.store import Store, photos, pictures
from tests.pictures import save, settle


async def read_folder(store: Store, folder: Path, settings: IngestSettings | None = None) -> int:
    root = add_root(store, str(folder), time.time())
    scan(store, root, WatchSettings(), time.time)
    return await Ingest(store, settings or IngestSettings(workers=1), time.time).run(lambda *_: None)


async def test_everything_that_waits_is_read(store: Store, tmp_path: Path) -> None:
    for number in range(10):
        save(tmp_path / "pictures" / f"{number}.jpg", number)
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"no picture")
    settle(tmp_path / "pictures" / "broken.jpg")
    assert await read_folder(store, tmp_path / "pictures") == 11
    counts = store.read(photos.counts)
    assert (counts[PhotoState.PRESENT], counts[PhotoState.BROKEN], counts[PhotoState.NEW]) == (10, 1, 0)
    shown = store.read(photos.page, PhotoState.PRESENT)
    assert all(store.read(pictures.thumbnail, photo.content_hash) for photo in shown)
    assert "known kind" in (store.read(photos.page, PhotoState.BROKEN)[0].error or "")


def _dies(path: str, seconds: float) -> object:
    """Stands in for a decoder that crashes on one file; runs in the worker."""
    from precious_daemon.ingest import read_photo

    if path.endswith("killer.jpg"):
        os.kill(os.getpid(), signal.SIGKILL)
    return read_photo(path, seconds)


async def test_file_that_kills_its_process_is_broken_and_the_others_are_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_read", _dies)
    for number in range(6):
        save(tmp_path / "pictures" / f"{number}.jpg", number)
    save(tmp_path / "pictures" / "killer.jpg", 99)
    await read_folder(store, tmp_path / "pictures")
    counts = store.read(photos.counts)
    assert (counts[PhotoState.PRESENT], counts[PhotoState.BROKEN]) == (6, 1)
    assert "crashed" in (store.read(photos.page, PhotoState.BROKEN)[0].error or "")


async def test_file_that_vanished_before_it_was_read_is_missing(store: Store, tmp_path: Path) -> None:
    path = save(tmp_path / "pictures" / "a.jpg", 1)
    root = add_root(store, str(tmp_path / "pictures"), time.time())
    scan(store, root, WatchSettings(), time.time)
    path.unlink()
    await Ingest(store, IngestSettings(workers=1), time.time).run(lambda *_: None)
    assert store.read(photos.counts)[PhotoState.MISSING] == 1
