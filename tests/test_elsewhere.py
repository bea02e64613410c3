"""Reading by the workers of a dask scheduler: real ones, as processes of their own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from precious_daemon import elsewhere
from precious_daemon.config import IngestSettings, Places, WatchSettings
from precious_daemon.errors import ServiceError
from precious_daemon.models import PhotoState
from precious_daemon.readers import Ingest
from precious_daemon.scan import add_root, scan
from precious_daemon.store import Database, Store, photos
from tests.conftest import until
from tests.pictures import save, settle

WORKER = [sys.executable, "-m", "precious_daemon", "worker", "--threads", "1"]
OTHER_VERSION = "import sys, precious_daemon; precious_daemon.__version__ = '0.0.1'; from precious_daemon.cli import main; main()"


@contextmanager
def program(command: list[str], ready: str) -> Iterator[tuple[subprocess.Popen[str], re.Match[str]]]:
    """A process, from the line that says it is ready on."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines: list[str] = []

    def read() -> None:
        for line in process.stderr or ():
            lines.append(line)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        until(lambda: re.search(ready, "".join(lines)) is not None, 60, "it did not become ready")
        found = re.search(ready, "".join(lines))
        assert found
        yield process, found
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join()
        assert process.stderr
        process.stderr.close()


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Its address."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with program(command, r"Scheduler at:\s+(tcp://\S+)") as (_, found):
        yield found[1]


@contextmanager
def workers(address: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as stack:
        yield [stack.enter_context(program([*WORKER, address], "reading for"))[0] for _ in range(count)]


def prepared(store: Store, folder: Path, count: int) -> None:
    for number in range(count):
        save(folder / f"{number:03}.jpg", number, (96, 72), age=3600 + number)
    (folder / "broken.jpg").write_bytes(b"no picture")
    settle(folder / "broken.jpg")
    root = add_root(store, str(folder), time.time())
    scan(store, root, WatchSettings(), time.time)


async def read(store: Store, settings: IngestSettings, say: Callable[[str, int, int], None] = lambda *_: None) -> Ingest:
    ingest = Ingest(store, settings, time.time)
    await ingest.run(say)
    return ingest


def everything(store: Store) -> dict[str, object]:
    """All that reading left, by path."""

    def look(db: Database) -> dict[str, object]:
        kept = "SELECT p.path, p.state, p.content_hash, p.perceptual_hash, p.width, p.height, p.taken_at, c.* FROM photos p "
        return {row[0]: row[1:] for row in db.execute(kept + "LEFT JOIN cache.pictures c USING (content_hash)")}

    return store.read(look)


async def test_what_workers_elsewhere_read_is_to_the_byte_what_is_read_here(
    store: Store, scheduler: str, tmp_path: Path, here: Places
) -> None:
    prepared(store, tmp_path / "pictures", 24)
    with workers(scheduler, 3) as running:
        killed = False

        def say(what: str, done: int, total: int) -> None:
            nonlocal killed
            if what == "reading photos" and done >= 4 and not killed:
                killed = True
                running[0].kill()

        await read(store, IngestSettings(executor="dask", scheduler=scheduler), say)
    assert killed, "a worker was to die under way"
    far = everything(store)
    assert store.read(photos.counts)[PhotoState.PRESENT] == 24
    again = Places(here.config_file, tmp_path / "data", tmp_path / "cache", tmp_path / "run")
    again.make()
    with Store(again) as other:
        root = add_root(other, str(tmp_path / "pictures"), time.time())
        scan(other, root, WatchSettings(), time.time)
        await read(other, IngestSettings(workers=1))
        assert everything(other) == far


async def test_a_worker_of_another_version_gets_nothing_to_do(store: Store, scheduler: str, tmp_path: Path) -> None:
    prepared(store, tmp_path / "pictures", 3)
    settings = IngestSettings(executor="dask", scheduler=scheduler)
    with program([sys.executable, "-c", OTHER_VERSION, "worker", "--threads", "1", scheduler], "reading for"):
        with pytest.raises(ServiceError, match=r"is not used: it has precious-daemon 0\.0\.1.*Install that there"):
            await read(store, settings)
        with workers(scheduler, 1):
            done = await read(store, settings)
    assert len(done.readers.notes) == 1
    assert store.read(photos.counts)[PhotoState.PRESENT] == 3


async def test_a_worker_that_does_not_see_the_folder_makes_no_photo_missing(store: Store, scheduler: str, tmp_path: Path) -> None:
    prepared(store, tmp_path / "pictures", 2)
    elsewhere = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{tmp_path}/pictures" && exec "$@"', "sh"]
    with program([*elsewhere, *WORKER, scheduler], "reading for"):
        await read(store, IngestSettings(executor="dask", scheduler=scheduler))
    assert store.read(photos.counts)[PhotoState.PRESENT] == 2


@pytest.mark.parametrize(("address", "says"), [("", "names none"), ("tcp://127.0.0.1:1", "does not answer")])
async def test_a_scheduler_that_is_not_there_is_said_in_a_sentence(
    address: str, says: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "PATIENCE", 1.0)
    prepared(store, tmp_path / "pictures", 1)
    ingest = Ingest(store, IngestSettings(executor="dask", scheduler=address), time.time)
    with pytest.raises(ServiceError, match=says):
        await ingest.run(lambda *_: None)
    assert says in (ingest.warning or "")
    assert store.read(photos.counts)[PhotoState.NEW] == 2, "it waits to be read"


def test_nothing_of_dask_is_loaded_unless_it_is_wanted() -> None:
    code = "import sys, precious_daemon.daemon, precious_daemon.readers; assert not {'distributed', 'dask'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
