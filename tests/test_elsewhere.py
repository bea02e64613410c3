"""Reading and looking by the workers of a dask scheduler: real ones, as processes on machines of their own.

Those are network namespaces, which need root, iproute2 and a kernel with bridges, veth and tbf; without root all are here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.config import IngestSettings, Places, WatchSettings
from precious_daemon.errors import ServiceError
from precious_daemon.folders import elsewhere
from precious_daemon.folders.readers import Ingest
from precious_daemon.folders.scan import scan
from precious_daemon.folders.watched import add_root
from precious_daemon.jobs import networks
from precious_daemon.learn.embed import embed
from precious_daemon.learn.limits import Deadline
from precious_daemon.models import PhotoState
from precious_daemon.store import Database, Store, photos
from precious_daemon.work import handover, jobfolder
from tests.conftest import until
from tests.pictures import save, settle

WORKER = [sys.executable, "-m", "precious_daemon", "worker", "--threads", "1"]
OTHER_VERSION = "import sys, precious_daemon; precious_daemon.__version__ = '0.0.1'; from precious_daemon.cli import main; main()"


class Program:
    """A process, and what it says of itself."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._lines: list[str] = []
        self._reader = threading.Thread(target=lambda: self._lines.extend(iter(self._process.stderr or ())))
        self._reader.start()

    def says(self, words: str) -> str:
        """Wait until it does; the first group of what was looked for."""
        until(lambda: re.search(words, "".join(self._lines)) is not None, 60, f"it did not say {words}")
        found = re.search(words, "".join(self._lines))
        assert found
        return found[1]

    def kill(self) -> None:
        self._process.kill()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join()
        assert self._process.stderr
        self._process.stderr.close()


class Machines:
    """Machines of a network: namespaces, each with its own address. Where none can be made they are this machine, on loopback."""

    def __init__(self) -> None:
        self._name, self._net = f"pd{os.getpid()}", f"198.18.{os.getpid() % 256}"  # a net that is set aside for trials
        self._count = 1
        bridge = ["ip", "link", "add", self._name, "type", "bridge"]
        rooted = os.geteuid() == 0 and None not in map(shutil.which, ("ip", "tc"))
        self.apart = rooted and subprocess.run(bridge, check=False, capture_output=True).returncode == 0
        if self.apart:
            self._ip(f"addr add {self._net}.1/24 dev {self._name}")
            self._ip(f"link set {self._name} up")

    def add(self) -> tuple[str, list[str]]:
        """Its address, and what goes before a command that is to run on it."""
        if not self.apart:
            return "127.0.0.1", []
        self._count += 1
        name, link, address = f"{self._name}-{self._count}", f"{self._name}v{self._count}", f"{self._net}.{self._count}"
        self._ip(f"netns add {name}")
        self._ip(f"link add {link} type veth peer name eth0 netns {name}")
        self._ip(f"link set {link} master {self._name} up")
        for part in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self._ip(f"-n {name} {part}")
        return address, ["ip", "netns", "exec", name]

    def slow_down(self) -> None:
        """The newest gets a slow line."""
        if self.apart:
            link = f"{self._name}v{self._count}"
            subprocess.run(["tc", *f"qdisc add dev {link} root tbf rate 1mbit burst 16kb latency 2s".split()], check=True)

    def close(self) -> None:
        if self.apart:
            for number in range(2, self._count + 1):
                self._ip(f"netns delete {self._name}-{number}")
            self._ip(f"link delete {self._name}")

    @staticmethod
    def _ip(arguments: str) -> None:
        subprocess.run(["ip", *arguments.split()], check=True)


@pytest.fixture
def machines() -> Iterator[Machines]:
    made = Machines()
    yield made
    made.close()


@pytest.fixture
def scheduler(machines: Machines) -> Iterator[str]:
    """Its address."""
    host, there = machines.add()
    options = ["--host", host, "--port", "0", "--no-dashboard"]
    with Program(*there, sys.executable, "-m", "distributed.cli.dask_scheduler", *options) as started:
        yield started.says(r"Scheduler at:\s+(tcp://\S+)")


def prepared(store: Store, folder: Path, count: int) -> None:
    for number in range(count):
        save(folder / f"{number:03}.jpg", number, (96, 72), age=3600 + number)
    (folder / "broken.jpg").write_bytes(b"no picture")
    settle(folder / "broken.jpg")
    root = add_root(store, str(folder), time.time())
    scan(store, root, WatchSettings(), time.time)


def embedded(store: Store, here: Places, name: str, **more: str) -> tuple[dict[bytes, bytes], dict[str, Any]]:
    """Features by content, and what else the embed task tells."""
    folder = here.jobs / name
    folder.mkdir(parents=True)
    store.read(handover.write_wanted, networks.BUILT_IN, folder)
    assert embed(folder, {"cache_db": str(here.cache_db), "backbone": networks.BUILT_IN} | more, Deadline(None, 0))
    meta = jobfolder.read_json(folder, "meta.json")
    return dict(jobfolder.read_embeddings(folder, meta["dimension"])), meta


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


async def test_what_workers_elsewhere_do_is_to_the_byte_what_is_done_here(
    store: Store, machines: Machines, scheduler: str, tmp_path: Path, here: Places
) -> None:
    """Three workers, each a machine of its own: one dies under way, one has a slow line. A fourth is of another version."""
    prepared(store, tmp_path / "pictures", 40)
    settings = IngestSettings(executor="dask", scheduler=scheduler)
    with ExitStack() as stack:

        def start(*command: str) -> Program:
            return stack.enter_context(
                Program(*machines.add()[1], sys.executable, *command, "worker", "--threads", "1", scheduler)
            )

        other = start("-c", OTHER_VERSION)
        workers = [start("-m", "precious_daemon") for _ in range(3)]
        machines.slow_down()
        other.says("(reading) for")
        for worker in workers:
            worker.says("(reading) for")

        dead: list[Program] = []

        def say(what: str, done: int, total: int) -> None:
            number = ["reading photos", "looking at photos"].index(what) if done >= 4 else None
            if number == len(dead):
                dead.append(workers[number])
                workers[number].kill()

        ingest = await read(store, settings, say)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jobfolder, "say", say)
            far, told = embedded(store, here, "far", scheduler=scheduler)
    assert len(dead) == 2, "a worker was to die at each"
    refused = re.compile(r"The worker tcp:\S+ is not used: it has precious-daemon 0\.0\.1, .* Install that there\.")
    assert [bool(refused.fullmatch(note)) for note in (*ingest.readers.notes, *told["notes"])] == [True, True]
    assert told["workers"] == 2
    assert store.read(photos.counts)[PhotoState.PRESENT] == len(far) == 40
    again = Places(here.config_file, tmp_path / "data", tmp_path / "cache", tmp_path / "run")
    again.make()
    with Store(again) as one:
        root = add_root(one, str(tmp_path / "pictures"), time.time())
        scan(one, root, WatchSettings(), time.time)
        await read(one, IngestSettings(workers=1))
        assert everything(one) == everything(store)
    assert embedded(store, here, "near")[0] == far


async def test_a_worker_that_does_not_see_the_folder_makes_no_photo_missing(store: Store, scheduler: str, tmp_path: Path) -> None:
    prepared(store, tmp_path / "pictures", 2)
    blind = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{tmp_path}/pictures" && exec "$@"', "sh"]
    with Program(*blind, *WORKER, scheduler) as worker:
        worker.says("(reading) for")
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
    code = (
        "import sys, precious_daemon.running.daemon, precious_daemon.folders.readers\n"
        "assert not {'distributed', 'dask'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
