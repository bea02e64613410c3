"""Switches plugins on and off in `config.toml`: one line changes, all that the owner wrote around it stays."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from precious_daemon.errors import ConfigError

_TABLE = re.compile(r"^[ \t]*\[plugins\][ \t]*(#.*)?$", re.MULTILINE)
_NEXT_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_ENABLED = re.compile(r"^([ \t]*enabled[ \t]*=[ \t]*)\[[^\]]*\]", re.MULTILINE)


def switch(file: Path, enabled: Sequence[str], name: str, on: bool) -> bool:
    """Add a name to `plugins.enabled` or take it out. False where it was so already.

    ConfigError where the file is written in a way that this cannot change safely.
    """
    if (name in enabled) is on:
        return False
    wanted = [*enabled, name] if on else [other for other in enabled if other != name]
    old = file.read_text("utf-8") if file.exists() else ""
    new = _changed(old, f"enabled = {json.dumps(wanted, ensure_ascii=False)}")
    expected = tomllib.loads(old)
    expected.setdefault("plugins", {})["enabled"] = wanted
    if not _says(new, expected):
        raise ConfigError(
            f"{file} is written in a way that cannot be changed safely. Write there: enabled = {json.dumps(wanted)}"
        )
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(new, "utf-8")
    if file.exists():
        part.chmod(file.stat().st_mode)
    os.replace(part, file)
    return True


def _says(text: str, expected: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        return False


def _changed(text: str, line: str) -> str:
    table = _TABLE.search(text)
    if table is None:
        return f"{text.rstrip()}\n\n[plugins]\n{line}\n".lstrip()
    following = _NEXT_TABLE.search(text, table.end())
    end = following.start() if following else len(text)
    section = text[table.end() : end]
    if _ENABLED.search(section):
        section = _ENABLED.sub(lambda found: found[1] + line.partition(" = ")[2], section, count=1)
    else:
        section = f"\n{line}{section}"
    return text[: table.end()] + section + text[end:]
