"""Commands about plugins: which there are, switching them on and off, checking them, beginning a new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from precious_daemon.cli.talk import (
    Ordered,
    among,
    for_scripts,
    opened,
)
from precious_daemon.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from precious_daemon.plugins import Plugins


def _loaded() -> Plugins:
    from precious_daemon.plugins import Plugins

    return Plugins.load(*opened())


def _known() -> list[str]:
    return [info.name for info in _loaded().names()]


@click.group(cls=Ordered)
def plugins() -> None:
    """Who gets the suggestions, and who speaks for a photo."""


@plugins.command("list")
@for_scripts
def plugins_list(as_json: bool) -> None:
    """Every plugin found, whether it is enabled, and what went wrong."""
    from dataclasses import asdict

    found = _loaded().names()
    if as_json:
        click.echo(json.dumps([asdict(info) for info in found], indent=2, default=list))
        return
    for info in found:
        click.echo(f"{info.name:10}  {'enabled' if info.enabled else 'off':7}  {info.origin}  {info.summary}")
        if info.error:
            click.echo(f"   {info.error}", err=True)
    click.echo("Switch one on with: precious-daemon plugins enable NAME")


@plugins.command("enable")
@click.argument("name", shell_complete=among(_known))
def plugins_enable(name: str) -> None:
    """Switch the plugin NAME on, in the settings and in the service that runs."""
    _switch(name, True)


@plugins.command("disable")
@click.argument("name", shell_complete=among(_known))
def plugins_disable(name: str) -> None:
    """Switch the plugin NAME off, in the settings and in the service that runs."""
    _switch(name, False)


def _switch(name: str, on: bool) -> None:
    from precious_daemon import settings_file
    from precious_daemon.config import nearest
    from precious_daemon.plugins.find import find, folder
    from precious_daemon.running import remote

    places, settings = opened()
    enabled = settings.plugins.enabled
    known = {found.name for found in find(places, settings)} | set(enabled)
    if name not in known:
        raise NotFound(
            f'There is no plugin "{name}"{nearest(name, known)} One of your own is installed first, with the Python of '
            f"precious-daemon, or put as {name}.py into {folder(places, settings)}"
        )
    changed = (name in enabled) is not on
    if changed:
        wanted = [*enabled, name] if on else [other for other in enabled if other != name]
        settings_file.save(places.config_file, {"plugins.enabled": "\n".join(wanted)})
    state = "on" if on else "off"
    click.echo(f"{name} is {state} now." if changed else f"{name} was {state} already.")
    if changed and (service := remote.find(places)):
        service.post("/api/reload")
        click.echo("The service that runs has taken it over.")
    if on:
        loaded = _loaded()
        if name in loaded.having("startup"):
            loaded.call_one(name, "startup")
        if error := next(info.error for info in loaded.names() if info.name == name):
            click.echo(f"   It cannot work yet: {error.removeprefix('startup: ')}", err=True)


@plugins.command("check")
@click.argument("name", shell_complete=among(_known), required=False)
def plugins_check(name: str | None) -> None:
    """Load what is enabled, or only NAME, check its settings, and let it say whether it can work.

    Exit code 2 where something cannot.
    """
    loaded = _loaded()
    if name is not None:
        loaded.context(name)  # or an error that says what to do
    for asked in loaded.having("startup"):
        if name in (None, asked):
            loaded.call_one(asked, "startup")
    wrong = 0
    for info in loaded.names():
        if info.enabled and name in (None, info.name):
            click.echo(f"{info.name}: {info.error or 'fine; it has ' + ', '.join(info.hooks)}")
            wrong += info.error is not None
    if wrong:
        raise ConfigError(f"{wrong} of the enabled plugins cannot work. Mend the settings, or disable them.")


@plugins.command("new")
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="The folder to make it in.")
@click.option("--measures", is_flag=True, help="One that measures photos, instead of one that holds back and lists.")
def plugins_new(name: str, into: Path, measures: bool) -> None:
    """Begin a plugin of your own: write a package NAME that works, with its test."""
    from precious_daemon.plugins.fresh import write

    if name in _known():
        raise ConfigError(f"There is a plugin {name} already. Give yours another name. Nothing was written.")
    made = write(into, name, "measures" if measures else "review")
    click.echo(f"{made} holds a plugin that works. Try it, and install it beside precious-daemon:")
    click.echo(f"  cd {made} && python -m pytest && python -m pip install -e . && precious-daemon plugins enable {name}")


@plugins.command("run", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("name", shell_complete=among(_known))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def plugins_run(ctx: click.Context, name: str, arguments: tuple[str, ...]) -> None:
    """Run the command that the plugin NAME brings along."""
    loaded = _loaded()
    loaded.context(name)
    command = loaded.call_one(name, "command") if name in loaded.having("command") else None
    if isinstance(command, Exception):
        raise command
    if not isinstance(command, click.Command):
        raise NotFound(f"The plugin {name} brings no command along.")
    ctx.exit(command.main(list(arguments), f"precious-daemon plugins run {name}", standalone_mode=False) or 0)


COMMANDS = (plugins,)
