"""What stays of a night: a page that needs nothing beside itself, its plots, and a card of the model for whoever is given it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from precious_daemon.learn.champion import NAMES
from precious_daemon.learn.plots import draw_all
from precious_daemon.words import language, leaflet
from precious_daemon.words.papers import CARD, CERTIFICATE, PAGE, PLOTS, plot_file
from precious_daemon.work import jobfolder


def write(folder: Path, job: Mapping[str, Any], report: Mapping[str, Any], pictures: Mapping[int, str]) -> None:
    """Leaves the page, the card and the plots in the job's folder. Both hold CERTIFICATE where its sentence belongs.

    `job` may have `at` (seconds since 1970), `voter` (a name), `language` (of the page; the card is for others, in English), and
    `nights`: {at, average_precision, interval} of those before, oldest first. `pictures` are small ones as data URIs, by photo;
    what has none is named.
    """
    now = float(job.get("at") or 0)
    plots = draw_all(report, [*job.get("nights", ()), this_night(report, now)], Path(job["cache_db"]).parent / "matplotlib")
    for (name, theme), svg in plots.items():
        jobfolder.write_bytes(folder, plot_file(name, theme), svg)
    language.speak(job.get("language", "en"))
    environment = leaflet.environment("precious_daemon.learn")
    learners = report["learners"]
    champion = learners[report["champion"]]
    said = {
        "report": report, "names": NAMES, "champion": champion,
        "order": sorted(learners, key=lambda name: (name != report["champion"], -(learners[name]["cv_ap"] or 0))),
        "at": datetime.fromtimestamp(now, UTC), "voter": job.get("voter") or "the owner", "certificate": CERTIFICATE,
        "pictures": pictures,
        "plots": {name: {theme: _data_uri(svg) for (n, theme), svg in plots.items() if n == name} for name in PLOTS},
    }  # fmt: skip
    for name in (PAGE, CARD):
        jobfolder.write_bytes(folder, name, environment.get_template(name).render(said).encode())


def this_night(report: Mapping[str, Any], at: float) -> dict[str, Any]:
    """{at, average_precision, interval} of the champion on the held-out answers; None where there were too few."""
    test = report["learners"][report["champion"]]["test"] or {}
    return {
        "at": at,
        "average_precision": test.get("average_precision"),
        "interval": (test.get("intervals") or {}).get("average_precision"),
    }


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
