"""Commands of the library: its folders, its jobs, its votes."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from precious_daemon.cli.talk import (
    Ordered,
    among,
    for_scripts,
    for_voter,
    job_text,
    noted,
    offline,
    opened,
    reached,
    root_text,
    run_job,
    wait_for_reading,
    when,
)
from precious_daemon.errors import NotFound, PreciousError

INTERRUPTED = 130


@click.command()
def scan() -> None:
    """Look through the folders now, and read what is new."""
    with reached() as service:
        click.echo(run_job(service, "scan"))
        wait_for_reading(service)


@click.group(cls=Ordered)
def roots() -> None:
    """The folders that are watched."""


@roots.command("list")
@for_scripts
def roots_list(as_json: bool) -> None:
    """Show them, with their state."""
    places, settings = opened()
    found = offline(places, settings)["roots"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for root in found:
        click.echo(f"{root['id']}  {root['path']}: {root_text(root)}")
        if root["reason"]:
            click.echo(f"   {root['reason']}")


@roots.command("add")
@click.argument("folder", type=click.Path())
@for_scripts
def roots_add(folder: str, as_json: bool) -> None:
    """Watch one more FOLDER, with all below it."""
    with reached() as service:
        root = service.post("/api/roots", {"path": str(Path(folder).expanduser().absolute())})
        click.echo(json.dumps(root, indent=2) if as_json else f"{root['path']} is watched.")


@roots.command("remove")
@click.argument("number", type=int)
def roots_remove(number: int) -> None:
    """Stop watching the folder of this NUMBER (see `roots list`). Its files and your answers stay as they are."""
    with reached() as service:
        root = service.post(f"/api/roots/{number}/remove")
        click.echo(f"{root['path']} is no longer watched. Its files are untouched, and your answers are kept.")


@roots.command("confirm")
@click.argument("number", type=int)
def roots_confirm(number: int) -> None:
    """Say that what vanished from the frozen folder of this NUMBER was meant to be gone."""
    with reached() as service:
        service.post(f"/api/roots/{number}/confirm")
        click.echo("Confirmed. The photos that are gone are listed as missing; their answers are kept.")


def _jobs() -> tuple[str, ...]:
    from precious_daemon.jobs import Jobs

    return Jobs.NAMES


@click.group(cls=Ordered)
def jobs() -> None:
    """What is done on a schedule: scan, listen, embed, group, learn, sort, rate, suggest, and night, which is all of them."""


@jobs.command("list")
@for_scripts
def jobs_list(as_json: bool) -> None:
    """When each ran last, how that ended, and when it is due."""
    places, settings = opened()
    from precious_daemon.running import remote

    service = remote.find(places)
    found = (service.get("/api/status") if service else offline(places, settings))["jobs"]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(job_text(job) for job in found))


@jobs.command("run")
@click.argument("name", shell_complete=among(_jobs))
def jobs_run(name: str) -> None:
    """Run the job NAME now, show how far it is, and wait for its end. Ctrl-C stops it without harm."""
    with reached() as service:
        try:
            click.echo(run_job(service, name))
        except KeyboardInterrupt:
            service.post(f"/api/jobs/{name}/stop")
            click.echo("Stopped; what was done is kept.", err=True)
            click.get_current_context().exit(INTERRUPTED)


@jobs.command("log")
@click.argument("name", shell_complete=among(_jobs))
@click.option("--run", "run_id", type=int, help="The run of this number, not the newest.")
@for_scripts
def jobs_log(name: str, run_id: int | None, as_json: bool) -> None:
    """The last runs of the job NAME, and what the newest one logged."""
    places, _ = opened()
    from dataclasses import asdict

    from precious_daemon.store import Store, job_runs

    with Store(places, writer=False) as store:
        runs = store.read(job_runs.recent, name)
        if not runs:
            raise NotFound(f'No run of a job "{name}" is known; see `precious-daemon jobs list`.')
        lines = store.read(job_runs.log, run_id or runs[0].id).splitlines()
    if as_json:
        click.echo(json.dumps({"runs": [asdict(run) for run in runs], "log": lines}, indent=2))
        return
    for run in reversed(runs):
        click.echo(f"{run.id}  {when(run.started_at)}  {run.trigger:9}  {run.outcome:8}  {run.detail}")
    click.echo(f"\nLog of run {run_id or runs[0].id}:" if lines else "\nNothing was logged.")
    for line in lines:
        click.echo(f"  {line}")


@jobs.command("stop")
@click.argument("name", shell_complete=among(_jobs))
def jobs_stop(name: str) -> None:
    """Stop the job NAME; what it has done is kept."""
    with reached() as service:
        service.post(f"/api/jobs/{name}/stop")
        click.echo(f"{name} is stopped.")


@click.group(cls=Ordered)
def votes() -> None:
    """Bring comparisons along, and take them away, as CSV that image-ranker reads and writes."""


@votes.command("export")
@click.option("--ranking", is_flag=True, help="The ranking (Image,ELO,Uncertainty,Upvotes,Downvotes), not the votes.")
@click.argument("file", type=click.File("w"), default="-")
@for_voter
def votes_export(ranking: bool, file: Any, voter: str | None) -> None:
    """Write all comparisons (Winner,Loser) to FILE, or to the screen."""
    with reached(voter) as service:
        file.write(service.get("/api/ranking.csv" if ranking else "/api/votes.csv"))


@votes.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@for_scripts
@for_voter
def votes_import(file: Any, as_json: bool, voter: str | None) -> None:
    """Read votes or a ranking from FILE; which of them, its first line says. Names fit by path, or by file name."""
    with reached(voter) as service:
        report = service.post_text("/api/votes/import", file.read())
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    what, count = "vote" if report["kind"] == "votes" else "rating", report["imported"]
    click.echo(f"Imported {count:,} {what}{'' if count == 1 else 's'}.")
    if known := report["known"]:
        click.echo(
            f"{known:,} {'was' if known == 1 else 'were'} here already, and {'is' if known == 1 else 'are'} not counted twice."
        )
    if unknown := report["unknown"]:
        fit = "name fits" if len(unknown) == 1 else "names fit"
        click.echo(f"{len(unknown):,} {fit} no photo, or several: {', '.join(unknown[:5])}", err=True)


@votes.command("preferences")
@click.option("--hashes", is_flag=True, help="Name photos by their content, not by their paths.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@for_voter
def votes_preferences(hashes: bool, file: Path, voter: str | None) -> None:
    """Write pairs to train a reward model on to FILE: prompt, chosen, rejected. JSON lines, or Parquet if it ends so.

    A prompt is what the photo's page says, the picture's own text (PNG parameters, EXIF comment), or a row of a prompts.csv
    beside it, with the columns file and prompt.
    """
    with reached(voter) as service:
        text = service.get("/api/preferences.jsonl", **({"hashes": 1} if hashes else {}))
    rows = [json.loads(line) for line in text.splitlines()]
    noted("wrote", "votes preferences", path=str(file.absolute()))
    if file.suffix == ".parquet":
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as exc:
            raise PreciousError("Parquet needs pyarrow: pip install 'precious-daemon[parquet]'. Or write a .jsonl file.") from exc
        columns = pyarrow.schema([(name, pyarrow.string()) for name in ("prompt", "chosen", "rejected")])
        parquet.write_table(pyarrow.Table.from_pylist(rows, columns), file)
    else:
        file.write_text(text, "utf-8")
    click.echo(f"{len(rows):,} pairs written to {file}.")


@votes.command("highlights")
@click.option("--top", default=5, show_default=True, help="Photos of each event.")
@click.option("--hours", default=6, show_default=True, help="Hours without a photo between two events.")
@click.option("--copy", is_flag=True, help="Copies, not links.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@for_voter
def votes_highlights(top: int, hours: int, copy: bool, folder: Path, voter: str | None) -> None:
    """Make FOLDER an album of the best photos of each event, as links or copies. What is there already stays."""
    with reached(voter) as service:
        reply = service.get("/api/highlights", top=top, hours=hours)
        found = reply["events"]
        while reply["before"] is not None:
            reply = service.get("/api/highlights", top=top, hours=hours, before=reply["before"])
            found += reply["events"]
    made = 0
    noted("wrote", "votes highlights", path=str(folder.absolute()))
    for event in found:
        day = datetime.fromtimestamp(event["begins"], UTC).strftime("%Y-%m-%d %H%M")
        for place, photo in enumerate(event["chosen"], 1):
            source, target = Path(photo["file"]), folder / day / f"{place:02} {Path(photo['file']).name}"
            if os.path.lexists(target) or not source.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target) if copy else target.symlink_to(source)
            made += 1
    click.echo(f"{made:,} {'copies' if copy else 'links'} of {len(found):,} events in {folder}.")


@click.command()
@for_scripts
@click.option("--kind", default="", help="Only comparisons, labels, audits, reviews, outside, or ranking.")
@click.option("--before", type=int, help="Older than the answer of this number.")
@for_voter
def answers(as_json: bool, kind: str, before: int | None, voter: str | None) -> None:
    """What you said, newest first; `undo-answer` takes back any of it by its number."""
    with reached(voter) as service:
        found = service.get("/api/answers", **({"kind": kind} if kind else {}), **({"before": before} if before else {}))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for answer in found["answers"]:
        names = ", ".join(photo["path"] for photo in answer["photos"])
        click.echo(f"{answer['id']:>7}  {when(answer['at'])}  {answer['sentence']}: {names}")
    if found["before"]:
        click.echo(f"Older ones: precious-daemon answers --before {found['before']}", err=True)


@click.command("undo-answer")
@click.argument("number", type=int)
@for_voter
def undo_answer(number: int, voter: str | None) -> None:
    """Take back the answer of this NUMBER (see `answers`), however long ago it was given."""
    with reached(voter) as service:
        click.echo(service.post(f"/api/answers/{number}/undo")["sentence"])


COMMANDS = (scan, roots, jobs, votes, answers, undo_answer)
