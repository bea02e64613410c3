"""The life of the service: readiness, the schedule, nights that were missed, children that are stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from precious_daemon.config import Places, Settings
from precious_daemon.errors import ChildFailed, NotFound
from precious_daemon.jobs import nightwork
from precious_daemon.machine.progress import Say
from precious_daemon.models import JobRun
from precious_daemon.running.daemon import running
from precious_daemon.running.remote import find
from precious_daemon.store import Store, job_runs, roots
from precious_daemon.work import children, jobfolder
from tests.conftest import until
from tests.e2e.process import ServiceProcess, command
from tests.pictures import save


async def ran(here: Places, name: str) -> JobRun | None:
    """The newest run of a job, once the service has been up for a moment."""
    async with running(here, Settings(), port=0) as started:
        await asyncio.sleep(0.2)
        await started.service.jobs.stop()
        return started.service.store.read(job_runs.last, name)


async def test_missed_night_is_made_up_for_once(here: Places, tmp_path: Path) -> None:
    with Store(here) as store:
        store.write(roots.add, str(tmp_path), None, tmp_path.stat().st_dev, time.time() - 3 * 86400)
    first = await ran(here, "night")
    assert first is not None
    assert first.trigger == "catch-up"
    again = await ran(here, "night")
    assert again is not None
    assert again.id == first.id


async def test_library_of_today_has_missed_no_night(here: Places, tmp_path: Path) -> None:
    with Store(here) as store:
        store.write(roots.add, str(tmp_path), None, tmp_path.stat().st_dev, time.time())
    assert await ran(here, "night") is None


async def test_next_runs_are_known(here: Places) -> None:
    async with running(here, Settings(), port=0) as started:
        assert (started.service.jobs.next_run("night") or 0) > time.time()
        assert (started.service.jobs.next_run("scan") or 0) > time.time()
        with pytest.raises(NotFound):
            started.service.jobs.start("dance")


async def test_service_file_is_private_and_gone_afterwards(here: Places) -> None:
    async with running(here, Settings(), port=0):
        assert here.service_file.stat().st_mode & 0o077 == 0
        assert await asyncio.to_thread(find, here)
    assert not here.service_file.exists()
    assert find(here) is None


def test_file_of_a_killed_service_is_no_service(here: Places) -> None:
    here.make()
    here.service_file.write_text(json.dumps({"pid": 1, "host": "127.0.0.1", "port": 9, "key": "x"}))
    assert find(here) is None


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_service_stops_cleanly_in_the_middle_of_reading(tmp_path: Path, how: signal.Signals) -> None:
    for number in range(30):
        save(tmp_path / "pictures" / f"{number}.jpg", number, (800, 600))
    service = ServiceProcess(str(tmp_path / "pictures"))
    try:
        service.start()
        assert service.stop(how) < 10
        assert service.process.returncode == 0
    finally:
        service.close()


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is read from /proc")
def test_service_loads_neither_openssl_nor_arrays_and_stays_small(tmp_path: Path) -> None:
    service = ServiceProcess(str(tmp_path))
    owner = service.start()
    for page in ("/", "/compare", "/photos", "/suggestions"):
        owner.get(page)
    loaded = Path(f"/proc/{service.process.pid}/maps").read_text()
    rss = int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    service.stop()
    assert "sqlite" in loaded
    for library in ("libcrypto", "libssl", "numpy", "PIL", "torch"):
        assert library not in loaded
    assert rss < 60e6  # bench.loop has the figure itself; this is what a package too many would break


def test_openssl_is_hidden_only_while_the_service_is_loaded() -> None:
    code = """
import sys
from precious_daemon.machine.lean import OPENSSL, without
with without(*OPENSSL):
    import hashlib, http.client
assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442") and not hasattr(http.client, "HTTPSConnection")
import http.client, urllib.request
assert http.client.HTTPSConnection and urllib.request.HTTPSHandler and sys.modules["ssl"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_whatever_the_service_writes_is_its_owners_alone(here: Places, tmp_path: Path) -> None:
    save(tmp_path / "pictures" / "a.jpg", 1)
    service = ServiceProcess(str(tmp_path / "pictures"))
    before = os.umask(0o022)
    try:
        service.start()
        until(lambda: find(here) is not None and find(here).get("/api/status")["photos"]["present"] == 1, 60)  # type: ignore[union-attr]
    finally:
        os.umask(before)
        service.close()
    written = [path for path in here.data.parent.rglob("*") if not path.is_symlink()]
    assert len(written) > 5
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_second_service_on_one_library_is_refused(tmp_path: Path) -> None:
    service = ServiceProcess(str(tmp_path))
    try:
        service.start()
        assert "already open" in command("run", "--port", "0", status=4)
        assert "running" in command("status")
        assert "/login?token=" in command("login")
    finally:
        service.close()


# --- children ----------------------------------------------------------------------------------------------------------


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> str:
    """A module for a child to be, importable there."""
    (folder / "childish.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
    return "childish"


async def test_child_reports_progress_and_ends(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here.make()
    name = module(
        tmp_path, monkeypatch, "from precious_daemon.work import jobfolder; jobfolder.say('counting', 1, 2); print('hello')"
    )
    heard = []
    with children.job_folder(here, "test") as folder:
        assert await children.run_child(name, folder, lambda *said: heard.append(said))
    assert heard == [("counting", 1, 2)]
    assert not folder.exists()


async def test_what_a_plugin_prints_in_a_child_does_no_harm(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.make()
    odd = "import os; os.write(1, b'\\xff\\n' + b'.' * 300000 + b'\\n7\\n\\n')"
    name = module(tmp_path, monkeypatch, f"{odd}; from precious_daemon.work import jobfolder; jobfolder.say('counting', 1, 2)")
    heard = []
    with children.job_folder(here, "test") as folder:
        assert await children.run_child(name, folder, lambda *said: heard.append(said))
    assert heard == [("counting", 1, 2)]


async def test_child_that_stopped_early_is_told_from_one_that_finished(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.make()
    name = module(tmp_path, monkeypatch, "import sys; from precious_daemon.work import jobfolder; sys.exit(jobfolder.STOPPED)")
    with children.job_folder(here, "test") as folder:
        assert not await children.run_child(name, folder, lambda *_: None)


async def test_child_that_fails_says_why(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here.make()
    name = module(tmp_path, monkeypatch, "raise ValueError('no such cluster')")
    with children.job_folder(here, "test") as folder, pytest.raises(ChildFailed, match="no such cluster"):
        await children.run_child(name, folder, lambda *_: None)


async def test_cancelled_child_is_gone(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here.make()
    code = "import os, sys, time; open(os.path.join(sys.argv[1], 'pid'), 'w').write(str(os.getpid())); time.sleep(600)"
    name = module(tmp_path, monkeypatch, code)
    with children.job_folder(here, "test") as folder:
        task = asyncio.create_task(children.run_child(name, folder, lambda *_: None))
        await asyncio.to_thread(until, lambda: (folder / "pid").exists() and (folder / "pid").read_text() != "")
        pid = int((folder / "pid").read_text())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_job_stopped_by_its_owner_is_recorded_as_stopped(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(self: nightwork.Nightwork, say: Say) -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(nightwork.Nightwork, "group", forever)
    async with running(here, Settings(), port=0, watching=False) as started:
        assert started.service.jobs.start("group")
        assert not started.service.jobs.start("group"), "it runs already"
        await asyncio.sleep(0.1)
        await started.service.jobs.stop_job("group")
        last = started.service.store.read(job_runs.last, "group")
        assert last is not None
        assert last.outcome == "stopped"


async def test_many_photos_that_come_while_others_are_grouped_are_grouped_right_after(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, more, go_on = [], asyncio.Event(), asyncio.Event()

    async def group(self: nightwork.Nightwork, say: Say) -> str:
        runs.append(len(runs))
        more.set()
        await go_on.wait()
        return ""

    monkeypatch.setattr(nightwork.Nightwork, "group", group)
    for number in range(4):
        save(tmp_path / "pictures" / f"{number}.jpg", number, (80, 60))
    async with running(here, Settings(), [str(tmp_path / "pictures")], port=0, watching=False) as started:
        jobs = started.service.jobs
        await jobs.run("scan")
        await more.wait()
        for number in range(4, 8):
            save(tmp_path / "pictures" / f"{number}.jpg", number, (80, 60))
        await jobs.run("scan")
        await jobs.arrivals.reading_done()
        go_on.set()
        await jobs.run("group")
        assert jobs.is_running("group")
        await jobs.run("group")
        assert not jobs.is_running("group")
        assert len(runs) == 2


async def test_what_grouping_compared_before_it_was_stopped_is_kept(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(module: str, folder: Path, *_: object) -> bool:
        if module == "precious_daemon.learn":
            raise ChildFailed("there is no network here")
        jobfolder.write_twins(folder, [])
        jobfolder.write_records(folder, "compared.bin", [bytes(32)])
        return False

    monkeypatch.setattr(children, "run_child", stopped)
    for number in range(2):
        save(tmp_path / "pictures" / f"{number}.jpg", number, (80, 60))
    async with running(here, Settings(), [str(tmp_path / "pictures")], port=0, watching=False) as started:
        await started.service.jobs.run("scan")
        await started.service.jobs.arrivals.reading_done()
        run = await started.service.jobs.run("group")
        assert run.detail == "stopped before the end; the groups are as they were, and what was compared is kept"
        kept = await started.service.store.aread(lambda db: db.execute("SELECT count(*) FROM cache.compared").fetchone()[0])
        assert kept == 1


async def test_child_that_has_used_up_the_night_is_stopped_and_one_that_takes_too_much_fails(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.make()
    code = """
import signal, sys
from precious_daemon.work import jobfolder
signal.signal(signal.SIGTERM, lambda *_: sys.exit(jobfolder.STOPPED))
room = bytearray(80_000_000)
while True: pass
"""
    name = module(tmp_path, monkeypatch, code)
    monkeypatch.setattr(children, "LOOK", 0.05)
    with children.job_folder(here, "test") as folder:
        night = children.Allowance(cpu_seconds=0.4)
        assert not await children.run_child(name, folder, lambda *_: None, night)
        assert night.spent
        with pytest.raises(ChildFailed, match=r"may take 50.*schedule\.memory_megabytes"):
            await children.run_child(name, folder, lambda *_: None, children.Allowance(memory=50e6))
