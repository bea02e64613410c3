"""The commands: the only rooms that print, and the only ones that set the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, NoReturn

import click

from precious_daemon import __version__
from precious_daemon.cli.talk import Ordered
from precious_daemon.errors import PreciousError

ROOMS = {
    "setup": "first", "run": "serving", "status": "serving", "pause": "serving", "resume": "serving", "reload": "serving",
    "login": "serving", "scan": "library", "roots": "library", "jobs": "library", "votes": "library", "answers": "library",
    "undo-answer": "library", "people": "people", "tasks": "tasks", "model": "model", "suggest": "reviewing",
    "held": "reviewing", "apply": "reviewing", "undo": "reviewing", "trash": "reviewing", "log": "reviewing",
    "backup": "upkeep", "verify": "upkeep", "repair": "upkeep", "config": "upkeep", "plugins": "plugins", "service": "upkeep",
    "password": "first", "token": "first", "doctor": "first", "completion": "first", "worker": "serving",
}  # fmt: skip
"""Where each command is, in the order of their use: one is loaded when it is called, and the service calls a single one."""


class Commands(Ordered):
    """Turns expected errors into one sentence and an exit code."""

    meant: ClassVar[Mapping[str, str]] = {
        "start": "run", "serve": "run", "init": "setup", "install": "service", "open": "login", "link": "login", "web": "login",
        "suggestions": "suggest", "review": "suggest", "approve": "apply", "delete": "apply", "restore": "undo",
        "recover": "trash", "folders": "roots", "add": "roots", "watch": "roots", "settings": "config", "history": "log",
        "check": "doctor", "export": "votes", "import": "votes", "version": "status", "profiles": "people",
    }  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(ROOMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ROOMS:
            return None
        commands: tuple[click.Command, ...] = import_module(f"precious_daemon.cli.{ROOMS[cmd_name]}").COMMANDS
        return next(known for known in commands if known.name == cmd_name)

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
    """Entry point. What is written from here on is its owner's alone."""
    os.umask(0o077)
    cli(prog_name="precious-daemon")
    raise AssertionError("click exits")
