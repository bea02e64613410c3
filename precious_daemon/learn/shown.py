"""Small pictures inside the night's page: what it got wrong, and what the photos it would let go look like."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
from PIL import Image

from precious_daemon.learn.baseline import Doubles
from precious_daemon.learn.data import Task, open_cache
from precious_daemon.learn.report import THRESHOLD

SIDE = 128  # pixels of the longer side
MOST = 12  # photos it would let go that are shown; wrong ones, as many as the report has
LARGEST = 6_000  # bytes of one


def examples(task: Task, keep: Doubles, evidence: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The photos likeliest to go that nobody has answered, with the labelled ones that they look like: {photo_id, keep, ...}."""
    answered = np.zeros(len(task.ids), dtype=bool)
    answered[np.concatenate([task.train.where, task.test.where])] = True
    order = np.argsort(keep, kind="stable")
    found = [i for i in order[: MOST + int(answered.sum())] if not answered[i] and keep[i] < 1 - THRESHOLD][:MOST]
    return [{"photo_id": int(task.ids[i]), "keep": float(keep[i]), **evidence.get(str(int(task.ids[i])), {})} for i in found]


def mentioned(report: Mapping[str, Any]) -> set[int]:
    """Ids of all photos that the page shows."""
    return {m["photo_id"] for m in report["mistakes"]} | {
        photo for one in report["examples"] for photo in (one["photo_id"], *one.get("deleted", ()), *one.get("kept", ()))
    }


def pictures(cache_db: str, hashes: Mapping[int, bytes]) -> dict[int, str]:
    """JPEGs as data URIs, by photo; those that the cache has nothing of are left out."""
    sql = "SELECT proxy, thumbnail FROM pictures WHERE content_hash = ?"
    found = {}
    with closing(open_cache(cache_db)) as cache:
        for photo, key in hashes.items():
            row = cache.execute(sql, [key]).fetchone()
            jpeg = row and (row[0] if 0 < len(row[0]) <= LARGEST else _small(row[1]))
            if jpeg:
                found[photo] = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
    return found


def _small(thumbnail: bytes) -> bytes | None:
    out = io.BytesIO()
    try:
        with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
            image.thumbnail((SIDE, SIDE))
            image.convert("RGB").save(out, "JPEG", quality=70)
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return None
    return out.getvalue()
