"""What the service knows of itself and of the library, as one JSON value: for the page, the command line, and scripts."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from precious_daemon import __version__
from precious_daemon.asking import ask
from precious_daemon.config import Places, Settings
from precious_daemon.models import PhotoState, RootState, Served, SuggestionState
from precious_daemon.store import Database, answers, files, groups, job_runs, photos, roots, scores, suggestions, units
from precious_daemon.suggesting import verdict

if TYPE_CHECKING:
    from precious_daemon.service import Service

JOBS = ("scan", "listen", "embed", "group", "learn", "sort", "rate", "suggest", "night")
SOON = 14 * 86400.0  # seconds before its end that a certificate is warned of
PATIENCE = 1.0  # seconds that plugins have to say how they are
LITTLE_SPACE = 1_000_000_000  # bytes: below this a warning is shown


async def snapshot(service: Service, voter_id: int = 1) -> dict[str, Any]:
    """The state of a running service. Its keys are those of `collect`."""
    found = await service.store.aread(collect, service.places, service.settings, voter_id)
    for job in found["jobs"]:
        job["next_at"] = service.jobs.next_run(job["name"])
        job["waits"] = service.jobs.waiting.get(job["name"])
    found["running"] = [asdict(progress) for progress in service.jobs.progress()]
    found["paused"] = asdict(service.jobs.paused) if service.jobs.paused else None
    found["warnings"] += service.jobs.arrivals.warnings()
    found["warnings"] += [_ending(served) for served in service.served if (served.until or math.inf) < service.clock() + SOON]
    wrong = [info for info in service.plugins.names() if info.enabled and info.error]
    found["warnings"] += [f"The plugin {info.name} does not work: {info.error}" for info in wrong]
    found["served"] = [asdict(served) for served in service.served]
    found["plugins"] = await plugin_lines(service)
    return found


async def plugin_lines(service: Service) -> dict[str, str]:
    """What plugins say of themselves. One that takes its time is not waited for: it is asked on, and heard the next time."""
    if not service.plugins.having("status"):
        return {}
    asked = asyncio.create_task(asyncio.to_thread(service.plugins.status_lines))
    service.background.add(asked)
    asked.add_done_callback(service.background.discard)
    await asyncio.wait({asked}, timeout=PATIENCE)
    return asked.result() if asked.done() else service.plugins.last_lines


def collect(db: Database, places: Places, settings: Settings, voter_id: int = 1) -> dict[str, Any]:
    """What the databases say. Times are seconds since 1970, sizes bytes."""
    watched = [root for root in roots.all_roots(db) if root.reason != roots.NO_LONGER_WATCHED]
    said = answers.counts(db, voter_id)
    model = scores.newest_model(db, voter_id)
    certificate, sentence, needed = verdict.of_taste(db, voter_id, settings.ask)
    disk, steady, counts = _disk(places), ask.until_steady(db, voter_id), photos.counts(db)
    return {
        "version": __version__,
        "roots": [
            {
                "id": root.id, "path": _shown(root.path), "state": root.state,
                "reason": root.reason or roots.suggest_only(db, root.id), "photos": photos.present_count(db, root.id),
                "suggest_only": root.marker is None or roots.suggest_only(db, root.id) is not None,
            }
            for root in watched
        ],
        "photos": {state.value: count for state, count in counts.items()},
        "unsupported": files.unsupported(db),
        "apart": photos.ambiguous_count(db),
        "answers": {
            "votes": said["votes"],
            "train": said.get("train", 0),
            "train_goal": settings.ask.train_labels,
            "test": said.get("test", 0),
            "test_goal": settings.ask.test_labels,
            "audit": said.get("audit", 0),
            "review": said.get("review", 0),
            "steady": asdict(steady) if steady else None,
        },
        "groups": groups.counts(db),
        "jobs": [
            {"name": name, "last": asdict(last) if (last := job_runs.last(db, name)) else None, "next_at": None, "waits": None}
            for name in JOBS
        ],
        "running": [],
        "served": [],
        "paused": asdict(paused) if (paused := job_runs.paused(db, time.time())) else None,
        "model": model and {
            "run": model["run"], "at": model["at"], "champion": model["champion"],
            "metrics": model["report"].get("learners", {}).get(model["champion"], {}).get("test"),
        },
        "certificate": {"certified": certificate is not None, "sentence": sentence, "needed": needed},
        "group_certificates": verdict.of_groups(db, voter_id),
        "suggestions": {
            "open": suggestions.counts(db, voter_id)[SuggestionState.OPEN], "bytes": suggestions.open_bytes(db, voter_id),
        },
        "trash": dict(zip(("units", "bytes"), units.totals(db), strict=True)),
        "disk": disk,
        "warnings": _warnings(watched, places, counts),
    }  # fmt: skip


def _warnings(watched: list[Any], places: Places, counts: dict[PhotoState, int]) -> list[str]:
    found = [root.reason for root in watched if root.state is not RootState.WATCHED and root.reason]
    for folder in {place.stat().st_dev: place for place in (places.cache, places.data) if place.exists()}.values():
        if (free := shutil.disk_usage(folder).free) < LITTLE_SPACE:
            found.append(f"Only {free // 1_000_000} MB are free on the disk of {folder}.")
    if counts[PhotoState.BROKEN]:
        found.append(
            f"{counts[PhotoState.BROKEN]:,} files cannot be read as photos; the page of photos lists them with the reason."
        )
    return found


def _ending(served: Served) -> str:
    end = time.strftime("%Y-%m-%d", time.localtime(served.until))
    return (
        f"The certificate of {served.url} ends on {end}. Renew it, then: precious-daemon reload. One that was made here is "
        "renewed by a restart."
    )


def _disk(places: Places) -> dict[str, int]:
    return {
        "library_db": _size(places.library_db),
        "cache_db": _size(places.cache_db),
        "reports": sum(file.stat().st_size for file in places.reports.rglob("*") if file.is_file()),
        "free": shutil.disk_usage(places.data).free,
    }


def _size(file: Path) -> int:
    """Of a database with its write-ahead log."""
    return sum(part.stat().st_size for part in (file, file.with_name(file.name + "-wal")) if part.exists())


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")
