"""The owner's settings file: written once with every setting explained, changed without touching what else is in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from precious_daemon import config
from precious_daemon.errors import ConfigError
from precious_daemon.machine import whole

HEAD = """\
# Settings of precious-daemon. Every line is a default: take away its "#" to change it.
# `precious-daemon config explain KEY` says more, and the page has them under Settings. A variable such as
# PRECIOUS_WEB_PORT=9000 goes before what is here. The service takes changes over at once: precious-daemon reload
"""


def initial() -> str:
    """A file that changes nothing and explains everything."""
    lines, section = [HEAD], ""
    for name, default, meaning in config.describe():
        table, _, key = name.partition(".")
        if table != section:
            section = table
            lines.append(f"[{table}]")
        lines += [f"# {meaning}{hint(name)}", f"# {key} = {as_toml(default)}", ""]
    lines += ["# What a plugin is told, such as:", "# [plugin.links]", '# folder = "/home/you/To review"', ""]
    return "\n".join(lines)


def hint(name: str) -> str:
    """What the value may be, in brackets; empty where anything may."""
    kind, field = config.setting(name)
    low, high, choices = field.metadata["low"], field.metadata["high"], field.metadata["choices"]
    if choices:
        return f" ({', '.join(choices)})"
    if low is not None and high is not None:
        return f" ({low:.12g} to {high:.12g})"
    return f" (at least {low:.12g})" if low is not None else " (true or false)" if kind is bool else ""


def as_toml(value: Any) -> str:
    """JSON's texts, numbers, lists and truth values are TOML's as well."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def create(file: Path) -> None:
    """Write the first settings file. Raises ConfigError where there is one already."""
    if file.exists():
        raise ConfigError(f"{file} exists already, and was not touched. Edit it, or move it away first.")
    _replace(file, initial())


def origins(file: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each value comes from: "default", "file" or the name of a variable."""
    said, table = config.overrides(os.environ if environ is None else environ), config.read(file)
    found = {}
    for name, _, _ in config.describe():
        section, _, key = name.partition(".")
        variable = f"PRECIOUS_{section}_{key}".upper()
        found[name] = variable if (section, key) in said else "file" if key in table.get(section, {}) else "default"
    return found


def save(file: Path, changes: Mapping[str, str]) -> config.Settings:
    """Write settings, by name and as typed, into the file, and return what it then says.

    All or none, atomically; comments, order and everything else stay. A value that is the default is taken out again.
    Raises ConfigError with the first one that cannot be, and nothing was changed.
    """
    import tomlkit  # here: only who saves a setting needs it

    config.read(file)  # a file that is no TOML is the owner's to mend
    document = tomlkit.parse(file.read_text("utf-8") if file.exists() else initial())
    defaults = {name: default for name, default, _ in config.describe()}
    for name, text in changes.items():
        value = config.from_text(name, text)
        section, _, key = name.partition(".")
        if section not in document:
            document[section] = tomlkit.table()
        table: Any = document[section]
        if value != (list(defaults[name]) if isinstance(defaults[name], tuple) else defaults[name]):
            table[key] = value
        elif key in table:
            del table[key]
    text = document.as_string()
    settings = config.whole(config.parse(tomlkit.parse(text).unwrap(), str(file)), str(file))
    _replace(file, text)
    return settings


def _replace(file: Path, text: str) -> None:
    """Either the old file or the new one is there whatever happens; it is its owner's alone."""
    file = file.resolve()  # one that is a link into the owner's collection of settings stays a link
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole.write(file, text)
    except OSError as exc:
        raise ConfigError(f"{file} cannot be written: {exc.strerror}. Nothing was changed.") from exc
