"""Commands about the owner's own label sets."""

from __future__ import annotations

import json
from typing import Any

import click

from precious_daemon.cli.talk import (
    Ordered,
    for_scripts,
    for_voter,
    reached,
)
from precious_daemon.errors import NotFound


@click.group(cls=Ordered)
def tasks() -> None:
    """Label sets of your own, made and answered on the page /tasks."""


@tasks.command("list")
@for_scripts
@for_voter
def tasks_list(as_json: bool, voter: str | None) -> None:
    """Show them, with their classes and how much is answered."""
    with reached(voter) as service:
        found = service.get("/api/tasks")["tasks"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("There is none yet. Make one on the page, under Tasks.")
    for task in found:
        click.echo(f"{task['name']}: {', '.join(one['name'] for one in task['classes'])}; {task['answers']:,} answers")


@tasks.command("export")
@click.argument("name")
@click.argument("file", type=click.File("w"), default="-")
@for_voter
def tasks_export(name: str, file: Any, voter: str | None) -> None:
    """Write what was said and is expected of each photo (Image,Class,Expected,Chance) to FILE, or to the screen."""
    with reached(voter) as service:
        found = service.get("/api/tasks")["tasks"]
        fits = [task["id"] for task in found if task["name"].casefold() == name.casefold()]
        if not fits:
            raise NotFound(f'There is no task "{name}". See `precious-daemon tasks list`.')
        file.write(service.get(f"/api/tasks/{fits[0]}/export.csv"))


COMMANDS = (tasks,)
