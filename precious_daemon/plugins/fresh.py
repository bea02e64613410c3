"""Writes the beginning of a plugin: a package that works, with its test."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path

from precious_daemon import __version__
from precious_daemon.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
TEMPLATES = ("README.md", "pyproject.toml", "plugin.py", "test_plugin.py")


def write(into: Path, name: str) -> Path:
    """Make the folder `precious-daemon-NAME`. ConfigError where the name is none, or the folder is there."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f'"{name}" is no name for a plugin: small letters, digits and single - between them. Nothing was written.'
        )
    module = f"precious_daemon_{name.replace('-', '_')}"
    folder = into / f"precious-daemon-{name}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as exc:
        raise ConfigError(f"{folder} is there already. Nothing was written.") from exc
    names = {"plugin.py": f"{module}.py", "test_plugin.py": f"tests/test_{module}.py"}
    for template in TEMPLATES:
        text = (resources.files("precious_daemon.plugins") / "fresh_package" / f"{template}.txt").read_text("utf-8")
        file = folder / names.get(template, template)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("@NAME@", name).replace("@MODULE@", module).replace("@VERSION@", __version__), "utf-8")
    return folder
