"""Commands of the review: what could go, letting it go, getting it back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from precious_daemon.cli.talk import (
    Ordered,
    folded,
    for_scripts,
    for_voter,
    noted,
    opened,
    reached,
    run_job,
    size,
    when,
)
from precious_daemon.errors import CountNeeded, LibraryLocked, NotFound, PreciousError

if TYPE_CHECKING:
    from precious_daemon.running.remote import Remote


@click.command()
@click.option("--json", "as_json", is_flag=True, help="With ids, for `apply`.")
@click.option("--run", "anew", is_flag=True, help="Choose them anew first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@for_voter
def suggest(as_json: bool, anew: bool, limit: int, voter: str | None) -> None:
    """List what could go, surest first, with the reasons."""
    with reached(voter) as service:
        if anew:
            run_job(service, "suggest")
        found = _suggestions(service, limit)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for s in found["suggestions"]:
        click.echo(f"{s['uid'][:8]}  {s['photo']['path']}  {size(s['bytes'])}")
        click.echo(folded(f"          {'; '.join(s['reasons'])}", 10))
    click.echo(f"{found['open']:,} suggestions, {size(found['bytes'])}. {found['certificate']['sentence']}")
    for one in found["group_certificates"]:
        click.echo(one["sentence"])
    if len(found["suggestions"]) < found["open"]:
        click.echo(f"{len(found['suggestions']):,} of them are shown here; --limit shows more.")
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
@for_scripts
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@for_voter
def held(as_json: bool, limit: int, voter: str | None) -> None:
    """List what was held back from the suggestions, and why."""
    with reached(voter) as service:
        found = service.get("/api/suggestions/held", limit=limit)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for h in found["held"]:
        said = f"{h['photo']['path']}\n          held back: {h['why']}\n          otherwise: {'; '.join(h['reasons'])}"
        click.echo(folded(said, 10))
    click.echo(f"{found['count']:,} {'photo was' if found['count'] == 1 else 'photos were'} held back.")


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open suggestions that the certificate of their kind covers.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be moved; move nothing.")
@click.option("--count", type=int, help="How many photos, to approve more at once than the settings let pass.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="What became of each, for scripts.")
@for_voter
def apply(
    ids: tuple[str, ...], everything: bool, dry_run: bool, count: int | None, yes: bool, as_json: bool, voter: str | None
) -> None:
    """Move approved suggestions to the trash of their folder.

    IDS are those that `suggest` shows; the first letters are enough. Each photo goes with its companions, or not at all.
    `precious-daemon undo --last` brings them back.
    """
    if bool(ids) is everything:
        raise click.UsageError("Give the ids that `precious-daemon suggest` shows, or --all.")
    with reached(voter) as service:
        found = _suggestions(service, 100_000)["suggestions"]
        chosen = [s for s in found if s["certified"]] if everything else [_pick(found, "suggestion", given) for given in ids]
        if not chosen:
            raise PreciousError("None of the open suggestions is certified yet. Approve them one by one, or answer more.")
        if not (yes or dry_run):
            photos = "1 photo" if len(chosen) == 1 else f"{len(chosen):,} photos"
            click.confirm(f"Move {photos}, {size(sum(s['bytes'] for s in chosen))}, to the trash?", abort=True, err=as_json)
        body = {"uids": [s["uid"] for s in chosen], "dry_run": dry_run}
        reply = _counted(lambda typed: service.post("/api/suggestions/approve", body | {"typed_count": typed}), count, as_json)
    if reply["moved"] and not dry_run:
        click.echo("Bring them back with: precious-daemon undo --last", err=True)
    _tell(reply, as_json)


def _counted(act: Callable[[int | None], dict[str, Any]], count: int | None, as_json: bool) -> dict[str, Any]:
    """What came of it. Where it takes the number of photos, that is asked for, or it is said how to give it."""
    try:
        return act(count)
    except CountNeeded as needed:
        if count is not None:
            raise
        if not sys.stdin.isatty():
            raise CountNeeded(f"{needed} Here you type it as --count {needed.count}.", needed.count) from needed
        click.echo(str(needed), err=as_json)
        return act(click.prompt("How many photos", type=int, err=as_json))


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--last", is_flag=True, help="Everything that was moved in the last go.")
@click.option("--all", "everything", is_flag=True, help="Everything that is in the trash.")
@click.option("--dry-run", is_flag=True, help="Say what would be put back; move nothing.")
@click.option("--json", "as_json", is_flag=True, help="What became of each, for scripts.")
def undo(ids: tuple[str, ...], last: bool, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Bring photos back from the trash: those of IDS (see `trash list`), the last lot with --last, or all of them."""
    if bool(ids) + last + everything != 1:
        raise click.UsageError("Give ids from `precious-daemon trash list`, or --last, or --all.")
    with reached() as service:
        units = _in_trash(service)
        if everything:
            chosen = units
        elif last:
            chosen = [unit for unit in units if unit["batch"] == units[0]["batch"]] if units else []
        else:
            chosen = [_pick(units, "photo in the trash", given) for given in ids]
        if not chosen:
            raise PreciousError("The trash is empty: there is nothing to undo.")
        if dry_run:
            would = [f"Would put back {unit['root']}/{unit['path']}" for unit in chosen]
            _tell({"moved": [], "refused": [], "sentence": "\n".join(would)}, as_json)
            return
        uids = [unit["uid"] for unit in chosen]
        done = [service.post("/api/trash/restore", {"uids": uids[start : start + 1000]}) for start in range(0, len(uids), 1000)]
    outcome = {
        "moved": [uid for part in done for uid in part["moved"]],
        "refused": [refused for part in done for refused in part["refused"]],
        "sentence": "\n".join(part["sentence"] for part in done),
    }
    _tell(outcome, as_json)


def _in_trash(service: Remote) -> list[dict[str, Any]]:
    """Everything in the trash, newest first, a page at a time."""
    found: list[dict[str, Any]] = []
    while part := service.get("/api/trash", **({"after": found[-1]["id"]} if found else {}))["units"]:
        found += part
    return found


def _pick(rows: list[dict[str, Any]], what: str, given: str) -> dict[str, Any]:
    fits = [row for row in rows if row["uid"].startswith(given)]
    if len(fits) > 1:
        raise NotFound(f"{given} begins the id of {len(fits)}; give more of it. Nothing was done.")
    if not fits:
        raise NotFound(f"There is no {what} whose id begins with {given}. Nothing was done.")
    return fits[0]


def _tell(outcome: dict[str, Any], as_json: bool = False) -> None:
    """Say what was moved and what was refused; a refusal is exit code 1."""
    click.echo(json.dumps(outcome, indent=2) if as_json else outcome["sentence"])
    for refused in outcome["refused"]:
        click.echo(f"  {refused['message']}", err=True)
    if outcome["refused"]:
        click.get_current_context().exit(1)


@click.group(cls=Ordered)
def trash() -> None:
    """What was moved away, and getting it back."""


@trash.command("list")
@for_scripts
def trash_list(as_json: bool) -> None:
    """What is in the trash: when, why, and from where."""
    with reached() as service:
        units = _in_trash(service)
    if as_json:
        click.echo(json.dumps(units, indent=2))
        return
    for unit in units:
        click.echo(folded(f"{unit['uid'][:8]}  {when(unit['at'])}  {unit['path']}  {size(unit['bytes'])}  {unit['reason']}", 10))
        if unit["trash"]:
            click.echo(f"          in {unit['trash']}")
    if not units:
        click.echo("The trash is empty.")
        return
    photos = "1 photo" if len(units) == 1 else f"{len(units):,} photos"
    click.echo(f"{photos}. `precious-daemon undo ID` brings one back, `undo --last` the last lot.")


@trash.command("purge")
@click.option("--dry-run", is_flag=True, help="Look at everything and say what would go; remove nothing.")
@click.option("--count", type=int, help="How many photos will go, instead of typing it when asked.")
@click.option("--json", "as_json", is_flag=True, help="What became of each, for scripts.")
def trash_purge(dry_run: bool, count: int | None, as_json: bool) -> None:
    """Remove for good what has been in the trash long enough. This cannot be undone.

    Off unless `trash.purge_days` is set. A photo may go after that many days by the clock (at least 30) and as many different
    days of running, and only if what stays in its place is still there.
    """
    with reached() as service:
        if dry_run:
            _tell(service.post("/api/trash/purge", {"dry_run": True}), as_json)
            return
        _tell(_counted(lambda typed: service.post("/api/trash/purge", {"typed_count": typed}), count, as_json), as_json)


@click.command("log")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as it is kept.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many of the newest lines.")
@click.option("--kind", type=click.Choice(["moved", "written", "sent"]), help="Only these.")
@click.option("--text", default="", help="Only lines with these words: of a name, a reason, a plugin, a profile.")
@click.option("--before", type=int, help="Older than the line of this number.")
def deeds_log(as_json: bool, limit: int, kind: str | None, text: str, before: int | None) -> None:
    """Everything that was moved, written outside of the program's own folders, or sent away: when, who, what, why.

    It is only ever appended to, and can be read while no service runs. Times are UTC.
    """
    from precious_daemon.disk import deeds

    places, _ = opened()
    found = deeds.page(places.audit_log, limit, before, kind or "", text)
    for _number, entry in reversed(found.entries):
        if as_json:
            click.echo(json.dumps(entry))
            continue
        where = entry.get("path") or entry.get("to") or entry.get("root") or ""
        by = ", ".join(entry[name] for name in ("who", "plugin") if name in entry)
        at, action = entry["at"][:19].replace("T", " "), f"{entry['action']:<9}"
        click.echo("  ".join(part for part in (at, action, where, f"({by})" if by else "", entry.get("reason")) if part))
    if found.older:
        click.echo(f"Older ones: precious-daemon log --before {found.older}", err=True)


@trash.command("recover")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would come back; move nothing.")
@for_scripts
def trash_recover(folder: str, dry_run: bool, as_json: bool) -> None:
    """Bring back everything in the trash of a watched FOLDER without the library: from the records beside the photos."""
    from precious_daemon.store import Lock
    from precious_daemon.trash import recover_records

    root = str(Path(folder).absolute())
    try:
        lock = None if dry_run else Lock(opened()[0])  # a running service would be surprised
    except LibraryLocked as exc:
        raise LibraryLocked("The service runs: `precious-daemon undo --all` brings everything back. Or stop it first.") from exc
    try:
        done = recover_records(root, dry_run=dry_run)
        if done and not dry_run:
            noted("restored", "; ".join(one.message for one in done), root=root)
    finally:
        if lock:
            lock.release()
    for one in done:
        click.echo(one.message, err=as_json or one.left)
    files, left = sum(one.files for one in done), sum(one.left for one in done)
    count = "1 file" if files == 1 else f"{files:,} files"
    if as_json:
        click.echo(json.dumps({"files": files, "left": left, "dry_run": dry_run}, indent=2))
    elif dry_run:
        click.echo(f"{count} would be back in {root}; nothing was moved.")
    elif done:
        click.echo(f"{count} {'is' if files == 1 else 'are'} back in {root}.")
    else:
        click.echo(f"Its trash is empty: nothing was left to bring back to {root}.")
    if left:
        click.get_current_context().exit(1)


COMMANDS = (suggest, held, apply, undo, trash, deeds_log)
