"""Writes docs/precious-daemon.1, the manual page, from the commands, their options and the errors.

python docs/make_man.py      (from the top of a checkout)
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import click

from precious_daemon import __version__, errors
from precious_daemon.cli import cli

PAGE = Path(__file__).with_name("precious-daemon.1")
FILES = (
    ("~/.config/precious-daemon/", "The settings, config.toml, and a folder for plugins of your own."),
    ("~/.local/share/precious-daemon/", "library.db, which holds what you said and cannot be made again, reports and models."),
    ("~/.cache/precious-daemon/", "What can be made again: previews, features."),
    ("FOLDER/.precious-trash/", "In each watched folder: what was moved away, with a record of where each came from."),
)
ENVIRONMENT = (
    ("PRECIOUS_HOME", "One folder for all of the above but the trash."),
    ("PRECIOUS_VOTER", "The profile that commands speak for where they take --voter."),
)


def page() -> str:
    """The whole page in the man macros."""
    return "\n".join(
        (
            f'.TH PRECIOUS\\-DAEMON 1 "" "precious\\-daemon {__version__}" "User Commands"',
            ".SH NAME",
            f"precious\\-daemon \\- {quoted(first_line(cli)[0].lower() + first_line(cli)[1:].rstrip('.'))}",
            ".SH SYNOPSIS",
            r"\fBprecious\-daemon\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]",
            ".SH DESCRIPTION",
            *text(cli.help or ""),
            ".SH COMMANDS",
            *(line for name, command in commands(cli) for line in entry(name, command)),
            ".SH EXIT STATUS",
            *listed([("0", "All went well."), ("1", "Anything else; the message says what."), *exit_codes()]),
            ".SH FILES",
            *listed(FILES),
            ".SH ENVIRONMENT",
            *listed(ENVIRONMENT),
            "",
        )
    )


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command under its whole name, in the order of their use."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


def entry(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    words = [p.make_metavar(context) for p in command.params if isinstance(p, click.Argument)]
    yield f'.SS "{quoted(" ".join([name, *words]))}"'
    yield from text(command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            yield from (".TP", rf"\fB{quoted(record[0])}\fR", prose(record[1] or "The same, for programs."))


def exit_codes() -> list[tuple[str, str]]:
    """As errors.py has them; each with the sentence that explains it there."""
    found = {
        kind.exit_code: " ".join((kind.__doc__ or "").split())
        for kind in vars(errors).values()
        if isinstance(kind, type) and "exit_code" in vars(kind) and kind is not errors.PreciousError
    }
    return [(str(code), says) for code, says in sorted(found.items())]


def listed(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, says in rows:
        yield from (".TP", rf"\fB{quoted(term)}\fR", prose(says))


def text(help_text: str) -> Iterator[str]:
    r"""Paragraphs; one that begins with a \b of click's is kept as it is."""
    for part in inspect.cleandoc(help_text).split("\n\n"):
        if part.startswith("\b"):
            yield from (".PP", ".RS 4", ".nf", *map(quoted, part.splitlines()[1:]), ".fi", ".RE")
        else:
            yield from (".PP", prose(part))


def first_line(command: click.Command) -> str:
    return (command.help or "").strip().splitlines()[0]


def prose(says: str) -> str:
    """One line of text; what stands in backticks becomes bold."""
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", quoted(" ".join(says.split())))


def quoted(says: str) -> str:
    says = says.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{says}" if says.startswith((".", "'")) else says


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
