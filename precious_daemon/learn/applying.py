"""The apply task: a model that was brought along scores every photo of this library."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from precious_daemon.grouping.measures import Floats, Ints
from precious_daemon.learn import head, photos
from precious_daemon.learn.champion import NAMES
from precious_daemon.learn.data import features, open_cache, raw_measures
from precious_daemon.learn.energy import Meter
from precious_daemon.learn.limits import Deadline, Refused, cost
from precious_daemon.work import jobfolder

BATCH = 256  # photos scored at once: what they need fits into a core's cache


def apply(folder: Path, job: dict[str, Any], deadline: Deadline) -> None:
    """Reads model.safetensors in the folder; leaves scores.bin and, last, report.json. Raises Refused."""
    meter = Meter()
    jobfolder.say("reading the model", 0, 0)
    model = head.load(folder / "model.safetensors", str(job["backbone"]))
    ids, keep, taste = _scores(folder, job, model)
    if not len(ids):
        raise Refused("No photo has been looked at yet, so there is nothing to score. Run the embed job first.")
    photos.write_scores(folder, ids, keep, taste)
    why = (
        f"{NAMES[model.champion]}, as {job['came_from']} has it: it was taught elsewhere. How well it knows you is not known yet."
    )
    words = {
        "run": job["run"], "champion": model.champion, "why": why, "photos": len(ids), "votes": 0,
        "learners": {model.champion: {"cv_ap": None, "test": None}}, "labels": {}, "mistakes": [], "examples": [],
        "reliability": [], "pr_curve": [], "cost": cost(deadline, meter), "brought_along": True,
    }  # fmt: skip
    jobfolder.write_json(folder, "report.json", words)


def _scores(folder: Path, job: dict[str, Any], model: head.Head) -> tuple[Ints, Floats, Floats]:
    """(ids, keep, taste) of the photos that were looked at, (n,) each, in the order of their ids."""
    every = photos.read(folder)
    keep, taste = (np.full(len(every), np.nan, dtype=np.float32) for _ in range(2))
    done = 0
    with closing(open_cache(str(job["cache_db"]))) as cache, torch.inference_mode():
        measures = raw_measures(cache, every)
        numbers = torch.full((BATCH, len(model.numbers)), torch.nan)  # what plugins measured there
        for where, block in features(cache, str(job["backbone"]), every):
            for start in range(0, len(where), BATCH):
                some = where[start : start + BATCH]
                raw = torch.cat([torch.from_numpy(measures[some]), numbers[: len(some)]], dim=1)
                keep[some], taste[some] = (side.numpy() for side in model(torch.from_numpy(block[start : start + BATCH]), raw))
            done += len(where)
            jobfolder.say("scoring every photo", done, len(every))
    order = np.argsort(every.ids)
    order = order[~np.isnan(keep[order])]
    return every.ids[order], keep[order], taste[order]
