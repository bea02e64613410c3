"""Commands of a first start and of an owner in doubt: setup, doctor, keys for scripts, completion."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from precious_daemon import config
from precious_daemon.cli.talk import (
    Ordered,
    folded,
    for_scripts,
    for_voter,
    noted,
    opened,
    reached,
    when,
)
from precious_daemon.errors import PreciousError

CARES = ("very", "usual", "little")  # as usual.CARE, which needs not be loaded for --help
SIGNS = {"ok": "ok  ", "note": "note", "warn": "WARN", "bad": "BAD "}


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--night", metavar="HH:MM", help="When the night's work starts.  [schedule.night]")
@click.option("--care", type=click.Choice(CARES), help="How careful suggestions have to be.  [certify.alpha]")
@click.option("--service/--no-service", default=None, help="Start by itself with the machine.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take what is proposed.")
def setup(folders: tuple[Path, ...], night: str | None, care: str | None, service: bool | None, yes: bool) -> None:
    """The first start in four questions: which FOLDERS, when to work, how careful, start with the machine.

    What is given here is not asked for. Where nobody can be asked, as in a script, what is proposed is taken.
    """
    _, settings = opened()
    from precious_daemon.folders import usual

    asks = sys.stdin.isatty() and not yes
    chosen = [str(folder.absolute()) for folder in folders]
    if not chosen:
        proposed = usual.propose()
        for place in proposed:
            words = f"{place.path}  ({'over ' if place.more else ''}{place.photos:,} photos)"
            if not asks or click.confirm(f"Watch {words}?", default=place is proposed[0]):
                chosen.append(place.path)
        while asks and (more := click.prompt("Another folder (Enter for none)", default="", show_default=False)):
            chosen.append(str(Path(more).expanduser().absolute()))
    if not chosen:
        raise PreciousError("No folder with photos was found. Name it: precious-daemon setup FOLDER")
    night = night or (click.prompt("When to work at night", default=settings.schedule.night) if asks else settings.schedule.night)
    config.from_text("schedule.night", night)
    if care is None and asks:
        click.echo("How careful? Of 100 suggestions, photos you would keep may be at most: very 2, usual 5, little 13.")
        care = click.prompt("How careful", type=click.Choice(CARES), default="usual")
    if service is None:
        service = asks and click.confirm("Start by itself with the machine?", default=True)
    with reached() as remote:
        remote.post("/api/setup", {"folders": chosen, "night": night, **({"care": care} if care else {})})
    for folder in chosen:
        click.echo(f"{folder} is watched.")
    if not service:
        click.echo("Start with:  precious-daemon run")
        return
    from precious_daemon.running import units

    noted("wrote", "setup", path=str(units.file_of(units.default_kind())))
    for line in units.install(units.default_kind(), [sys.executable, "-m", "precious_daemon"], [Path(f) for f in chosen]):
        click.echo(line)
    click.echo("Sign in with:  precious-daemon login")


@click.command()
@for_scripts
def doctor(as_json: bool) -> None:
    """Look for everything that could be wrong, and say the remedy. Changes nothing.

    Exit code: 0 all is well, 1 something works less well than it could, 2 something does not work.
    """
    from dataclasses import asdict

    from precious_daemon.running.doctor import examine

    found = examine(config.places())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for finding in found:
            click.echo(folded(f"{SIGNS[finding.state]}  {finding.subject}: {finding.sentence}", 8))
            if finding.remedy and finding.state != "ok":
                click.echo(f"        {finding.remedy}")
    states = {finding.state for finding in found}
    click.get_current_context().exit(2 if "bad" in states else 1 if "warn" in states else 0)


@click.command()
@for_voter
@click.option("--remove", is_flag=True, help="Take the password away: then the profile cannot sign in from the network.")
def password(voter: str | None, remove: bool) -> None:
    """Give a profile a password, to sign in with from other machines (web.listen) and to keep others from switching to it.

    It is asked for twice, or read from the first line of what is piped in. All browsers of the profile are signed out.
    """
    if remove:
        new = ""
    elif sys.stdin.isatty():
        new = click.prompt("New password", hide_input=True, confirmation_prompt="The same again", err=True)
    else:
        new = sys.stdin.readline().rstrip("\r\n")
    if not (new or remove):
        raise PreciousError("No password was given. Nothing was changed.")
    with reached(voter) as service:
        service.post("/api/password", {"password": new})
    click.echo("The password is taken away." if remove else "The password is set. Sign in with it, and with the profile's name.")


@click.group(cls=Ordered)
def token() -> None:
    """Keys for scripts, each with a scope: read, vote (also answer), review (also decide and start jobs)."""


@token.command("new")
@click.argument("name")
@click.option("--scope", type=click.Choice(("read", "vote", "review")), default="read", show_default=True)
def token_new(name: str, scope: str) -> None:
    """Make a key of this NAME, and print it: this once, because only its hash is kept."""
    with reached() as service:
        click.echo(service.post("/api/tokens", {"name": name, "scope": scope})["token"])


@token.command("list")
@for_scripts
def token_list(as_json: bool) -> None:
    """The keys there are, their scope, and when each was last used."""
    with reached() as service:
        found: list[dict[str, Any]] = service.get("/api/tokens")["tokens"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("There is none. Make one with: precious-daemon token new NAME")
    for key in found:
        used = f"last used {when(key['used_at'])}" if key["used_at"] else "not used yet"
        click.echo(f"{key['name']}  {key['scope']}  made {when(key['created_at'])}, {used}")


@token.command("revoke")
@click.argument("name")
def token_revoke(name: str) -> None:
    """End the key of this NAME: whoever has it is refused from now on."""
    from urllib.parse import quote

    with reached() as service:
        service.post(f"/api/tokens/{quote(name, safe='')}/revoke")
        click.echo(f"{name} is revoked.")


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes SHELL complete the commands.

    \b
    bash   precious-daemon completion bash > ~/.local/share/bash-completion/completions/precious-daemon
    zsh    precious-daemon completion zsh > "${fpath[1]}/_precious-daemon"
    fish   precious-daemon completion fish > ~/.config/fish/completions/precious-daemon.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found, "click knows these shells"
    root = click.get_current_context().find_root()
    click.echo(found(root.command, {}, "precious-daemon", "_PRECIOUS_DAEMON_COMPLETE").source())


COMMANDS = (setup, password, token, doctor, completion)
