"""The embed task: previews or thumbnails in, one record of features for each appended to embeddings.bin."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from precious_daemon import jobfolder
from precious_daemon.learn import backbone
from precious_daemon.learn.data import open_cache, seen
from precious_daemon.learn.energy import Meter
from precious_daemon.learn.limits import Deadline, Refused, cost


def embed(folder: Path, job: dict[str, Any], deadline: Deadline) -> bool:
    """True when all that was wanted was looked at; False when the time was up before. What is written is whole."""
    if job["backbone"] != backbone.named(job):
        raise Refused(f'There is no network named "{job["backbone"]}"; this version has {backbone.NAME}.')
    meter = Meter()
    wanted = _hashes((folder / "wanted.bin").read_bytes())
    network = backbone.Backbone(job.get("network"))
    before = _drop_cut_record(folder, network.dimension)
    left = [key for key in dict.fromkeys(wanted) if key not in before]
    about = {"backbone": network.name, "dimension": network.dimension}
    run = _Run(folder, len(before), len(before) + len(left), about, lambda: cost(deadline, meter))
    run.report()
    with closing(open_cache(job["cache_db"])) as cache, open(folder / "embeddings.bin", "ab", buffering=0) as file:
        for keys, pictures in _batches(_pictures(cache, left, run)):
            features = network(pictures).to(torch.float16).numpy()
            file.write(b"".join(key + row.tobytes() for key, row in zip(keys, features, strict=True)))
            run.done += len(keys)
            run.report()
            if deadline.passed():
                return False
    return True


class _Run:
    """How far it is, in meta.json and on stdout, and what was passed over."""

    def __init__(self, folder: Path, done: int, total: int, about: dict[str, Any], cost: Callable[[], dict[str, float]]) -> None:
        self.done, self._folder, self._total, self._about, self._cost = done, folder, total, about, cost
        self._skipped: list[dict[str, str]] = []

    def report(self) -> None:
        meta = self._about | {"done": self.done, "total": self._total, "cost": self._cost()}
        jobfolder.write_json(self._folder, "meta.json", meta)
        jobfolder.say("looking at photos", self.done + len(self._skipped), self._total)

    def skip(self, key: bytes, why: str) -> None:
        self._skipped.append({"content_hash": key.hex(), "why": why})
        jobfolder.write_json(self._folder, "skipped.json", self._skipped)


def _hashes(blob: bytes) -> list[bytes]:
    size = jobfolder.HASH_BYTES
    return [blob[i : i + size] for i in range(0, len(blob) - size + 1, size)]


def _drop_cut_record(folder: Path, dimension: int) -> set[bytes]:
    """Hashes that an earlier run on this folder has done. A record that it was stopped in is cut off."""
    done = {key for key, _ in jobfolder.read_embeddings(folder, dimension)}
    with open(folder / "embeddings.bin", "ab") as file:
        file.truncate(len(done) * (jobfolder.HASH_BYTES + 2 * dimension))
    return done


def _pictures(cache: sqlite3.Connection, keys: list[bytes], run: _Run) -> Iterator[tuple[bytes, Tensor]]:
    for key in keys:
        jpeg = seen(cache, key)
        try:
            if jpeg is None:
                raise ValueError("it has no thumbnail yet")
            yield key, backbone.read_picture(jpeg)
        except ValueError as exc:
            run.skip(key, str(exc))


def _batches(pictures: Iterator[tuple[bytes, Tensor]]) -> Iterator[tuple[list[bytes], Tensor]]:
    """Pictures of one shape together. A library has few shapes, so that little waits for its like."""
    waiting: dict[tuple[int, ...], list[tuple[bytes, Tensor]]] = {}
    for key, picture in pictures:
        batch = waiting.setdefault(tuple(picture.shape), [])
        batch.append((key, picture))
        if len(batch) == backbone.BATCH:
            yield _together(waiting.pop(tuple(picture.shape)))
    for batch in waiting.values():
        yield _together(batch)


def _together(batch: list[tuple[bytes, Tensor]]) -> tuple[list[bytes], Tensor]:
    return [key for key, _ in batch], torch.stack([picture for _, picture in batch])
