"""The life of the service: start, be ready, run the schedule, stop within ten seconds."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from precious_daemon import web
from precious_daemon.asking import ledger
from precious_daemon.config import Places, Settings
from precious_daemon.errors import PreciousError
from precious_daemon.folders import watched
from precious_daemon.jobs import open_service
from precious_daemon.machine import lean, lifeline, whole
from precious_daemon.reload import reload
from precious_daemon.running.schedule import Schedule
from precious_daemon.running.watch import Watcher
from precious_daemon.service import Service
from precious_daemon.store import clusters, job_runs, plugin_calls, voters
from precious_daemon.suggesting import telling
from precious_daemon.web.app import Site
from precious_daemon.work import children

log = logging.getLogger(__name__)

TELL_AGAIN = 60.0  # seconds
THREADS = 16  # at most, for what waits: for disks, for plugins
SWITCH = 0.001  # seconds that a thread may compute while another waits for its turn, such as the one that answers for a page


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
    places: Places,
    settings: Settings,
    folders: Sequence[str] = (),
    *,
    port: int | None = None,
    watching: bool = True,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Running]:
    """Open the library and serve its page; with `watching`, also where web.listen says, watch the folders and run the schedule.

    Raises what keeps it from starting; nothing was changed then.
    """
    service = open_service(places, settings, clock)
    try:
        await _tidy(service)
        await service.jobs.recall_pause()
        for folder in folders:
            await asyncio.to_thread(watched.add_root, service.store, os.path.abspath(os.path.expanduser(folder)), service.clock())
        key = secrets.token_urlsafe(32)
        own = settings.web.port if port is None else port
        site = await web.serve(service, port=own, token=key, everywhere=watching)
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
    sys.setswitchinterval(SWITCH)
    # one more thread only when all others wait, such as for disks that do not answer: the page is not to wait with them
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="service"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # one that comes too early asks for what is being done anyway
    async with running(places, settings, folders, port=port) as started:
        service = started.service
        tasks = {asyncio.create_task(lifeline.keep_telling(lambda: _doing(service)), name="signs of life")}
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.add(asyncio.create_task(_reload(service), name="new settings")))
        lifeline.notify("READY=1")
        ready(started)
        lean.give_back()
        await stop.wait()
        lifeline.notify("STOPPING=1")
        log.info("stopping")
        for task in tasks:
            task.cancel()


async def _tidy(service: Service) -> None:
    """After a start: put right what a kill or a crash left."""
    children.clear_leftovers(service.places)
    await service.store.awrite(job_runs.close_interrupted, service.clock())
    await service.store.awrite(clusters.place_names)
    for voter in await service.store.aread(voters.active):
        if await service.store.awrite(ledger.catch_up, voter.id):
            log.info("%s: ratings were made anew from the answers", voter.name)
    for sentence in await service.trash.recover():
        log.warning(sentence)
    await service.trash.note_day()
    await asyncio.to_thread(service.plugins.call, "startup")
    await service.store.awrite(plugin_calls.free, service.clock())


def _publish(places: Places, site: Site, key: str) -> None:
    """Say where the service is and how its owner's commands may speak to it, to its owner alone."""
    said = {"pid": os.getpid(), "host": site.address.host, "port": site.address.port, "key": key}
    whole.write(places.service_file, json.dumps(said))


# --- while it runs -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _watching(service: Service) -> AsyncIterator[None]:
    """The schedule and the watcher. The page answers before the folders are looked at: that may take minutes."""
    watcher = Watcher(service.store, service.jobs, service.settings.watch)
    service.jobs.arrivals.watcher_warnings = watcher.warnings
    service.followers.append(lambda settings: watcher.use(settings.watch))
    schedule = Schedule(service)
    await schedule.start()
    tasks = [
        asyncio.create_task(_start(watcher), name="start of the watcher"),
        asyncio.create_task(_tell(service), name="calls of plugins that wait"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await schedule.stop()
        await watcher.stop()


async def _start(watcher: Watcher) -> None:
    try:
        await watcher.start()
    except Exception:  # the edge: the page still answers, and says so
        log.exception("the folders cannot be watched")
        watcher.warnings[0] = "The folders cannot be watched, the log says why. Mend that, and start the service again."


async def _tell(service: Service) -> None:
    """What a plugin could not be told yet is tried again."""
    while True:
        await asyncio.sleep(TELL_AGAIN)
        try:
            await telling.again(service)
        except Exception:  # the edge: tried again in a minute
            log.exception("plugins could not be told")


async def _reload(service: Service) -> None:
    """SIGHUP: the settings anew, or the old ones and a line that says why."""
    lifeline.reloading()
    try:
        said = await reload(service)
        log.warning("the settings were read anew: %s", " ".join(said) or "nothing has changed.")
    except PreciousError as exc:
        log.error("the settings stay as they were: %s", exc)
    finally:
        lifeline.notify("READY=1")


def _doing(service: Service) -> str:
    """In one line, for `systemctl status`."""
    for p in service.jobs.progress():
        return f"{p.what}, {p.done:,} of {p.total:,}" if p.total else p.what
    if service.jobs.paused:
        return "Paused"
    return "; ".join(f"{name} waits: {why}" for name, why in service.jobs.waiting.items()) or "Watching"
