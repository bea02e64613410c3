"""The embed task: previews or thumbnails in, one record of features for each appended to embeddings.bin."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from precious_daemon.errors import ServiceError
from precious_daemon.learn import backbone
from precious_daemon.learn.backbone import Batch, Found
from precious_daemon.learn.data import open_cache, seen
from precious_daemon.learn.energy import Meter
from precious_daemon.learn.limits import Deadline, Refused, cost
from precious_daemon.work import jobfolder

Look = Callable[[Iterator[Batch]], Iterator[tuple[list[bytes], Found]]]


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
    with (
        closing(open_cache(job["cache_db"])) as cache,
        open(folder / "embeddings.bin", "ab", buffering=0) as file,
        _eyes(job, network, deadline) as (look, who),
    ):
        run = _Run(folder, len(before), len(before) + len(left), about | who, lambda: cost(deadline, meter))
        run.report()
        for keys, found in look(_batches(_pictures(cache, left, run), run)):
            file.write(b"".join(key + row for key, row in zip(keys, found, strict=True) if isinstance(row, bytes)))
            for key, why in zip(keys, found, strict=True):
                if isinstance(why, str):
                    run.skip(key, why)
            run.done += sum(isinstance(row, bytes) for row in found)
            run.report()
            if deadline.passed():
                return False
    return True


@contextmanager
def _eyes(job: dict[str, Any], network: backbone.Backbone, deadline: Deadline) -> Iterator[tuple[Look, dict[str, Any]]]:
    """Who looks at batches, and what to tell of that: the workers of the scheduler, or where there are none this process."""
    about: dict[str, Any] = {}
    if job.get("scheduler") is not None:
        from precious_daemon.learn.far import Workers

        try:
            workers = Workers(job["scheduler"], job.get("network"), network)
        except ServiceError as exc:
            about["notes"] = [f"Only this machine looked at photos. {exc}"]
        else:
            with closing(workers):
                yield partial(workers.look, deadline=deadline), {"workers": workers.count, "notes": workers.notes}
            return
    yield partial(_here, network), about


def _here(network: backbone.Backbone, batches: Iterator[Batch]) -> Iterator[tuple[list[bytes], Found]]:
    return ((keys, backbone.look(network, jpegs)) for keys, jpegs in batches)


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


def _pictures(cache: sqlite3.Connection, keys: list[bytes], run: _Run) -> Iterator[tuple[bytes, bytes]]:
    """(content hash, JPEG) of those that there are."""
    for key in keys:
        jpeg = seen(cache, key)
        if jpeg is None:
            run.skip(key, "it has no thumbnail yet")
        else:
            yield key, jpeg


def _batches(pictures: Iterator[tuple[bytes, bytes]], run: _Run) -> Iterator[Batch]:
    """Pictures of one shape together. A library has few shapes, so that little waits for its like."""
    waiting: dict[tuple[int, int], Batch] = {}
    for key, jpeg in pictures:
        try:
            shape = backbone.shape(jpeg)
        except ValueError as exc:
            run.skip(key, str(exc))
            continue
        keys, jpegs = waiting.setdefault(shape, ([], []))
        keys.append(key)
        jpegs.append(jpeg)
        if len(keys) == backbone.BATCH:
            yield waiting.pop(shape)
    yield from waiting.values()
