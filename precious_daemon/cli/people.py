"""Commands about profiles: who answers, each with a taste of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from precious_daemon.cli.talk import (
    Ordered,
    for_scripts,
    reached,
)
from precious_daemon.errors import NotFound

if TYPE_CHECKING:
    from precious_daemon.running.remote import Remote


@click.group(cls=Ordered)
def people() -> None:
    """Profiles, each with its own answers, ranking, model and suggestions. A profile is no login."""


@people.command("list")
@for_scripts
def people_list(as_json: bool) -> None:
    """Show them, with how much each has answered."""
    with reached() as service:
        found = service.get("/api/people")["people"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        retired = ", retired" if one["retired_at"] else ""
        click.echo(f"{one['name']}: {one['votes']:,} comparisons, {one['labels']:,} labels{retired}")


@people.command("add")
@click.argument("name")
def people_add(name: str) -> None:
    """Make a profile of this NAME, or bring a retired one back."""
    with reached() as service:
        made = service.post("/api/people", {"name": name})["name"]
    click.echo(f"{made} has a profile now: switch to it at the top of the page, or give commands --voter {made!r}.")


@people.command("rename")
@click.argument("name")
@click.argument("new_name")
def people_rename(name: str, new_name: str) -> None:
    """Call the profile NAME by a NEW_NAME."""
    with reached() as service:
        renamed = service.post(f"/api/people/{_find(service, name)['id']}/rename", {"name": new_name})
    click.echo(f"{name} is called {renamed['name']} from now on.")


@people.command("retire")
@click.argument("name")
def people_retire(name: str) -> None:
    """Put the profile NAME out of use. Its answers stay, and `add` brings it back."""
    with reached() as service:
        retired = service.post(f"/api/people/{_find(service, name)['id']}/retire")
    click.echo(f"{retired['name']} is retired. All answers are kept; `precious-daemon people add` brings the profile back.")


def _find(service: Remote, name: str) -> dict[str, Any]:
    found = service.get("/api/people")["people"]
    for one in found:
        if one["name"].casefold() == name.casefold():
            return dict(one)
    raise NotFound(f'There is no profile "{name}". There is {", ".join(one["name"] for one in found)}.')


COMMANDS = (people,)
