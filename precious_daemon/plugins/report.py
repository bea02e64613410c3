"""Report of the night's suggestions: a page with thumbnails for people, JSON, JSON lines and CSV for scripts.

Each run leaves `report-RUN.html`, `.json`, `.jsonl` and `.csv`; `latest.html` and so on lead to the newest ones. The page
needs nothing beside itself, and runs no script. In the CSV, `path` is exact; other texts that a spreadsheet would take for a
formula get a `'` before them.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from precious_daemon.hookspecs import Output, SuggestedPhoto, hookimpl
from precious_daemon.plugins import words
from precious_daemon.plugins.options import setting
from precious_daemon.words import leaflet

KINDS = ("html", "json", "jsonl", "csv")
COLUMNS = [f.name for f in fields(SuggestedPhoto) if f.name not in ("uid", "root", "numbers")]
CHUNK = 8  # pieces of the page written at once: what is in memory at any time


@dataclass(frozen=True, slots=True)
class Settings:
    keep: int = setting(30, "how many runs stay", 1)
    pictures: int = setting(500, "how many thumbnails a page holds at most", 0)


@hookimpl
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    base = f"report-{re.sub(r'[^A-Za-z0-9_.-]', '-', run)}"
    at = datetime.now(UTC).astimezone()
    output.record("wrote", output.folder / f"{base}.html", photos=[str(photo.path) for photo in suggestions])
    with _whole(output.folder / f"{base}.html") as file:
        file.writelines(_page(suggestions, output.thumbnail, output.settings.pictures, at))
    with _whole(output.folder / f"{base}.json") as file:
        _write_json(file, run, at, suggestions)
    with _whole(output.folder / f"{base}.jsonl") as file:
        file.writelines(json.dumps(_row(photo)) + "\n" for photo in suggestions)
    with _whole(output.folder / f"{base}.csv") as file:
        _write_csv(file, suggestions)
    for kind in KINDS:
        _point(output.folder / f"latest.{kind}", f"{base}.{kind}")
    _forget_old(output.folder, output.settings.keep)


# --- the three forms ---------------------------------------------------------------------------------------------------


def _page(
    suggestions: Sequence[SuggestedPhoto], thumbnail: Callable[[str], bytes | None], pictures: int, at: datetime
) -> Iterator[str]:
    """The page in pieces, so that a long one is never in memory as a whole."""

    def picture(number: int, photo: SuggestedPhoto) -> str | None:
        jpeg = thumbnail(photo.uid) if number <= pictures else None
        return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}" if jpeg else None

    templates = leaflet.environment(
        "precious_daemon.plugins", text=words.shown, bytes=words.size, day=_day, percent=words.percent
    )
    page = templates.get_template("report.html").stream(
        suggestions=suggestions, news=words.news(suggestions), picture=picture, pictures=pictures, at=at
    )
    page.enable_buffering(CHUNK)
    return iter(page)


def _row(photo: SuggestedPhoto) -> dict[str, Any]:
    """One suggestion as plain values; the order is that of the columns."""
    row = {"path": str(photo.path)} | {name: getattr(photo, name) for name in COLUMNS}
    lists = {"reasons": list(photo.reasons), "companions": list(photo.companions), "looks": sorted(photo.looks)}
    return row | lists | {"keeper": str(photo.keeper) if photo.keeper else None, "root": str(photo.root)}


def _write_json(file: TextIO, run: str, at: datetime, suggestions: Sequence[SuggestedPhoto]) -> None:
    head = json.dumps({"run": run, "at": at.isoformat(timespec="seconds"), "count": len(suggestions)})
    file.write(f'{head[:-1]}, "suggestions": [')
    for number, photo in enumerate(suggestions):
        file.write(("," if number else "") + "\n" + json.dumps(_row(photo)))
    file.write("\n]}\n")


def _write_csv(file: TextIO, suggestions: Sequence[SuggestedPhoto]) -> None:
    """As spreadsheets read it. `path` is exact; other texts that a spreadsheet would take for a formula get a ' before them."""
    writer = csv.writer(file)
    writer.writerow(["path", *COLUMNS, "root"])
    for photo in suggestions:
        row = {name: "; ".join(value) if isinstance(value, list) else value for name, value in _row(photo).items()}
        writer.writerow([value if name == "path" else _harmless(value) for name, value in row.items()])


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else value


# --- words on the page -------------------------------------------------------------------------------------------------


def _day(taken_at: float | None) -> str:
    try:
        return f"{datetime.fromtimestamp(taken_at, UTC):%Y-%m-%d %H:%M}" if taken_at is not None else ""
    except (ValueError, OverflowError, OSError):  # cameras write what they like
        return ""


# --- files -------------------------------------------------------------------------------------------------------------


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file that is there whole or not at all. Names that are not UTF-8 keep their bytes."""
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield file
    os.replace(part, path)


def _point(link: Path, name: str) -> None:
    part = link.with_name(link.name + ".part")
    part.unlink(missing_ok=True)
    part.symlink_to(name)
    os.replace(part, link)


def _forget_old(folder: Path, keep: int) -> None:
    """Leave the newest `keep` runs, by the time they were written."""
    for kind in KINDS:
        reports = sorted(_reports(folder, kind), key=lambda path: (path.stat().st_mtime_ns, path.name))
        for old in reports[: max(0, len(reports) - max(keep, 1))]:
            old.unlink()


def _reports(folder: Path, kind: str) -> Iterable[Path]:
    return (path for path in folder.glob(f"report-*.{kind}") if path.is_file() and not path.is_symlink())
