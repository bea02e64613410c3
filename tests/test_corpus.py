"""Every picture of a collection that is not ours to ship: cameras, orientations, near-duplicates, hostile files.

PRECIOUS_CORPUS names the folder. Here only what holds for any such file is checked; the collections' own readmes say what
each file is.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from precious_daemon.config import IngestSettings, WatchSettings
from precious_daemon.errors import UnreadablePhoto
from precious_daemon.folders.readers import Ingest
from precious_daemon.folders.scan import scan
from precious_daemon.folders.watched import add_root
from precious_daemon.models import PhotoState, Role
from precious_daemon.pure.captures import role_of
from precious_daemon.store import Store, photos, pictures
from tests.conftest import until
from tests.e2e.process import ServiceProcess

CORPUS = os.environ.get("PRECIOUS_CORPUS", "")
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CORPUS, reason="PRECIOUS_CORPUS does not name a folder of pictures"),
]
MEGABYTES = IngestSettings().worker_megabytes


def _read(path: str) -> tuple[str, bytes, int]:
    """In a worker: (what is wrong or empty, preview, the most memory it ever held in MB)."""
    from precious_daemon.pictures.ingest import read_photo

    try:
        why, preview = "", read_photo(path, 10).preview
    except UnreadablePhoto as exc:
        why, preview = str(exc), b""
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return why, preview, int(peak[1]) // 1024 if peak else 0


def _glance(path: str) -> tuple[int, int] | None:
    from precious_daemon.pictures.ingest import glimpse

    (seen,) = glimpse([path], 10)
    return Image.open(io.BytesIO(seen.thumbnail)).size if seen and seen.thumbnail else None


@pytest.fixture
def worker() -> Iterator[ProcessPoolExecutor]:
    from precious_daemon.pictures.ingest import prepare_worker

    with ProcessPoolExecutor(1, get_context("spawn"), prepare_worker, (MEGABYTES,)) as pool:
        yield pool


def folder(name: str) -> Path:
    return Path(CORPUS) / name


def stills(name: str) -> list[Path]:
    return [path for path in sorted(folder(name).rglob("*")) if path.is_file() and role_of(path.name) is Role.STILL]


@pytest.mark.parametrize("shape", ["Landscape", "Portrait"])
def test_orientation_is_right_to_the_pixel(worker: ProcessPoolExecutor, shape: str) -> None:
    """Landscape_0.jpg to Landscape_8.jpg show one picture, told apart by their EXIF alone; number 1 is stored upright."""
    reference = Image.open(folder("orientation") / f"{shape}_1.jpg")
    for number in range(9):
        why, preview, _ = worker.submit(_read, str(folder("orientation") / f"{shape}_{number}.jpg")).result()
        assert not why
        shown = Image.open(io.BytesIO(preview))
        assert abs(shown.width / shown.height - reference.width / reference.height) < 0.02
        expected = np.asarray(reference.resize(shown.size).convert("L")).astype(int)
        assert np.abs(expected - np.asarray(shown.convert("L"))).mean() < 12, f"{number} is turned or mirrored"


@pytest.mark.parametrize("name", ["cameras", "neardup"])
def test_every_photo_is_read_or_says_why_not(worker: ProcessPoolExecutor, name: str) -> None:
    found, failures, most = stills(name), {}, 0
    for path in found:
        why, _, memory = worker.submit(_read, str(path)).result()
        most = max(most, memory)
        if why:
            failures[path.name] = why
    assert len(found) > 10
    assert len(failures) <= 0.05 * len(found), failures
    assert all(len(why) > 5 for why in failures.values())
    assert most < MEGABYTES / 2, "far from its limit"


def test_first_look_shows_nearly_every_photo_and_none_in_another_shape(worker: ProcessPoolExecutor) -> None:
    unseen = 0
    for path in stills("cameras"):
        size = worker.submit(_glance, str(path)).result()
        if size is None:
            unseen += 1
            continue
        why, preview, _ = worker.submit(_read, str(path)).result()
        assert not why
        width, height = Image.open(io.BytesIO(preview)).size
        assert abs(np.log(size[0] / size[1] * height / width)) < 0.05, path.name
    assert unseen < 0.1 * len(stills("cameras"))


async def test_hostile_files_break_nothing_but_themselves(store: Store, tmp_path: Path) -> None:
    """All of them at once through a pool of real processes, each under a name that makes it a photo."""
    place = tmp_path / "pictures"
    place.mkdir()
    then = time.time() - 60
    hostile = [path for path in sorted(folder("hostile").rglob("*")) if path.is_file()]
    for number, path in enumerate(hostile):
        copy = place / f"{number:04}.{path.suffix.lstrip('.') if role_of(path.name) is Role.STILL else 'jpg'}"
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (then, then))
    root = add_root(store, str(place), time.time())
    scan(store, root, WatchSettings(), time.time)
    ingest = Ingest(store, IngestSettings(workers=2, seconds_per_file=10), time.time)
    assert await ingest.run(lambda *_: None) == len(hostile)
    counts = store.read(photos.counts)
    assert counts[PhotoState.NEW] == 0
    assert counts[PhotoState.PRESENT] + counts[PhotoState.BROKEN] == len(hostile)
    broken = store.read(photos.page, PhotoState.BROKEN, None, len(hostile))
    assert all(photo.error for photo in broken)
    shown = store.read(photos.page, PhotoState.PRESENT, None, len(hostile))
    assert all(photo.content_hash and store.read(pictures.thumbnail, photo.content_hash) for photo in shown)


def test_service_answers_and_stays_small_while_every_file_is_read(tmp_path: Path) -> None:
    """The real service on all four collections, each file under its own name, and once more as a JPEG where that is none."""
    place = tmp_path / "pictures"
    then, number, expected = time.time() - 60, 0, 0
    for name in ("cameras", "orientation", "neardup", "hostile"):
        for path in sorted(path for path in folder(name).rglob("*") if path.is_file()):
            for copy in {path.name, path.name if role_of(path.name) else f"{path.name}.jpg"}:
                (place / f"{number:04}").mkdir(parents=True)
                (place / f"{number:04}" / copy).write_bytes(path.read_bytes())
                os.utime(place / f"{number:04}" / copy, (then, then))
                number += 1
                expected += role_of(copy) is Role.STILL
    service = ServiceProcess(str(tmp_path / "pictures"))
    try:
        owner = service.start()
        at_start = most = _resident(service.process.pid)

        def all_is_read() -> bool:
            nonlocal most
            most = max(most, _resident(service.process.pid))
            owner.get("/photos")
            status = owner.status
            known = status["photos"]["present"] + status["photos"]["broken"]
            return known == expected and all(job["job"] != "ingest" for job in status["running"])

        until(all_is_read, 300, "the files were not read")
        counts = owner.status["photos"]
        assert counts["present"] > 250
        assert counts["broken"] > 100, "each with its reason"
        assert counts["missing"] == counts["new"] == 0
        assert most - at_start < 50, "megabytes that the service itself grew by"
        assert service.stop() < 10
    finally:
        service.close()


def _resident(pid: int) -> float:
    """Megabytes of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
