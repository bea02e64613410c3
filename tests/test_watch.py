"""Watching for real: events, disks that go and come, files still being written."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.config import IngestSettings, Places, Settings, WatchSettings
from precious_daemon.disk import observers
from precious_daemon.disk.observers import EVERYTHING, Eyes, Hint, _Inotify
from precious_daemon.disk.tree import file_system
from precious_daemon.folders import scan
from precious_daemon.folders.watched import add_root
from precious_daemon.jobs import open_service
from precious_daemon.models import PhotoState, RootState
from precious_daemon.running import watch
from precious_daemon.running.watch import Watcher
from precious_daemon.service import Service
from precious_daemon.store import photos, roots
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
    watcher = Watcher(service.store, service.jobs, QUICK.watch)
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
    save(folder / "second.jpg", 4)  # an empty folder would be frozen instead
    (folder / "first.jpg").unlink()
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


async def test_events_that_were_lost_are_made_up_for_by_a_scan_of_everything(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's queue overflows while the observer is stalled: what it dropped is found nevertheless."""
    stalled = threading.Event()
    hints: list[Hint] = []
    monkeypatch.setattr(_Inotify, "_read_event_buffer", _stalling(_Inotify._read_event_buffer, stalled))
    folder = tmp_path / "pictures"
    folder.mkdir()
    eyes = Eyes(str(folder), hints.append)
    await asyncio.to_thread(eyes.open)
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(queue // 2 + 100):  # making a file and closing it are two events
        os.close(os.open(folder / f"{number}.jpg", os.O_CREAT | os.O_WRONLY))
    stalled.set()
    await until(lambda: EVERYTHING in hints)
    await asyncio.to_thread(eyes.close)


def _stalling(read: Callable[..., bytes], until_set: threading.Event) -> Callable[..., bytes]:
    def waits(self: _Inotify, size: int) -> bytes:
        until_set.wait()
        return read(self, size)

    return waits


class FewWatches(_Inotify):
    """A system that lets a user watch two folders."""

    most = 2

    def add_callback(self, *args: Any) -> Any:
        if len(self._watch_for_wd) >= self.most:
            self.limits.append(OSError(errno.ENOSPC, "inotify watch limit reached"))
            raise self.limits[-1]
        return super().add_callback(*args)


async def test_folder_with_more_folders_than_may_be_watched_is_polled_and_the_warning_says_how_to_mend_it(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "_Inotify", FewWatches)
    monkeypatch.setattr(watch, "HEALTH_SECONDS", 0.1)
    made = tmp_path / "pictures"
    save(made / "one" / "a.jpg", 0)
    add_root(service.store, str(made), time.time())
    watcher = Watcher(service.store, service.jobs, replace(QUICK.watch, poll_minutes=0.01))
    await watcher.start()
    await until(lambda: counted(service, PhotoState.PRESENT) == 1)
    assert not watcher.warnings
    save(made / "two" / "three" / "b.jpg", 1)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)
    await until(lambda: bool(watcher.warnings))
    assert "sudo sysctl fs.inotify.max_user_watches" in next(iter(watcher.warnings.values()))
    save(made / "two" / "three" / "c.jpg", 2)
    await until(lambda: counted(service, PhotoState.PRESENT) == 3)
    FewWatches.most = 1000
    await until(lambda: not watcher.warnings)
    await watcher.stop()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann/Pictures", "ext4"),
        ("/mnt/nas/photos", "nfs4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nasty", "ext4"),
        ("/media/my disk/x", "fuse.sshfs"),
    ],
)
def test_file_system_of_a_folder_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    mounts = """\
25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 25 0:50 / /mnt/nas rw shared:40 - autofs systemd-1 rw
91 25 0:51 / /mnt/nas rw shared:41 - nfs4 nas:/export rw,vers=4.2
92 25 0:52 / /media/my\\040disk rw - fuse.sshfs ann@host:/ rw
"""
    assert file_system(path, mounts) == kind


async def test_network_folder_is_polled_with_a_warning_that_says_so(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "file_system", lambda path, mounts: "cifs")
    monkeypatch.setattr(watch, "HEALTH_SECONDS", 0.1)
    save(tmp_path / "pictures" / "a.jpg", 0)
    add_root(service.store, str(tmp_path / "pictures"), time.time())
    watcher = Watcher(service.store, service.jobs, replace(QUICK.watch, poll_minutes=0.01))
    await watcher.start()
    assert "network file system (cifs)" in next(iter(watcher.warnings.values()))
    await until(lambda: counted(service, PhotoState.PRESENT) == 1)
    save(tmp_path / "pictures" / "b.jpg", 1)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)
    await watcher.stop()


def mounted(kind: str, options: str, place: Path) -> Iterator[Path]:
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount")
    if subprocess.run(["mount", "-t", kind, "-o", options, "none", str(place)], capture_output=True, check=False).returncode:
        pytest.skip(f"no {kind} with {options} can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


async def test_50000_photos_that_are_unmounted_are_frozen_within_ten_seconds_and_normal_again_on_remount(
    service: Service, tmp_path: Path
) -> None:
    """As it runs in earnest: looked at every five seconds. The disk is a bind mount."""
    disk, place = tmp_path / "disk", tmp_path / "pictures"
    for number in range(500):
        (disk / f"{number:03}").mkdir(parents=True)
    place.mkdir()
    bind = ["mount", "--bind", str(disk), str(place)]
    if os.geteuid() != 0 or subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    try:
        root = add_root(service.store, str(place), time.time())
        for number in range(500):
            for name in range(100):
                (disk / f"{number:03}" / f"{name}.jpg").touch()
        then = time.time() - 60
        for file in disk.rglob("*.jpg"):
            os.utime(file, (then, then))
        service.jobs.arrivals.ingest.paused = True
        await asyncio.to_thread(scan.scan, service.store, root, QUICK.watch, time.time)
        assert counted(service, PhotoState.NEW) == 50_000
        watcher = Watcher(service.store, service.jobs, QUICK.watch)
        await watcher.start()
        subprocess.run(["umount", "-l", str(place)], check=True)
        began = time.monotonic()
        await until(lambda: state_of(service) is not RootState.WATCHED)
        assert time.monotonic() - began < 10
        assert counted(service, PhotoState.NEW) == 50_000
        subprocess.run(bind, check=True)
        await until(lambda: state_of(service) is RootState.WATCHED)
        report = await service.jobs.arrivals.scan_root(service.store.read(roots.get, root.id))
        assert (str(report), counted(service, PhotoState.NEW)) == ("nothing new", 50_000)
        await watcher.stop()
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def test_photo_renamed_in_capitals_only_is_the_same_where_the_disk_does_not_tell_them_apart(
    service: Service, tmp_path: Path
) -> None:
    for place in mounted("tmpfs", "casefold", tmp_path / "disk"):
        folder = place / "Trip"
        folder.mkdir()
        if subprocess.run(["chattr", "+F", str(folder)], capture_output=True, check=False).returncode:
            pytest.skip("no folders that do not tell capitals apart")
        save(folder / "IMG_1.JPG", 1)
        root = add_root(service.store, str(place), time.time())
        scan.scan(service.store, root, QUICK.watch, time.time)
        (before,) = service.store.read(photos.page, PhotoState.NEW)
        (folder / "IMG_1.JPG").rename(folder / "img_1.jpg")
        scan.scan(service.store, root, QUICK.watch, time.time)
        (after,) = service.store.read(photos.page, PhotoState.NEW)
        assert (after.id, after.path) == (before.id, "Trip/img_1.jpg")


async def test_what_could_not_be_looked_through_is_tried_again(
    service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, failed = service.jobs.arrivals.scan_root, False

    async def once_full(*args: Any, **options: Any) -> scan.ScanReport:
        nonlocal failed
        if not failed:
            failed = True
            raise sqlite3.OperationalError("database or disk is full")
        return await really(*args, **options)

    monkeypatch.setattr(watch, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(service.jobs.arrivals, "scan_root", once_full)
    save(folder / "new.jpg", 1)
    await until(lambda: counted(service, PhotoState.PRESENT) == 2)
    assert failed
