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
KINDS = {  # what a new plugin does, by the folder of its templates
    "review": "Holds back the photos of one folder, and lists the rest",
    "measures": "Measures how bright photos are, and finds those that are black",
}


def write(into: Path, name: str, kind: str = "review") -> Path:
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
    words = {"@NAME@": name, "@MODULE@": module, "@VERSION@": __version__, "@SUMMARY@": KINDS[kind]}
    names = {"plugin.py": f"{module}.py", "test_plugin.py": f"tests/test_{module}.py"}
    for template in TEMPLATES:
        its = "review" if template == "pyproject.toml" else kind
        text = (resources.files("precious_daemon.plugins") / f"fresh_{its}" / f"{template}.txt").read_text("utf-8")
        file = folder / names.get(template, template)
        file.parent.mkdir(exist_ok=True)
        for word, value in words.items():
            text = text.replace(word, value)
        file.write_text(text, "utf-8")
    return folder
