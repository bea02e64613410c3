"""Commands of upkeep: backups, settings, the unit files."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from precious_daemon import config
from precious_daemon.cli.talk import (
    Ordered,
    among,
    for_scripts,
    noted,
    opened,
    progress,
    size,
)

if TYPE_CHECKING:
    from precious_daemon.folders.upkeep import Verdict


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def backup(file: Path | None) -> None:
    """Copy the library to FILE, or beside it: all that you said and that cannot be made again. The service may run."""
    places, _ = opened()
    from precious_daemon.store.backup import back_up

    if file:
        noted("wrote", "backup", path=str(file.absolute()))
    copy = back_up(places, file, time.time())
    click.echo(
        f"{copy} holds a copy, {size(copy.stat().st_size)}. To go back to it: stop the service, and put it in the place of"
    )
    click.echo(f"{places.library_db}; what is in the cache is made anew.")


@click.command()
@click.option("--full", is_flag=True, help="Read every photo, not a sample of each folder.")
@for_scripts
def verify(full: bool, as_json: bool) -> None:
    """Check the databases, and whether photos are byte for byte what they were. Changes nothing; the service may run.

    Exit code: 0 all is well, 1 photos are damaged or cannot be read, 5 a database is damaged.
    """
    from dataclasses import asdict

    from precious_daemon.folders import upkeep

    places, _ = opened()
    with progress() as show:
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


@click.command()
def repair() -> None:
    """Make the cache anew: previews, features, groups. Nothing that you said is touched. The service has to be stopped."""
    from precious_daemon.folders.upkeep import repair as make_anew

    places, _ = opened()
    count = make_anew(places, time.time())
    photos = "photo is" if count == 1 else "photos are"
    click.echo(f"The cache is made anew. {count:,} {photos} read again when the service runs; the night's work does the rest.")


@click.group("config", cls=Ordered)
def config_group() -> None:
    """The settings: one TOML file, checked as a whole."""


@config_group.command("init")
def config_init() -> None:
    """Write the settings file with every setting explained; one that exists is never touched."""
    from precious_daemon import settings_file

    places = config.places()
    settings_file.create(places.config_file)
    click.echo(f"Wrote {places.config_file}. Every line in it is a default: take away its # to change it.")


@config_group.command("show")
@for_scripts
def config_show(as_json: bool) -> None:
    """The settings in force, what each means, and where it comes from."""
    from precious_daemon import settings_file

    places, settings = opened()
    values, origins = config.as_dict(settings), settings_file.origins(places.config_file)
    if as_json:
        values["plugin"] = _without_secrets(values["plugin"])
        click.echo(json.dumps({"file": str(places.config_file), **values, "origins": origins}, indent=2, default=list))
        return
    click.echo(f"# {places.config_file}{'' if places.config_file.exists() else ' (not there: these are the defaults)'}")
    section = ""
    for name, _, meaning in config.describe():
        table, _, key = name.partition(".")
        if table != section:
            section = table
            click.echo(f"\n[{table}]")
        origin = "" if origins[name] == "default" else f" [{origins[name]}]"
        click.echo(f"{key} = {json.dumps(values[table][key], default=list)}  # {meaning}{origin}")


@config_group.command("explain")
@click.argument("key", shell_complete=among(lambda: (name for name, *_ in config.describe())))
@for_scripts
def config_explain(key: str, as_json: bool) -> None:
    """What the setting KEY means, what it may be, what it is now, and why."""
    from precious_daemon import settings_file

    places, settings = opened()
    _, field = config.setting(key)
    section, _, name = key.partition(".")
    origin = settings_file.origins(places.config_file)[key]
    value, variable = config.as_dict(settings)[section][name], f"PRECIOUS_{section}_{name}".upper()
    if as_json:
        told = {
            "key": key, "meaning": field.metadata["meaning"], "value": value, "default": field.default, "origin": origin,
            "variable": variable, "restart": field.metadata["restart"],
        }  # fmt: skip
        click.echo(json.dumps(told, indent=2, default=list))
        return
    why = {"default": "by default", "file": f"by {places.config_file}"}.get(origin, f"by the variable {origin}")
    click.echo(f"{key}: {field.metadata['meaning']}{settings_file.hint(key)}.")
    click.echo(f"It is {settings_file.as_toml(value)}, {why}.")
    click.echo(f"The default is {settings_file.as_toml(field.default)}. Change it in the file as\n")
    click.echo(f"[{section}]\n{name} = {settings_file.as_toml(field.default)}\n")
    click.echo(f"or with the variable {variable}.")
    if field.metadata["restart"]:
        click.echo("It counts from the next start on; everything else is taken over at once by `precious-daemon reload`.")


def _without_secrets(tables: dict[str, Any]) -> dict[str, Any]:
    """Keys and passwords stay where they are, so that the output can be shown to somebody."""
    secret = re.compile(r"secret|password|key|token", re.IGNORECASE)
    return {
        name: {key: "…" if secret.search(key) else value for key, value in table.items()} if isinstance(table, dict) else table
        for name, table in tables.items()
    }


@config_group.command("check")
def config_check() -> None:
    """Say whether the settings file is right, and what is not."""
    places, _ = opened()
    click.echo(
        f"{places.config_file} is right." if places.config_file.exists() else "There is no settings file: all is as by default."
    )


@click.group(cls=Ordered)
def service() -> None:
    """Start by itself with the machine: systemd on Linux, launchd on macOS."""


@service.command("install")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the file and the commands; change nothing.")
def service_install(folders: tuple[Path, ...], dry_run: bool) -> None:
    """Write the unit file for FOLDERS, and start the service."""
    from precious_daemon.running import units

    command = [sys.executable, "-m", "precious_daemon"]
    if not dry_run:
        noted("wrote", "service install", path=str(units.file_of(units.default_kind())))
    for line in units.install(units.default_kind(), command, folders, dry_run):
        click.echo(line)


@service.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; change nothing.")
def service_uninstall(dry_run: bool) -> None:
    """Stop the service and remove its unit file. Photos, answers and settings stay."""
    from precious_daemon.running import units

    if not dry_run:
        noted("removed", "service uninstall", path=str(units.file_of(units.default_kind())))
    for line in units.uninstall(units.default_kind(), dry_run):
        click.echo(line)


COMMANDS = (backup, verify, repair, config_group, service)
