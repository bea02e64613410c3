"""The owner wants the machine for something else: what rests, what does not, and until when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from precious_daemon.config import IngestSettings, Places, Settings
from precious_daemon.errors import PreciousError
from precious_daemon.folders.watched import add_root
from precious_daemon.jobs import nightwork, open_service
from precious_daemon.machine.progress import Say
from precious_daemon.models import PhotoState
from precious_daemon.pure import pauses
from precious_daemon.running.daemon import running
from precious_daemon.service import Service
from precious_daemon.store import job_runs, photos
from tests.e2e.process import command
from tests.pictures import save

QUICK = Settings(ingest=IngestSettings(workers=1))
ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 28, 12, 0, tzinfo=ZONE).timestamp()  # the clock is put forward in the night after


@pytest.mark.parametrize(
    ("span", "until", "end"),
    [
        ("30m", "", "2026-03-28 12:30"),
        ("1h", "", "2026-03-28 13:00"),
        ("90 min", "", "2026-03-28 13:30"),
        ("1.5 hours", "", "2026-03-28 13:30"),
        ("", "tomorrow", "2026-03-29 00:00"),
        ("", "18:30", "2026-03-28 18:30"),
        ("", "6:15", "2026-03-29 06:15"),
        ("", "2026-04-01", "2026-04-01 00:00"),
        ("", "2026-04-01 18:30", "2026-04-01 18:30"),
    ],
)
def test_length_and_end_are_understood(span: str, until: str, end: str) -> None:
    assert pauses.end(NOON, span, until, ZONE) == datetime.fromisoformat(end).replace(tzinfo=ZONE).timestamp()


def test_pause_without_an_end_has_none() -> None:
    assert pauses.end(NOON) is None


@pytest.mark.parametrize(
    ("span", "until", "why"),
    [
        ("soon", "", "no length of time"),
        ("0h", "", "no length of time"),
        ("900d", "", "more than a year"),
        ("", "yesterday", "no time"),
        ("", "25:00", "no time"),
        ("", "2026-03-01", "over already"),
        ("1h", "tomorrow", "not both"),
    ],
)
def test_what_makes_no_sense_is_said(span: str, until: str, why: str) -> None:
    with pytest.raises(PreciousError, match=why):
        pauses.end(NOON, span, until, ZONE)


@pytest.fixture
async def service(here: Places, tmp_path: Path) -> AsyncIterator[Service]:
    opened = open_service(here, QUICK)
    for number in range(4):
        save(tmp_path / "pictures" / f"{number}.jpg", number, (64, 48))
    add_root(opened.store, str(tmp_path / "pictures"), time.time())
    yield opened
    await opened.jobs.stop()
    opened.store.close()


def counted(service: Service, state: PhotoState) -> int:
    return service.store.read(photos.counts)[state]


async def test_new_photos_are_noticed_in_a_pause_and_read_after_it(service: Service) -> None:
    await service.jobs.pause(None)
    assert (await service.jobs.run("scan")).outcome == "done", "what the owner starts runs"
    await service.jobs.arrivals.reading_done()
    assert counted(service, PhotoState.NEW) == 4
    await service.jobs.resume()
    await service.jobs.arrivals.reading_done()
    assert counted(service, PhotoState.PRESENT) == 4


async def test_pause_ends_by_itself(service: Service) -> None:
    await service.jobs.pause(time.time() + 0.3)
    await service.jobs.run("scan")
    assert counted(service, PhotoState.NEW) == 4
    while service.jobs.paused:
        await asyncio.sleep(0.05)
    await service.jobs.arrivals.reading_done()
    assert counted(service, PhotoState.PRESENT) == 4
    assert service.store.read(job_runs.paused, time.time()) is None


async def test_pausing_stops_what_started_by_itself_and_nothing_else(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(self: nightwork.Nightwork, say: Say) -> str:
        await asyncio.sleep(600)
        return "never"

    for name in ("learn", "group", "suggest"):
        monkeypatch.setattr(nightwork.Nightwork, name, forever)
    service.jobs.start("group", "schedule")
    service.jobs.start("learn", "owner")
    await asyncio.sleep(0)
    await service.jobs.pause(time.time() + 3600)
    stopped = service.store.read(job_runs.last, "group")
    assert stopped
    assert stopped.outcome == "stopped"
    left = service.store.read(job_runs.last, "learn")
    assert left
    assert left.outcome == "running"
    assert not service.jobs.start("suggest", "new photos")
    assert service.jobs.start("suggest", "owner")


async def test_pause_outlives_a_restart_and_holds_back_the_night(here: Places, tmp_path: Path) -> None:
    """Through the page's form and the command line, as an owner pauses."""
    save(tmp_path / "pictures" / "a.jpg", 1)
    async with running(here, QUICK, [str(tmp_path / "pictures")], port=0) as started:
        await asyncio.to_thread(command, "pause", "--until", "tomorrow")
        assert started.service.jobs.paused
        with pytest.raises(AssertionError, match="no length of time"):
            await asyncio.to_thread(command, "pause", "--for", "ever")
    async with running(here, QUICK, port=0) as started:
        assert started.service.jobs.paused
        assert not started.service.jobs.start("night", "schedule")
        assert "Paused       until " in await asyncio.to_thread(command, "status")
        assert "go on" in await asyncio.to_thread(command, "resume")
        assert "Paused" not in await asyncio.to_thread(command, "status")


async def test_first_look_through_the_folders_is_recorded(here: Places, tmp_path: Path) -> None:
    save(tmp_path / "pictures" / "a.jpg", 1)
    async with running(here, QUICK, [str(tmp_path / "pictures")], port=0) as started:
        while (run := started.service.store.read(job_runs.last, "scan")) is None or run.outcome == "running":
            await asyncio.sleep(0.02)
        assert (run.trigger, run.outcome, run.detail) == ("start", "done", "1 new")
