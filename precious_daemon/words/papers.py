"""What stays of a night in the reports folder: a page, its plots, a card of the model, and all of it as JSON.

A child draws them. Nothing else in that folder is ever shown.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from precious_daemon.words import language

PLOTS = ("precision-recall", "reliability", "history")
THEMES = ("light", "dark")
PAGE, CARD, FIGURES = "night.html", "card.md", "report.json"
CERTIFICATE = "<!-- certificate -->"  # in the page and the card: its sentence is known only once the model is there
KEPT = 60  # nights, of all voters together


def plot_file(plot: str, theme: str) -> str:
    return f"{plot}-{theme}.svg"


FILES: Mapping[str, str] = {
    PAGE: "text/html",
    CARD: "text/markdown",
    FIGURES: "application/json",
} | {plot_file(plot, theme): "image/svg+xml" for plot in PLOTS for theme in THEMES}
"""Every name that such a file may have, and what it holds."""


def collect(job: Path) -> dict[str, bytes]:
    """What the child left in the folder of its job."""
    return {name: (job / name).read_bytes() for name in FILES if (job / name).is_file()}


def keep(nights: Path, run: str, made: Mapping[str, bytes], certificate: str, tag: str = "en") -> None:
    """Put them into a folder of the run, which is there whole or not at all, and forget the oldest runs."""
    part = nights / f".{run}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    for name, content in made.items():
        (part / name).write_bytes(_certified(name, content, certificate, tag))
    shutil.rmtree(nights / run, ignore_errors=True)
    os.rename(part, nights / run)
    for old in oldest(nights):
        shutil.rmtree(old, ignore_errors=True)


def _certified(name: str, content: bytes, certificate: str, tag: str) -> bytes:
    """A file with the sentence of its certificate."""
    if name == FIGURES:
        return json.dumps(json.loads(content) | {"certificate": certificate}).encode()
    if name == PAGE:
        language.speak(tag)
        certificate = language.told(certificate)
    return content.replace(CERTIFICATE.encode(), html.escape(certificate).encode()) if name in (PAGE, CARD) else content


def oldest(folder: Path) -> list[Path]:
    """What a folder holds of runs beyond the last `KEPT`: their names sort by time."""
    return sorted(folder.glob("[0-9]*"))[:-KEPT]


def find(nights: Path, run: str, name: str) -> Path | None:
    """One of a run's FILES; None where there is none of that name."""
    if name not in FILES or not re.fullmatch(r"[\w-]+", run):
        return None
    path = nights / run / name
    return path if path.is_file() else None
