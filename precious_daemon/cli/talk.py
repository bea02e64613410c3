"""What the commands share: reaching the service, waiting for it, and saying sizes and times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import click

from precious_daemon import config, errors
from precious_daemon.errors import PreciousError

if TYPE_CHECKING:
    from precious_daemon.running.remote import Remote


BYTES = ("B", "KB", "MB", "GB", "TB")
POLL = 0.25  # seconds between looks at a job


class Ordered(click.Group):
    """Lists commands in the order of their use, not of the alphabet; alone, it shows what there is."""

    meant: ClassVar[Mapping[str, str]] = {"ls": "list", "show": "list", "rm": "remove", "delete": "remove", "start": "run"}
    """Words that people try, and the command that they mean."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its whole first sentence: click would cut it to one line."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(200)) for name, command in found if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or [name for name in ("list", "show") if name in self.commands][:1])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = [self.meant[args[0]]] if self.meant.get(args[0]) in known else get_close_matches(args[0], known, 1)
            raise click.UsageError(f"There is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else "."), ctx)
        return super().resolve_command(ctx, args)


def opened() -> tuple[config.Places, config.Settings]:
    """The places and the settings. Raises ConfigError."""
    places = config.places()
    return places, config.load(places.config_file)


def noted(action: str, reason: str, **facts: Any) -> None:
    """A line in the log of deeds, for what a command does to files outside of the program's own folders."""
    from precious_daemon.disk import deeds

    places = config.places()
    places.make()
    deeds.append(places.audit_log, [deeds.entry(time.time(), action, **facts, reason=reason)])


def among(names: Callable[[], Iterable[str]]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """What completes a word in a shell: those of `names` that begin with it, or nothing where they cannot be told."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        del context, parameter
        try:
            return [name for name in names() if name.startswith(begun)]
        except PreciousError:
            return []

    return complete


for_voter = click.option("--voter", metavar="NAME", envvar="PRECIOUS_VOTER", help="Whose: the profile of this name.")
"""The option of commands that are about somebody's answers or suggestions."""


for_scripts = click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")


@contextmanager
def reached(voter: str | None = None) -> Iterator[Remote]:
    """The service of this library: the one that runs, or one for as long as this command lasts.

    It is spoken to for the profile of this name, or else for the first one.
    """
    from precious_daemon.running import remote

    with remote.reach(*opened()) as found:
        found.voter = voter
        yield found


def folded(text: str, indent: int) -> str:
    """Lines folded to the terminal, what follows being so far in; in a pipe they stay whole."""
    if not sys.stdout.isatty():
        return text
    import shutil
    import textwrap

    width, hang = shutil.get_terminal_size().columns, " " * indent
    fold = textwrap.TextWrapper(width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)
    return "\n".join(fold.fill(line) for line in text.splitlines())


def size(count: float) -> str:
    """Bytes in words: 3.2 MB."""
    for unit in BYTES:
        if count < 1000 or unit == BYTES[-1]:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("there is a last unit")


def when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{rest} s"


def offline(places: config.Places, settings: config.Settings) -> dict[str, Any]:
    from precious_daemon import status as status_room
    from precious_daemon.store import Store

    with Store(places, writer=False) as store:
        return store.read(status_room.collect, places, settings)


def root_text(root: dict[str, Any]) -> str:
    photos = "1 photo" if root["photos"] == 1 else f"{root['photos']:,} photos"
    only = ", only suggested and not moved" if root["suggest_only"] else ""
    return f"{root['state']}, {photos}{only}"


def run_job(service: Remote, name: str) -> str:
    """Run a job and wait; its detail, or PreciousError with it."""
    before = _last(service.get("/api/status"), name)
    if note := service.post(f"/api/jobs/{name}/run")["note"]:
        click.echo(f"{note} `precious-daemon resume` ends the pause.", err=True)
    with progress() as show:
        while True:
            found = service.get("/api/status")
            last = _last(found, name)
            if (
                last
                and last["outcome"] != "running"
                and (not before or before["outcome"] == "running" or last["id"] != before["id"])
            ):
                break  # one that was running already is the one that is waited for
            show(next((job for job in found["running"] if job["job"] == name), None))
            time.sleep(POLL)
    if last["outcome"] == "failed":
        kind = getattr(errors, last["error"] or "", PreciousError)
        raise kind(f"{name}: {last['detail']}")
    return f"{name}: {last['detail']}"


def _last(found: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((job["last"] for job in found["jobs"] if job["name"] == name), None)


def wait_for_reading(service: Remote) -> None:
    with progress() as show:
        while reading := next((job for job in service.get("/api/status")["running"] if job["job"] == "ingest"), None):
            show(reading)
            time.sleep(POLL)


@contextmanager
def progress() -> Iterator[Callable[[dict[str, Any] | None], None]]:
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


def job_text(job: dict[str, Any], *, brief: bool = False) -> str:
    """When it ran last, how that ended, and when it is due; `brief`: the night without what its stations said."""
    last = f"{job['last']['outcome']} {when(job['last']['started_at'])}" if job["last"] else "not yet run"
    if job["last"] and job["last"]["detail"] and not (brief and job["name"] == "night" and job["last"]["outcome"] == "done"):
        last += f": {job['last']['detail']}"
    due = f"; due, and waits: {job['waits']}" if job["waits"] else f"; next {when(job['next_at'])}" if job["next_at"] else ""
    return f"{job['name']}: {last}{due}"
