"""The reading processes: real ones, with files that kill them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from precious_daemon.config import IngestSettings, WatchSettings
from precious_daemon.folders import readers
from precious_daemon.folders.readers import Ingest
from precious_daemon.folders.scan import scan
from precious_daemon.folders.watched import add_root
from precious_daemon.models import PhotoState
from precious_daemon.store import Store, photos, pictures
from tests.conftest import until
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
    from precious_daemon.pictures.ingest import read_photo

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


# --- a first look ------------------------------------------------------------------------------------------------------


def many_photos(folder: Path, count: int) -> None:
    """Camera photos with the camera's thumbnail in them: one picture under many names, each another file."""
    first = save(folder / "0.jpg", 0, taken="2024:01:31 12:30:05", thumbnail=True)
    for number in range(1, count):
        shutil.copy(first, folder / f"{number}.jpg")
        settle(folder / f"{number}.jpg")


class Stopped(Exception):
    pass


def stop_at(what: str, count: int) -> Callable[[str, int, int], None]:
    """Stands for the end of the process after so many of one kind are done."""

    def say(now: str, done: int, total: int) -> None:
        if now == what and done >= count:
            raise Stopped

    return say


async def test_many_new_photos_can_be_browsed_and_voted_on_before_one_is_read(store: Store, tmp_path: Path) -> None:
    many_photos(tmp_path / "pictures", 250)
    root = add_root(store, str(tmp_path / "pictures"), time.time())
    scan(store, root, WatchSettings(), time.time)
    ingest = Ingest(store, IngestSettings(workers=1), time.time)

    def pause(what: str, done: int, total: int) -> None:
        assert what == "looking at new photos"
        ingest.paused = done == 250

    assert await ingest.run(pause) == 0
    shown = store.read(photos.page, PhotoState.PRESENT, limit=300)
    assert len(shown) == 250
    assert all((p.content_hash, p.width, p.height, p.taken_at) == (None, 320, 240, 1706704205) for p in shown)
    assert all(store.read(pictures.first_look, photo.id) for photo in shown)
    assert store.read(photos.random_present, 0, 2)
    assert list(store.read(lambda db: list(photos.for_children(db)))) == [], "what was not read is not learned from"

    ingest.paused = False
    assert await ingest.run(lambda *_: None) == 250
    shown = store.read(photos.page, PhotoState.PRESENT, limit=300)
    assert all(photo.content_hash for photo in shown)
    assert not any(store.read(pictures.first_look, photo.id) for photo in shown)


async def test_nothing_is_done_twice_after_a_kill(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_photos(tmp_path / "pictures", 140)
    root = add_root(store, str(tmp_path / "pictures"), time.time())
    scan(store, root, WatchSettings(), time.time)
    with pytest.raises(ExceptionGroup) as stop:
        await Ingest(store, IngestSettings(workers=1), time.time).run(stop_at("reading photos", 70))
    assert stop.group_contains(Stopped)
    waiting = store.read(photos.waiting_count, [root.id])
    assert waiting < 140
    said: list[str] = []
    again = Ingest(store, IngestSettings(workers=1), time.time)
    assert await again.run(lambda what, *_: said.append(what)) == waiting
    assert set(said) == {"reading photos"}, "a photo that was seen gets no second first look"


async def test_pausing_stops_after_the_photos_in_hand_and_loses_nothing(store: Store, tmp_path: Path) -> None:
    many_photos(tmp_path / "pictures", 30)
    root = add_root(store, str(tmp_path / "pictures"), time.time())
    scan(store, root, WatchSettings(), time.time)
    ingest = Ingest(store, IngestSettings(workers=1), time.time)

    def pause(what: str, done: int, total: int) -> None:
        ingest.paused = done >= 10

    read = await ingest.run(pause)
    assert 10 <= read < 30
    assert store.read(photos.waiting_count, [root.id]) == 30 - read
    ingest.paused = False
    assert await ingest.run(lambda *_: None) == 30 - read


async def test_photo_that_changed_after_the_scan_is_read_after_the_next_one(store: Store, tmp_path: Path) -> None:
    save(tmp_path / "pictures" / "a.jpg", 1)
    save(tmp_path / "pictures" / "b.jpg", 2)
    root = add_root(store, str(tmp_path / "pictures"), time.time())
    scan(store, root, WatchSettings(), time.time)
    save(tmp_path / "pictures" / "a.jpg", 3, age=30)
    ingest = Ingest(store, IngestSettings(workers=1), time.time)
    await ingest.run(lambda *_: None)
    assert [photo.path for photo in store.read(photos.page, PhotoState.PRESENT)] == ["b.jpg"]
    scan(store, root, WatchSettings(), time.time)
    assert await ingest.run(lambda *_: None) == 1
    assert store.read(photos.counts)[PhotoState.PRESENT] == 2


async def test_newest_photos_are_read_first(store: Store, tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "pictures" / f"{number}.jpg", number, age=1000 * (number + 1))
    root = add_root(store, str(tmp_path / "pictures"), time.time())
    scan(store, root, WatchSettings(), time.time)
    waiting = store.read(photos.to_ingest, 10, [root.id])
    assert [entry.path for entry in waiting] == [f"{number}.jpg" for number in range(5)]


def test_reading_processes_end_with_a_service_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nfrom precious_daemon.folders.pools import reading_processes\n"
        "pool = reading_processes(1, 1024, ())\n"
        "if __name__ == '__main__':\n    print(pool.submit(os.getpid).result(), flush=True); time.sleep(60)"
    )
    script = tmp_path / "service.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout
        reader = int(service.stdout.readline())
        service.kill()
    until(lambda: not os.path.exists(f"/proc/{reader}"), 10, "it waits for work for ever")
