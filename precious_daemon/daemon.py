"""The life of the service: start, be ready, run the schedule, stop within ten seconds."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from precious_daemon import children, lean, ledger, scan, telling, web
from precious_daemon.config import Places, Settings, night_time
from precious_daemon.service import OWNER, Service, open_service
from precious_daemon.store import job_runs, plugin_calls, roots
from precious_daemon.watch import Watcher
from precious_daemon.web.app import Site

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers."""

    service: Service
    site: Site

    @property
    def login_link(self) -> str:
        return self.site.login_link()


@asynccontextmanager
async def running(
    places: Places, settings: Settings, folders: Sequence[str] = (), *, port: int | None = None, watching: bool = True
) -> AsyncIterator[Running]:
    """Open the library and serve its page; with `watching`, also watch the folders and run the schedule.

    Raises what keeps it from starting; nothing was changed then.
    """
    service = open_service(places, settings)
    try:
        await _tidy(service)
        await service.jobs.recall_pause()
        for folder in folders:
            await asyncio.to_thread(scan.add_root, service.store, folder, service.clock())
        key = secrets.token_urlsafe(32)
        site = await web.serve(service, port=settings.web.port if port is None else port, token=key)
        try:
            _publish(places, site, key)
            if watching:
                async with _watching(service):
                    yield Running(service, site)
            else:
                yield Running(service, site)
        finally:
            places.service_file.unlink(missing_ok=True)
            service.plugins.stop()
            await service.jobs.stop()
            await site.close()
            await telling.finish(service)
    finally:
        service.store.close()


async def serve(
    places: Places, settings: Settings, folders: Sequence[str], port: int | None, ready: Callable[[Running], None]
) -> None:
    """Run until SIGTERM or SIGINT. `ready` is called once, when the page answers."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(places, settings, folders, port=port) as started:
        notify("READY=1")
        ready(started)
        lean.give_back()
        await stop.wait()
        notify("STOPPING=1")
        log.info("stopping")


async def _tidy(service: Service) -> None:
    """After a start: put right what a kill or a crash left."""
    children.clear_leftovers(service.places)
    await service.store.awrite(job_runs.close_interrupted, service.clock())
    if await service.store.awrite(ledger.catch_up, OWNER):
        log.info("ratings were made anew from the answers")
    for sentence in await service.trash.recover():
        log.warning(sentence)
    await service.trash.note_day()
    await asyncio.to_thread(service.plugins.call, "startup")
    await service.store.awrite(plugin_calls.free, service.clock())


def _publish(places: Places, site: Site, key: str) -> None:
    """Say where the service is and how its owner's commands may speak to it, to its owner alone."""
    part = places.service_file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"pid": os.getpid(), "host": site.address.host, "port": site.address.port, "key": key}, file)
    os.replace(part, places.service_file)


def notify(state: str) -> None:
    """Tell systemd, where it is what started the service (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


# --- the schedule ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _watching(service: Service) -> AsyncIterator[None]:
    watcher = Watcher(service.store, service.jobs, service.settings.watch)
    service.jobs.watcher_warnings = watcher.warnings
    service.jobs.pause_ends = partial(_catch_up, service)
    scheduler = _schedule(service)
    await watcher.start()
    await _catch_up(service)
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        await watcher.stop()


def _schedule(service: Service) -> AsyncIOScheduler:
    """One scan every few hours, one night a day. A run that comes late is still run, and only once."""
    scheduler = AsyncIOScheduler()
    hour, minute = night_time(service.settings.schedule.night)
    hours = service.settings.watch.rescan_hours
    options = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}

    async def start(name: str) -> None:
        await service.trash.note_day()
        service.jobs.start(name, "schedule")

    scheduler.add_job(start, CronTrigger(hour=hour, minute=minute), args=["night"], id="night", **options)
    scheduler.add_job(start, IntervalTrigger(seconds=int(hours * 3600)), args=["scan"], id="scan", **options)
    scheduler.add_job(telling.again, IntervalTrigger(minutes=1), args=[service], id="plugins", **options)
    scheduler.start()

    def next_run(name: str) -> float | None:
        job = scheduler.get_job(name)
        return job.next_run_time.timestamp() if job and job.next_run_time else None

    service.jobs.next_run = next_run
    return scheduler


async def _catch_up(service: Service) -> None:
    """A night that was missed, because the machine was off, is made up for now."""
    due = last_night(service.settings.schedule.night, datetime.fromtimestamp(service.clock()).astimezone()).timestamp()
    watched = await service.store.aread(roots.all_roots)
    last = await service.store.aread(job_runs.last, "night")
    missed = any(root.added_at < due for root in watched) and (last is None or last.started_at < due)
    if missed and service.jobs.start("night", "catch-up"):
        log.info("the night's work was missed, and is done now")


def last_night(night: str, now: datetime) -> datetime:
    """When the night's work was last due."""
    hour, minute = night_time(night)
    due = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return due if due <= now else due - timedelta(days=1)
