"""The sandbox of the processes that decode: a real one tries what a decoder that was taken over would, and is refused."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from precious_daemon.config import IngestSettings, Places
from precious_daemon.folders.readers import Readers
from precious_daemon.machine import sandbox
from precious_daemon.pictures.ingest import prepare_worker, read_photo
from precious_daemon.running.doctor import _sandbox
from tests.pictures import save

HELD = sandbox.offered()
files_are_held = pytest.mark.skipif(HELD.landlock == 0, reason="this kernel has no Landlock")
calls_are_held = pytest.mark.skipif(not HELD.seccomp, reason="this kernel has no seccomp filters")


def _write(place: str) -> None:
    Path(place).write_text("from a worker")


def _append(place: str) -> None:
    os.close(os.open(place, os.O_WRONLY | os.O_APPEND))


def _connect(place: str) -> None:
    with socket.socket() as out:
        out.connect(("127.0.0.1", int(place)))


def _talk(place: str) -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def _start(place: str) -> None:
    os.execv(sys.executable, [sys.executable, "-c", f"open({place!r}, 'w')"])


def _read(place: str) -> str:
    return Path(place).read_text()


def _touch(place: str) -> None:
    os.utime(place)


def _kill(place: str) -> None:
    os.kill(int(place), signal.SIGCONT)


Work = Callable[[Callable[[str], object], str], object]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Work]:
    """Runs something in a real reading process, which may read `photos`."""
    photos = tmp_path / "photos"
    photos.mkdir()
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), prepare_worker, (1024, (str(photos),)))
    yield lambda work, place: pool.submit(work, place).result(60)
    pool.shutdown()


def refused(worker: Work, work: Callable[[str], object], place: object) -> bool:
    try:
        worker(work, str(place))
    except PermissionError:
        return True
    return False


@files_are_held
def test_a_worker_reads_photos_and_nothing_else_of_the_owners(worker: Work, tmp_path: Path) -> None:
    (tmp_path / "photos" / "a.txt").write_text("a sidecar")
    (tmp_path / "secret").write_text("a key")
    os.symlink(tmp_path / "secret", tmp_path / "photos" / "link")
    assert worker(_read, str(tmp_path / "photos" / "a.txt")) == "a sidecar"
    for place in (tmp_path / "secret", tmp_path / "photos" / "link", Path("/etc/passwd"), Path("/proc/self/environ")):
        assert refused(worker, _read, place), place


@files_are_held
def test_a_worker_writes_nowhere(worker: Work, tmp_path: Path) -> None:
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a photo")
    for place in (tmp_path / "photos" / "new", tmp_path / "new", Path(sys.prefix) / "new"):
        assert refused(worker, _write, place), place
        assert not place.exists()
    assert refused(worker, _append, tmp_path / "photos" / "a.jpg")
    assert refused(worker, os.unlink, tmp_path / "photos" / "a.jpg")
    assert refused(worker, os.mkdir, tmp_path / "photos" / "folder")
    assert os.listdir(tmp_path / "photos") == ["a.jpg"]


@calls_are_held
def test_a_worker_has_no_network_and_starts_no_program(worker: Work, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert refused(worker, _connect, listener.getsockname()[1])
    assert refused(worker, _talk, "")
    assert refused(worker, _start, tmp_path / "photos" / "started")
    assert not (tmp_path / "photos" / "started").exists()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a photo")
    assert refused(worker, _touch, tmp_path / "photos" / "a.jpg")


@pytest.mark.skipif(HELD.landlock < 6, reason="this kernel does not hold signals")
def test_a_worker_cannot_end_the_service(worker: Work) -> None:
    assert refused(worker, _kill, os.getpid())


async def test_readers_read_in_it_and_folders_that_are_added_later_too(tmp_path: Path) -> None:
    readers = Readers(IngestSettings(workers=1))
    first, second = save(tmp_path / "a" / "1.jpg", 1), save(tmp_path / "b" / "2.jpg", 2)
    readers.within([str(tmp_path / "a")])
    assert (await readers.read(str(first))).content_hash == read_photo(str(first), 10).content_hash
    readers.within([str(tmp_path / "a"), str(tmp_path / "b")])
    assert (await readers.read(str(second))).content_hash == read_photo(str(second), 10).content_hash
    readers.stop()


def test_without_the_kernels_help_it_still_runs_and_the_doctor_says_so(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.platform = 'other'; from precious_daemon.machine import sandbox; print(sandbox.enter(()))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert "Held(landlock=0, seccomp=False)" in done.stdout
    for held, state, says in (
        (sandbox.Held(7, True), "ok", "no file beside photos, no network"),
        (sandbox.Held(0, True), "note", "files: Linux 5.13"),
        (sandbox.Held(0, False), "note", "limits on memory and time alone"),
    ):
        monkeypatch.setattr(sandbox, "offered", lambda held=held: held)
        (finding,) = _sandbox(here, None)  # type: ignore[arg-type]
        assert (finding.state, says in finding.sentence) == (state, True), finding.sentence
