"""Commands of the review: what could go, letting it go, getting it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from precious_daemon.cli.talk import (
    Ordered,
    opened,
    reached,
    run_job,
    size,
    when,
)
from precious_daemon.errors import NotFound, PreciousError

if TYPE_CHECKING:
    from precious_daemon.remote import Remote


@click.command()
@click.option("--json", "as_json", is_flag=True, help="With ids, for `apply`.")
@click.option("--run", "anew", is_flag=True, help="Choose them anew first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
def suggest(as_json: bool, anew: bool, limit: int) -> None:
    """List what could go, surest first, with the reasons."""
    with reached() as service:
        if anew:
            run_job(service, "suggest")
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


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
def held(as_json: bool, limit: int) -> None:
    """List what was held back from the suggestions, and why."""
    with reached() as service:
        found = service.get("/api/suggestions/held", limit=limit)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for h in found["held"]:
        click.echo(f"{h['photo']['path']}\n          held back: {h['why']}\n          otherwise: {'; '.join(h['reasons'])}")
    click.echo(f"{found['count']:,} photos were held back.")


@click.command()
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
    with reached() as service:
        found = _suggestions(service, 100_000)["suggestions"]
        chosen = [s for s in found if s["certified"]] if everything else [_pick(found, "uid", given) for given in ids]
        if not chosen:
            raise PreciousError("None of the open suggestions is certified yet. Approve them one by one, or answer more.")
        if not (yes or dry_run):
            click.confirm(f"Move {len(chosen):,} photos, {size(sum(s['bytes'] for s in chosen))}, to the trash?", abort=True)
        body = {"uids": [s["uid"] for s in chosen], "typed_count": count, "dry_run": dry_run}
        _tell(service.post("/api/suggestions/approve", body))


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--last", is_flag=True, help="Everything that was moved in the last go.")
def undo(ids: tuple[str, ...], last: bool) -> None:
    """Bring photos back from the trash: those of IDS (see `trash list`), or the last lot with --last."""
    if bool(ids) is last:
        raise click.UsageError("Give ids from `precious-daemon trash list`, or --last.")
    with reached() as service:
        units = service.get("/api/trash")["units"]
        if last:
            chosen = [unit for unit in units if unit["batch"] == units[0]["batch"]] if units else []
        else:
            chosen = [_pick(units, "uid", given) for given in ids]
        if not chosen:
            raise PreciousError("The trash is empty: there is nothing to undo.")
        _tell(service.post("/api/trash/restore", {"uids": [unit["uid"] for unit in chosen]}))


def _pick(rows: list[dict[str, Any]], key: str, given: str) -> dict[str, Any]:

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


@click.group(cls=Ordered)
def trash() -> None:
    """What was moved away, and getting it back."""


@trash.command("list")
@click.option("--json", "as_json", is_flag=True)
def trash_list(as_json: bool) -> None:
    """What is in the trash: when, why, and from where."""
    with reached() as service:
        units = service.get("/api/trash")["units"]
    if as_json:
        click.echo(json.dumps(units, indent=2))
        return
    for unit in units:
        click.echo(f"{unit['uid'][:8]}  {when(unit['at'])}  {unit['path']}  {size(unit['bytes'])}  {unit['reason']}")
    click.echo(f"{len(units):,} photos. `precious-daemon undo ID` brings one back.")


@trash.command("recover")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def trash_recover(folder: str) -> None:
    """Bring back everything in the trash of a watched FOLDER without the library: from the records beside the photos."""
    from precious_daemon.store import Lock
    from precious_daemon.trash import recover_records

    lock = Lock(opened()[0])  # a running service would be surprised
    try:
        done = recover_records(str(Path(folder).absolute()))
    finally:
        lock.release()
    for line in done:
        click.echo(line)
    click.echo(f"{len(done):,} files.")
