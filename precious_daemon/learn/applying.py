"""The apply task: a model that was brought along scores every photo of this library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from precious_daemon import jobfolder
from precious_daemon.learn import head
from precious_daemon.learn.champion import NAMES
from precious_daemon.learn.data import features, open_cache, places_of, raw_measures
from precious_daemon.learn.energy import Meter
from precious_daemon.learn.limits import Deadline, Refused, cost
from precious_daemon.models import Score


def apply(folder: Path, job: dict[str, Any], deadline: Deadline) -> None:
    """Reads model.safetensors in the folder; leaves scores.bin and, last, report.json. Raises Refused."""
    meter = Meter()
    jobfolder.say("reading the model", 0, 0)
    model = head.load(folder / "model.safetensors", str(job["backbone"]))
    scores = list(_scores(folder, job, model))
    if not scores:
        raise Refused("No photo has been looked at yet, so there is nothing to score. Run the embed job first.")
    jobfolder.write_scores(folder, sorted(scores, key=lambda score: score.photo_id))
    why = (
        f"{NAMES[model.champion]}, as {job['came_from']} has it: it was taught elsewhere. How well it knows you is not known yet."
    )
    words = {
        "run": job["run"], "champion": model.champion, "why": why, "photos": len(scores), "votes": 0,
        "learners": {model.champion: {"cv_ap": None, "test": None}}, "labels": {}, "mistakes": [], "examples": [],
        "reliability": [], "pr_curve": [], "cost": cost(deadline, meter), "brought_along": True,
    }  # fmt: skip
    jobfolder.write_json(folder, "report.json", words)


def _scores(folder: Path, job: dict[str, Any], model: head.Head) -> Iterator[Score]:
    rows = jobfolder.read_photos(folder)
    places = places_of(rows)
    done = 0
    with closing(open_cache(str(job["cache_db"]))) as cache, torch.inference_mode():
        measures = torch.from_numpy(raw_measures(cache, rows, places))
        for where, block in features(cache, str(job["backbone"]), places):
            known = measures[torch.from_numpy(where)]
            unknown = torch.full((len(where), len(model.numbers)), torch.nan)  # what plugins measured there
            keep, taste = model(torch.from_numpy(block), torch.cat([known, unknown], dim=1))
            yield from (Score(rows[i].id, k, t) for i, k, t in zip(where.tolist(), keep.tolist(), taste.tolist(), strict=True))
            done += len(where)
            jobfolder.say("scoring every photo", done, len(rows))
