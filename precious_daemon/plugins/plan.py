"""Plan: the suggestions as a shell script that checks every file before it moves it, for a NAS or a read-only library.

Each run leaves, for each watched folder, `plan-RUN-N.sh` and the same as JSON. `sh plan-RUN-N.sh` only checks; with `move` it
moves each photo whose files, and whose keeper, are byte for byte what they were into `.precious-plan-RUN` at the top of the
folder; with `back` it moves them back. The folder may have another path there: `sh plan-RUN-N.sh move /volume1/photos`. It needs
a POSIX shell and one of sha256sum, shasum, sha256 and openssl, and deletes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from precious_daemon.hookspecs import Output, SuggestedPhoto, hookimpl
from precious_daemon.machine import whole
from precious_daemon.plugins import words
from precious_daemon.plugins.options import setting

PATIENCE = 3600.0  # every file is read
NAME = re.compile(r"plan-.+-\d+\.(sh|json)")


@dataclass(frozen=True, slots=True)
class Settings:
    most: int = setting(1000, "photos in a plan at most, the surest ones", 1, 100000)
    keep: int = setting(5, "how many runs stay", 1)


@hookimpl
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    base = re.sub(r"[^A-Za-z0-9_.-]", "-", run)
    chosen = suggestions[: output.settings.most]
    for number, root in enumerate(sorted({photo.root for photo in chosen}), 1):
        units = [unit for photo in chosen if photo.root == root and (unit := _unit(photo, output))]
        plan = {"run": run, "made_at": datetime.now(UTC).isoformat(timespec="seconds"), "root": str(root), "units": units}
        whole.write(output.folder / f"plan-{base}-{number}.json", json.dumps(plan, indent=1))
        script = output.folder / f"plan-{base}-{number}.sh"
        output.record("wrote", script, photos=[str(root / unit["files"][0]["path"]) for unit in units])
        whole.write(script, _script(base, root, units))
    _forget_old(output.folder, output.settings.keep)


def _unit(photo: SuggestedPhoto, output: Output) -> dict[str, Any] | None:
    """What is to be moved together, or None where something of it cannot be read now."""
    try:
        files = [_file(path, photo.root) for path in photo.files]
        keeper = _file(photo.keeper, photo.root) if photo.keeper else None
    except OSError as exc:
        output.log.warning("%s is not in the plan: %s", words.shown(photo.name), exc)
        return None
    return {"name": photo.name, "reasons": list(photo.reasons), "keeper": keeper, "files": files}


def _file(path: Path, root: Path) -> dict[str, Any]:
    place = path.relative_to(root) if path.is_relative_to(root) else path
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"path": str(place), "sha256": digest, "size": os.fstat(file.fileno()).st_size}


def _script(run: str, root: Path, units: Iterable[dict[str, Any]]) -> bytes:
    lines = []
    for number, unit in enumerate(units, 1):
        keeper = unit["keeper"] or {"path": "", "sha256": ""}
        about = f"{words.shown(unit['name'])}: {words.shown('; '.join(unit['reasons']))}"
        parts = [f"{number:05}", about, keeper["path"], keeper["sha256"]]
        for file in unit["files"]:
            parts += [file["path"], file["sha256"]]
        lines.append("unit " + " ".join(_quoted(part) for part in parts))
    template = (resources.files("precious_daemon.plugins") / "templates" / "plan.sh").read_text("utf-8")
    filled = {"@ROOT@": _quoted(str(root)), "@INTO@": _quoted(f".precious-plan-{run}"), "@UNITS@": "\n".join(lines)}
    whole = re.sub("|".join(filled), lambda found: filled[found[0]], template)
    return whole.encode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    """One word for the shell, whatever is in it. A name that begins with - is never taken for an option: see `unit`."""
    return "'" + text.replace("'", "'\\''") + "'"


def _forget_old(folder: Path, keep: int) -> None:
    """Leave the plans of the newest runs."""
    plans = sorted((path for path in folder.iterdir() if NAME.fullmatch(path.name)), key=lambda path: path.stat().st_mtime_ns)
    runs = list(dict.fromkeys(path.name.rpartition("-")[0] for path in reversed(plans)))
    for path in plans:
        if path.name.rpartition("-")[0] not in runs[:keep]:
            path.unlink()
