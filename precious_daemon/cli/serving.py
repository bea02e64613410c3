"""Commands around the running service: start it, look at it, sign in."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from precious_daemon.cli import logs
from precious_daemon.cli.talk import (
    duration,
    folded,
    for_scripts,
    job_text,
    offline,
    opened,
    reached,
    root_text,
    size,
    when,
)
from precious_daemon.errors import LibraryLocked, PreciousError, ServiceError
from precious_daemon.machine.lean import CPP, OPENSSL, UNUSED, hollow, one_heap, without

if TYPE_CHECKING:
    from precious_daemon.config import Settings
    from precious_daemon.running.daemon import Running


@click.command()
@click.argument("folders", nargs=-1, type=click.Path())
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page; 0 takes any free one.  [web.port]")
@click.option("--demo", is_flag=True, help="Make a small library of example pictures under ./demo, and start on it.")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what happens.")
def run(folders: tuple[str, ...], port: int | None, demo: bool, verbose: bool) -> None:
    """Watch FOLDERS and serve the page, until Ctrl-C.

    Folders given once are remembered: later `precious-daemon run` is enough. Prints a link that signs your browser in; it
    works once, `precious-daemon login` prints another.

    \b
    precious-daemon run ~/Pictures
    precious-daemon run ~/Pictures /mnt/camera --port 9000
    """
    one_heap()
    if demo:
        folders = (*folders, str(_demo()))
    places, settings = opened()
    with without(*(() if settings.web.tls else OPENSSL), *CPP), hollow(*UNUSED):
        import asyncio

        from precious_daemon.running import daemon

    import faulthandler

    faulthandler.enable()  # a watchdog ends a process that is stuck with SIGABRT: the log then says where it was
    _log(settings, verbose)

    async def work() -> None:
        shown: list[asyncio.Task[None]] = []

        def ready(started: Running) -> None:
            started.service.followers.append(lambda settings: _log(settings, verbose))
            click.echo(f"Open this link to sign in:  {started.login_link}")
            for served in started.service.served[1:]:
                click.echo(_served_text(served.url, served.fingerprint))
            shown.append(asyncio.create_task(_show_reading(started)))

        await daemon.serve(places, settings, folders, port, ready)
        for task in shown:
            task.cancel()

    try:
        asyncio.run(work())
    except LibraryLocked as exc:
        from precious_daemon.running import remote

        if remote.find(places) is None:
            raise
        more = ", `precious-daemon roots add FOLDER` watches one more folder" if folders else ""
        raise LibraryLocked(f"{exc} It serves the page already: `precious-daemon login` prints a link to it{more}.") from None
    finally:
        logging.shutdown()
    click.echo("Stopped. Nothing is lost; `precious-daemon run` goes on from here.")


def _served_text(url: str, fingerprint: str | None) -> str:
    """Where else the page is, and by what its certificate is known."""
    return f"The page is also at:  {url}" + (f"\n  SHA-256 of its certificate: {fingerprint}" if fingerprint else "")


def _demo() -> Path:
    """Build the demo library in a child, which may import what the service must not."""
    import subprocess

    home = Path("demo").absolute()
    folder = home / "Pictures"
    os.environ.setdefault("PRECIOUS_HOME", str(home / "home"))  # an example does not belong among the owner's own photos
    if not folder.exists():
        click.echo(f"Making a demo library of example pictures in {folder}")
        done = subprocess.run([sys.executable, "-m", "precious_daemon.demo", str(folder)], stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise PreciousError(f"The demo library could not be made in {folder}. Give a folder of your own instead.")
    else:
        click.echo(f"Using the demo library in {folder}")
    return folder


async def _show_reading(started: Running) -> None:
    """Say how the reading of new photos goes: one line that changes on a terminal, a line now and then elsewhere."""
    import asyncio

    live, said = sys.stdout.isatty(), 0.0
    busy = False
    while True:
        await asyncio.sleep(0.2 if busy and live else 2.0)  # a service at rest lets the processor rest
        now = next((p for p in started.service.jobs.progress() if p.job == "ingest"), None)
        if now and now.total and (live or time.monotonic() - said > 5):
            said, busy = time.monotonic(), True
            rate = now.done / max(time.time() - now.started_at, 0.1)
            left = f", {duration((now.total - now.done) / rate)} left" if rate and now.done else ""
            click.echo(f"\rReading photos: {now.done:,} of {now.total:,} ({rate:,.0f} a second{left})   ", nl=not live)
        elif busy and not now:
            busy = False
            done = "Paused; the rest is read later." if started.service.jobs.paused else "All photos are read."
            click.echo(("\n" if live else "") + done)


@click.command()
@click.argument("address")
@click.option("--threads", type=click.IntRange(1), help="Photos read at a time; one for each core unless given.")
def worker(address: str, threads: int | None) -> None:
    """Read and look at photos for a service elsewhere, by way of the dask scheduler at ADDRESS, until Ctrl-C.

    This machine has to see the watched folders under the same paths, and to have the same versions installed; a worker with
    others gets nothing to do. What goes over the network is neither encrypted nor asked for a password unless dask is told to:
    use it on a network of your own.

    \b
    dask scheduler                                   # on one machine
    precious-daemon worker tcp://192.168.1.2:8786    # on each that reads
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from precious_daemon.folders import elsewhere

    elsewhere.work_for(address, threads or os.cpu_count() or 1)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, for scripts.")
@click.option("--watch", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
def status(as_json: bool, watch: bool) -> None:
    """How the library and the service are.

    Exit code: 0 all is well, 1 something wants attention (a warning is shown), 2 the service does not run.
    """
    places, settings = opened()
    from precious_daemon.running import remote

    while True:
        service = remote.find(places)
        found = service.get("/api/status") if service else offline(places, settings)
        found["service"] = "running" if service else "stopped"
        if watch and sys.stdout.isatty():
            click.clear()
        click.echo(json.dumps(found, indent=2) if as_json else folded(_status_text(found), 13))
        if not watch:
            break
        time.sleep(2)
    click.get_current_context().exit(2 if not service else 1 if found["warnings"] else 0)


def _status_text(s: dict[str, Any]) -> str:
    photos, said, trash, disk = s["photos"], s["answers"], s["trash"], s["disk"]
    others = [f"{number:,} {suffix}" for suffix, number in list(s["unsupported"].items())[:8]]
    away = [f"{photos[name]:,} {word}" for name, word in _AWAY.items() if photos[name]]
    lines = [
        f"precious-daemon {s['version']}, {s['service']}",
        *(f"  {root['path']}: {root_text(root)}" for root in s["roots"]),
        f"Photos       {photos['present']:,}" + (f" ({', '.join(away)})" if away else ""),
        *([f"Apart        {s['apart']:,} photos with files that could be another's; they are not moved"] if s["apart"] else []),
        *([f"No photos    {', '.join(others)}"] if others else []),
        f"Answers      {said['votes']:,} comparisons; keep or delete: {_of(said['train'], said['train_goal'])} to learn from, "
        f"{_of(said['test'], said['test_goal'])} to test with, {said['audit']:,} blind",
        f"Model        {_model_text(s['model'])}",
        f"Certificate  {s['certificate']['sentence']}",
        *(f"             {one['sentence']}" for one in s["group_certificates"]),
        f"Suggestions  {s['suggestions']['open']:,} open, {size(s['suggestions']['bytes'])}",
        f"Trash        {trash['units']:,} photo{'' if trash['units'] == 1 else 's'}, {size(trash['bytes'])}",
        f"Disk         {size(disk['library_db'])} library, {size(disk['cache_db'])} cache, {size(disk['free'])} free",
    ]
    if s["paused"]:
        until = s["paused"]["until"]
        lines.append(f"Paused       {f'until {when(until)}' if until else 'until `precious-daemon resume`'}")
    for served in s["served"][1:]:
        lines.append(f"Served       {served['url']}" + (f" SHA-256 {served['fingerprint']}" if served["fingerprint"] else ""))
    for job in s["running"]:
        of = f" {job['done']:,} of {job['total']:,}" if job["total"] else ""
        lines.append(f"Now          {job['what']}{of}")
    for job in s["jobs"]:
        if job["last"] or job["next_at"]:
            lines.append(f"Job          {job_text(job, brief=True)}")
    lines += [f"Plugin       {name}: {line}" for name, line in s.get("plugins", {}).items()]
    lines += [f"Attention    {sentence}" for sentence in s["warnings"]]
    return "\n".join(lines)


_AWAY = {
    "new": "not yet read",
    "broken": "unreadable",
    "missing": "missing",
    "trashed": "in the trash",
    "purged": "removed for good",
}


def _of(count: int, goal: int) -> str:
    """How far it is; the goal is no news once it is reached."""
    return f"{count:,} of {goal:,}" if count < goal else f"{count:,}"


def _model_text(model: dict[str, Any] | None) -> str:
    if model is None:
        return "none yet"
    test = model["metrics"]
    figures = f"; on held-out answers precision {test['precision']:.2f}, recall {test['recall']:.2f}" if test else ""
    return f"{model['champion']}, {when(model['at'])}{figures}"


@click.command()
@click.option("--for", "span", default="", metavar="TIME", help="How long: 30m, 1h, 2d.")
@click.option("--until", default="", metavar="MOMENT", help='Until when: tomorrow, 18:30, 2026-05-01, "2026-05-01 18:30".')
def pause(span: str, until: str) -> None:
    """Read no new photos and start no scheduled job for a while, or until `resume`.

    What is being read or done is brought to a safe end; jobs that you start yourself still run. A restart changes nothing.
    """
    with reached() as service:
        click.echo(service.post("/api/pause", {"for": span, "until": until})["sentence"])


@click.command()
def resume() -> None:
    """End the pause: read what waits, and make up for a night that was missed."""
    with reached() as service:
        click.echo(service.post("/api/resume")["sentence"])


@click.command()
def reload() -> None:
    """Take over the settings file while the service runs. A file with a mistake in it is refused, and changes nothing."""
    places, _ = opened()
    from precious_daemon.running import remote

    service = remote.find(places)
    if service is None:
        raise ServiceError("The service does not run. It reads the settings when it starts.")
    click.echo("\n".join(service.post("/api/reload")["changes"]) or "Nothing has changed.")


@click.command()
@for_scripts
def login(as_json: bool) -> None:
    """Print a new link that signs a browser in. It works once."""
    places, _ = opened()
    from precious_daemon.running import remote

    service = remote.find(places)
    if service is None:
        raise ServiceError("The service does not run. Start it with: precious-daemon run")
    link = service.post("/api/login-link")
    if as_json:
        click.echo(json.dumps(link, indent=2))
        return
    click.echo(link["url"])
    click.echo(f"If your browser does not find that name: {link['local']}", err=True)


def _log(settings: Settings, verbose: bool) -> None:
    logs.configure(settings.service.log, "info" if verbose else settings.service.log_level)


COMMANDS = (run, status, pause, resume, reload, login, worker)
