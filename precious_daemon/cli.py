"""The commands: the only room that prints, and the only one that sets the exit code."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from precious_daemon import __version__, config, errors
from precious_daemon.errors import PreciousError

if TYPE_CHECKING:
    from precious_daemon.daemon import Running
    from precious_daemon.remote import Remote
    from precious_daemon.upkeep import Verdict

INTERRUPTED = 130
BYTES = ("B", "KB", "MB", "GB", "TB")
POLL = 0.25  # seconds between looks at a job


class Ordered(click.Group):
    """Lists commands in the order of their use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Commands(Ordered):
    """Turns expected errors into one sentence and an exit code."""

    group_class = Ordered

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PreciousError as exc:
            click.echo(f"precious-daemon: {exc}", err=True)
            ctx.exit(exc.exit_code)
        except BrokenPipeError:
            sys.stderr.close()  # whoever read our output has seen enough
            ctx.exit(0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="precious-daemon")
def cli() -> None:
    """Keeps a photo library worth looking at, without ever risking a photo.

    Start with:  precious-daemon run ~/Pictures

    It watches the folder, understands new photos, and serves a page on this machine where you compare a few and say keep
    or delete. Overnight it learns what you would throw away, and suggests it with reasons. Nothing is deleted unless you
    approve it, and all of it can be undone. Nothing leaves this machine.

    PRECIOUS_HOME moves all that it keeps to one folder.
    """


def main() -> NoReturn:
    """Entry point."""
    cli(prog_name="precious-daemon")
    raise AssertionError("click exits")


# --- the service -------------------------------------------------------------------------------------------------------


@cli.command()
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
    import asyncio

    _log(verbose)
    if demo:
        folders = (*folders, str(_demo()))
    places, settings = _open()
    from precious_daemon import daemon

    async def work() -> None:
        shown: list[asyncio.Task[None]] = []

        def ready(started: Running) -> None:
            click.echo(f"Open this link to sign in:  {started.login_link}")
            shown.append(asyncio.create_task(_show_reading(started)))

        await daemon.serve(places, settings, folders, port, ready)
        for task in shown:
            task.cancel()

    try:
        asyncio.run(work())
    finally:
        logging.shutdown()
    click.echo("Stopped. Nothing is lost; `precious-daemon run` goes on from here.")


def _demo() -> Path:
    """Build the demo library in a child, which may import what the service must not."""
    import os
    import subprocess

    home = Path("demo").absolute()
    folder = home / "Pictures"
    os.environ.setdefault("PRECIOUS_HOME", str(home / "home"))  # an example does not belong among the owner's own photos
    if not folder.exists():
        click.echo(f"No folder was given: making a demo library of example pictures in {folder}")
        done = subprocess.run([sys.executable, "-m", "precious_daemon.demo", str(folder)], stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise PreciousError(f"The demo library could not be made in {folder}. Give a folder of your own instead.")
    else:
        click.echo(f"No folder was given: using the demo library in {folder}")
    return folder


async def _show_reading(started: Running) -> None:
    """Say how the reading of new photos goes: one line that changes on a terminal, a line now and then elsewhere."""
    import asyncio

    live, said, step = sys.stdout.isatty(), 0.0, 0.2
    busy = False
    while True:
        await asyncio.sleep(step)
        now = next((p for p in started.service.jobs.progress() if p.job == "ingest"), None)
        if now and now.total and (live or time.monotonic() - said > 5):
            said, busy = time.monotonic(), True
            rate = now.done / max(time.time() - now.started_at, 0.1)
            left = f", {_duration((now.total - now.done) / rate)} left" if rate and now.done else ""
            click.echo(f"\rReading photos: {now.done:,} of {now.total:,} ({rate:,.0f} a second{left})   ", nl=not live)
        elif busy and not now:
            busy = False
            click.echo(("\n" if live else "") + "All photos are read.")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, for scripts.")
@click.option("--watch", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
def status(as_json: bool, watch: bool) -> None:
    """How the library and the service are.

    Exit code: 0 all is well, 1 something wants attention (a warning is shown), 2 the service does not run.
    """
    places, settings = _open()
    from precious_daemon import remote

    while True:
        service = remote.find(places)
        found = service.get("/api/status") if service else _offline(places, settings)
        found["service"] = "running" if service else "stopped"
        if watch and sys.stdout.isatty():
            click.clear()
        click.echo(json.dumps(found, indent=2) if as_json else _status_text(found))
        if not watch:
            break
        time.sleep(2)
    click.get_current_context().exit(2 if not service else 1 if found["warnings"] else 0)


def _offline(places: config.Places, settings: config.Settings) -> dict[str, Any]:
    from precious_daemon import status as status_room
    from precious_daemon.store import Store

    with Store(places, writer=False) as store:
        return store.read(status_room.collect, places, settings)


def _status_text(s: dict[str, Any]) -> str:
    photos, said, trash, disk = s["photos"], s["answers"], s["trash"], s["disk"]
    away = [f"{photos[name]:,} {word}" for name, word in _AWAY.items() if photos[name]]
    lines = [
        f"precious-daemon {s['version']}, {s['service']}",
        *(f"  {root['path']}: {root['state']}, {root['photos']:,} photos" for root in s["roots"]),
        f"Photos       {photos['present']:,}" + (f" ({', '.join(away)})" if away else ""),
        f"Answers      {said['votes']:,} comparisons; keep or delete: {said['train']} of {said['train_goal']} to learn from, "
        f"{said['test']} of {said['test_goal']} to test with, {said['audit']} blind",
        f"Model        {_model_text(s['model'])}",
        f"Certificate  {s['certificate']['sentence']}",
        f"Suggestions  {s['suggestions']['open']:,} open, {size(s['suggestions']['bytes'])}",
        f"Trash        {trash['units']:,} photos, {size(trash['bytes'])}",
        f"Disk         {size(disk['library_db'])} library, {size(disk['cache_db'])} cache, {size(disk['free'])} free",
    ]
    for job in s["running"]:
        of = f" {job['done']:,} of {job['total']:,}" if job["total"] else ""
        lines.append(f"Now          {job['what']}{of}")
    for job in s["jobs"]:
        if job["last"] or job["next_at"]:
            lines.append(f"Job          {_job_text(job)}")
    lines += [f"Attention    {sentence}" for sentence in s["warnings"]]
    return "\n".join(lines)


_AWAY = {"new": "not yet read", "broken": "unreadable", "missing": "missing", "trashed": "in the trash"}


def _model_text(model: dict[str, Any] | None) -> str:
    if model is None:
        return "none yet"
    test = model["metrics"]
    figures = f"; on held-out answers precision {test['precision']:.2f}, recall {test['recall']:.2f}" if test else ""
    return f"{model['champion']}, {_when(model['at'])}{figures}"


def _job_text(job: dict[str, Any]) -> str:
    last = (
        f"{job['last']['outcome']} {_when(job['last']['started_at'])}: {job['last']['detail']}" if job["last"] else "not yet run"
    )
    return f"{job['name']}: {last}" + (f"; next {_when(job['next_at'])}" if job["next_at"] else "")


@cli.command()
def login() -> None:
    """Print a new link that signs a browser in. It works once."""
    places, _ = _open()
    from precious_daemon import remote
    from precious_daemon.errors import ServiceError

    service = remote.find(places)
    if service is None:
        raise ServiceError("The service does not run. Start it with: precious-daemon run")
    click.echo(service.post("/api/login-link")["url"])


# --- folders -----------------------------------------------------------------------------------------------------------


@cli.command()
def scan() -> None:
    """Look through the folders now, and read what is new."""
    with _service() as service:
        click.echo(_run_job(service, "scan"))
        _wait_for_reading(service)


@cli.group()
def roots() -> None:
    """The folders that are watched."""


@roots.command("list")
@click.option("--json", "as_json", is_flag=True)
def roots_list(as_json: bool) -> None:
    """Show them, with their state."""
    places, settings = _open()
    found = _offline(places, settings)["roots"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for root in found:
        click.echo(f"{root['id']}  {root['path']}  {root['state']}  {root['photos']:,} photos")
        if root["reason"]:
            click.echo(f"   {root['reason']}")


@roots.command("add")
@click.argument("folder", type=click.Path())
def roots_add(folder: str) -> None:
    """Watch one more FOLDER, with all below it."""
    with _service() as service:
        root = service.post("/api/roots", {"path": str(Path(folder).expanduser().absolute())})
        click.echo(f"{root['path']} is watched.")


@roots.command("remove")
@click.argument("number", type=int)
def roots_remove(number: int) -> None:
    """Stop watching the folder of this NUMBER (see `roots list`). Its files and your answers stay as they are."""
    with _service() as service:
        root = service.post(f"/api/roots/{number}/remove")
        click.echo(f"{root['path']} is no longer watched. Its files are untouched, and your answers are kept.")


@roots.command("confirm")
@click.argument("number", type=int)
def roots_confirm(number: int) -> None:
    """Say that what vanished from the frozen folder of this NUMBER was meant to be gone."""
    with _service() as service:
        service.post(f"/api/roots/{number}/confirm")
        click.echo("Confirmed. The photos that are gone are listed as missing; their answers are kept.")


# --- jobs --------------------------------------------------------------------------------------------------------------


@cli.group()
def jobs() -> None:
    """What is done on a schedule: scan, embed, group, learn, suggest, and night, which is all of them."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True)
def jobs_list(as_json: bool) -> None:
    """When each ran last, how that ended, and when it is due."""
    places, settings = _open()
    from precious_daemon import remote

    service = remote.find(places)
    found = (service.get("/api/status") if service else _offline(places, settings))["jobs"]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_job_text(job) for job in found))


@jobs.command("run")
@click.argument("name")
def jobs_run(name: str) -> None:
    """Run the job NAME now, show how far it is, and wait for its end. Ctrl-C stops it without harm."""
    with _service() as service:
        try:
            click.echo(_run_job(service, name))
        except KeyboardInterrupt:
            service.post(f"/api/jobs/{name}/stop")
            click.echo("Stopped; what was done is kept.", err=True)
            click.get_current_context().exit(INTERRUPTED)


@jobs.command("stop")
@click.argument("name")
def jobs_stop(name: str) -> None:
    """Stop the job NAME; what it has done is kept."""
    with _service() as service:
        service.post(f"/api/jobs/{name}/stop")
        click.echo(f"{name} is stopped.")


def _run_job(service: Remote, name: str) -> str:
    """Run a job and wait; its detail, or PreciousError with it."""
    before = _last(service.get("/api/status"), name)
    service.post(f"/api/jobs/{name}/run")
    with _progress() as show:
        while True:
            found = service.get("/api/status")
            last = _last(found, name)
            if last and last["outcome"] != "running" and (before is None or last["id"] != before["id"]):
                break
            show(next((job for job in found["running"] if job["job"] == name), None))
            time.sleep(POLL)
    if last["outcome"] == "failed":
        kind = getattr(errors, last["error"] or "", PreciousError)
        raise kind(f"{name}: {last['detail']}")
    return f"{name}: {last['detail']}"


def _last(found: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((job["last"] for job in found["jobs"] if job["name"] == name), None)


def _wait_for_reading(service: Remote) -> None:
    with _progress() as show:
        while reading := next((job for job in service.get("/api/status")["running"] if job["job"] == "ingest"), None):
            show(reading)
            time.sleep(POLL)


@contextmanager
def _progress() -> Iterator[Callable[[dict[str, Any] | None], None]]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(job: dict[str, Any] | None) -> None:
            if job:
                bar.update(task, description=job["what"], completed=job["done"], total=job["total"] or None)

        yield show


# --- answers -----------------------------------------------------------------------------------------------------------


@cli.group()
def votes() -> None:
    """Bring comparisons along, and take them away, as CSV that image-ranker reads and writes."""


@votes.command("export")
@click.option("--ranking", is_flag=True, help="The ranking (Image,ELO,Uncertainty,Upvotes,Downvotes), not the votes.")
@click.argument("file", type=click.File("w"), default="-")
def votes_export(ranking: bool, file: Any) -> None:
    """Write all comparisons (Winner,Loser) to FILE, or to the screen."""
    with _service() as service:
        file.write(service.get("/api/ranking.csv" if ranking else "/api/votes.csv"))


@votes.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
def votes_import(file: Any) -> None:
    """Read votes or a ranking from FILE; which of them, its first line says. Names fit by path, or by file name."""
    with _service() as service:
        report = service.post_text("/api/votes/import", file.read())
    click.echo(f"Imported {report['imported']:,} {'votes' if report['kind'] == 'votes' else 'ratings'}.")
    if report["unknown"]:
        click.echo(f"{len(report['unknown']):,} names fit no photo, or several: {', '.join(report['unknown'][:5])}", err=True)


# --- suggestions -------------------------------------------------------------------------------------------------------


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="With ids, for `apply`.")
@click.option("--run", "anew", is_flag=True, help="Choose them anew first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
def suggest(as_json: bool, anew: bool, limit: int) -> None:
    """List what could go, surest first, with the reasons."""
    with _service() as service:
        if anew:
            _run_job(service, "suggest")
        found = _suggestions(service, limit)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for s in found["suggestions"]:
        click.echo(f"{s['uid'][:8]}  {s['photo']['path']}  {size(s['bytes'])}")
        click.echo(f"          {'; '.join(s['reasons'])}")
    click.echo(f"{found['open']:,} suggestions, {size(found['bytes'])}. {found['certificate']['sentence']}")
    if found["suggestions"]:
        click.echo("Approve with `precious-daemon apply ID...`, or look at them in the page.")


def _suggestions(service: Remote, limit: int) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/api/suggestions")
    part = found
    while len(found["suggestions"]) < limit and part["after"]:
        part = service.get("/api/suggestions", after=part["after"])
        found["suggestions"] += part["suggestions"]
    found["suggestions"] = found["suggestions"][:limit]
    return found


@cli.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open suggestions; only those that the certificate covers.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be moved; move nothing.")
@click.option("--count", type=int, help="How many photos, to approve more at once than the settings let pass.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(ids: tuple[str, ...], everything: bool, dry_run: bool, count: int | None, yes: bool) -> None:
    """Move approved suggestions to the trash of their folder.

    IDS are those that `suggest` shows; the first letters are enough. Each photo goes with its companions, or not at all.
    `precious-daemon undo` brings them back.
    """
    if bool(ids) is everything:
        raise click.UsageError("Give the ids of suggestions, or --all.")
    with _service() as service:
        found = _suggestions(service, 100_000)["suggestions"]
        chosen = [s for s in found if s["certified"]] if everything else [_pick(found, "uid", given) for given in ids]
        if not chosen:
            raise PreciousError("None of the open suggestions is certified yet. Approve them one by one, or answer more.")
        if not (yes or dry_run):
            click.confirm(f"Move {len(chosen):,} photos, {size(sum(s['bytes'] for s in chosen))}, to the trash?", abort=True)
        body = {"uids": [s["uid"] for s in chosen], "typed_count": count, "dry_run": dry_run}
        _tell(service.post("/api/suggestions/approve", body))


@cli.command()
@click.argument("ids", nargs=-1)
@click.option("--last", is_flag=True, help="Everything that was moved in the last go.")
def undo(ids: tuple[str, ...], last: bool) -> None:
    """Bring photos back from the trash: those of IDS (see `trash list`), or the last lot with --last."""
    if bool(ids) is last:
        raise click.UsageError("Give ids from `precious-daemon trash list`, or --last.")
    with _service() as service:
        units = service.get("/api/trash")["units"]
        if last:
            chosen = [unit for unit in units if unit["batch"] == units[0]["batch"]] if units else []
        else:
            chosen = [_pick(units, "uid", given) for given in ids]
        if not chosen:
            raise PreciousError("The trash is empty: there is nothing to undo.")
        _tell(service.post("/api/trash/restore", {"uids": [unit["uid"] for unit in chosen]}))


def _pick(rows: list[dict[str, Any]], key: str, given: str) -> dict[str, Any]:
    from precious_daemon.errors import NotFound

    fits = [row for row in rows if row[key].startswith(given)]
    if len(fits) != 1:
        raise NotFound(f"{given} fits {'several' if fits else 'none'}; nothing was done.")
    return fits[0]


def _tell(outcome: dict[str, Any]) -> None:
    """Say what was moved and what was refused; a refusal is exit code 1."""
    click.echo(outcome["sentence"])
    for refused in outcome["refused"]:
        click.echo(f"  {refused['message']}", err=True)
    if outcome["refused"]:
        click.get_current_context().exit(1)


@cli.group()
def trash() -> None:
    """What was moved away, and getting it back."""


@trash.command("list")
@click.option("--json", "as_json", is_flag=True)
def trash_list(as_json: bool) -> None:
    """What is in the trash: when, why, and from where."""
    with _service() as service:
        units = service.get("/api/trash")["units"]
    if as_json:
        click.echo(json.dumps(units, indent=2))
        return
    for unit in units:
        click.echo(f"{unit['uid'][:8]}  {_when(unit['at'])}  {unit['path']}  {size(unit['bytes'])}  {unit['reason']}")
    click.echo(f"{len(units):,} photos. `precious-daemon undo ID` brings one back.")


@trash.command("recover")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def trash_recover(folder: str) -> None:
    """Bring back everything in the trash of a watched FOLDER without the library: from the records beside the photos."""
    from precious_daemon.store import Lock
    from precious_daemon.trash import recover_records

    lock = Lock(_open()[0])  # a running service would be surprised
    try:
        done = recover_records(str(Path(folder).absolute()))
    finally:
        lock.release()
    for line in done:
        click.echo(line)
    click.echo(f"{len(done):,} files.")


# --- upkeep ------------------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def backup(file: Path | None) -> None:
    """Copy the library to FILE, or beside it: all that you said and that cannot be made again. The service may run."""
    places, _ = _open()
    from precious_daemon.store.backup import back_up

    copy = back_up(places, file, time.time())
    click.echo(
        f"{copy} holds a copy, {size(copy.stat().st_size)}. To go back to it: stop the service, and put it in the place of"
    )
    click.echo(f"{places.library_db}; what is in the cache is made anew.")


@cli.command()
@click.option("--full", is_flag=True, help="Read every photo, not a sample of each folder.")
@click.option("--json", "as_json", is_flag=True)
def verify(full: bool, as_json: bool) -> None:
    """Check the databases, and whether photos are byte for byte what they were. Changes nothing; the service may run.

    Exit code: 0 all is well, 1 photos are damaged or cannot be read, 5 a database is damaged.
    """
    from dataclasses import asdict

    from precious_daemon import upkeep

    places, _ = _open()
    with _progress() as show:
        found = upkeep.verify(
            places, full, lambda done, total: show({"what": "reading photos", "done": done, "total": total * full})
        )
    if as_json:
        click.echo(json.dumps(asdict(found) | {"ok": found.ok}, indent=2))
    else:
        for line in _verdict_lines(found):
            click.echo(line)
    click.get_current_context().exit(5 if found.databases else 0 if found.ok else 1)


def _verdict_lines(found: Verdict) -> Iterator[str]:
    yield from found.databases
    yield from (f"{path} is damaged: its date and size are as before, its bytes are not. Restore it." for path in found.damaged)
    yield from (f"{line}: it cannot be read" for line in found.unreadable)
    yield from (f"{path} is not there now, and was not looked at." for path in found.away)
    if not found.databases:
        well = "Both databases are sound. " if found.ok else ""
        later = found.changed + found.absent
        yield f"{well}{found.read:,} photos were read; {len(found.damaged):,} are damaged." + (
            f" {later:,} have changed since the last scan; the next one sees to them." if later else ""
        )


@cli.command()
def repair() -> None:
    """Make the cache anew: previews, features, groups. Nothing that you said is touched. The service has to be stopped."""
    from precious_daemon.upkeep import repair as make_anew

    places, _ = _open()
    count = make_anew(places, time.time())
    click.echo(f"The cache is made anew. {count:,} photos are read again when the service runs; the night's work does the rest.")


# --- settings, plugins, service ----------------------------------------------------------------------------------------


@cli.group("config")
def config_group() -> None:
    """The settings: one TOML file, checked as a whole."""


@config_group.command("show")
@click.option("--json", "as_json", is_flag=True)
def config_show(as_json: bool) -> None:
    """The settings in force, and what each means."""
    places, settings = _open()
    values = config.as_dict(settings)
    if as_json:
        click.echo(json.dumps({"file": str(places.config_file), **values}, indent=2, default=list))
        return
    click.echo(f"# {places.config_file}{'' if places.config_file.exists() else ' (not there: these are the defaults)'}")
    section = ""
    for name, _, meaning in config.describe():
        table, _, key = name.partition(".")
        if table != section:
            section = table
            click.echo(f"\n[{table}]")
        click.echo(f"{key} = {json.dumps(values[table][key], default=list)}  # {meaning}")


@config_group.command("check")
def config_check() -> None:
    """Say whether the settings file is right, and what is not."""
    places, _ = _open()
    click.echo(
        f"{places.config_file} is right." if places.config_file.exists() else "There is no settings file: all is as by default."
    )


@cli.group(invoke_without_command=True)
@click.pass_context
def plugins(ctx: click.Context) -> None:
    """Who gets the suggestions. Without a command: list."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(plugins_list)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True)
def plugins_list(as_json: bool = False) -> None:
    """Every plugin found, whether it is enabled, and what went wrong."""
    from dataclasses import asdict

    from precious_daemon.plugins import Plugins

    found = Plugins.load(*_open()).names()
    if as_json:
        click.echo(json.dumps([asdict(info) for info in found], indent=2, default=list))
        return
    for info in found:
        click.echo(f"{info.name}  {'enabled' if info.enabled else 'off'}  {info.origin}  {info.summary}")
        if info.error:
            click.echo(f"   {info.error}", err=True)
    click.echo('Enable them in the settings: [plugins] enabled = ["report", "links"]')


@cli.group()
def service() -> None:
    """Start by itself with the machine: systemd on Linux, launchd on macOS."""


@service.command("install")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the file and the commands; change nothing.")
def service_install(folders: tuple[Path, ...], dry_run: bool) -> None:
    """Write the unit file for FOLDERS, and start the service."""
    from precious_daemon import units

    command = [sys.executable, "-m", "precious_daemon"]
    for line in units.install(units.default_kind(), command, folders, dry_run):
        click.echo(line)


@service.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; change nothing.")
def service_uninstall(dry_run: bool) -> None:
    """Stop the service and remove its unit file. Photos, answers and settings stay."""
    from precious_daemon import units

    for line in units.uninstall(units.default_kind(), dry_run):
        click.echo(line)


# --- helpers -----------------------------------------------------------------------------------------------------------


def _open() -> tuple[config.Places, config.Settings]:
    """The places and the settings. Raises ConfigError."""
    places = config.places()
    return places, config.load(places.config_file)


@contextmanager
def _service() -> Iterator[Remote]:
    """The service of this library: the one that runs, or one for as long as this command lasts."""
    from precious_daemon import remote

    with remote.reach(*_open()) as found:
        yield found


def _log(verbose: bool) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


def size(count: float) -> str:
    """Bytes in words: 3.2 MB."""
    for unit in BYTES:
        if count < 1000 or unit == BYTES[-1]:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("there is a last unit")


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"
