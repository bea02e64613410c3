"""Reads a learn job: photos with their features, labels by purpose, votes.

Features are read from the cache twice: those of the sample that the space is fitted on, and all, block by block, to be placed
in it. A million photos take 640 MB as coordinates, and would take 5 GB as features.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from precious_daemon.grouping.measures import FACTS, MEASURES, Floats, Ints, filled
from precious_daemon.learn import photos
from precious_daemon.learn.photos import Hashes, Photos
from precious_daemon.learn.space import Examples, Space
from precious_daemon.models import TRAINING, Label
from precious_daemon.work import jobfolder

SAMPLE = 10_000  # photos that the space is fitted on
BLOCK = 2_048  # rows placed at once


@dataclass(frozen=True, slots=True)
class Answers:
    """Labels of one use: positions among the photos, and 1 where the owner said "delete"."""

    where: Ints  # (L,)
    deleted: Ints  # (L,)
    age: Ints  # (L,): how many of these answers are newer

    def __len__(self) -> int:
        return len(self.where)

    def counts(self) -> tuple[int, int]:
        """(deleted, kept)."""
        return int(self.deleted.sum()), int((1 - self.deleted).sum())

    def both(self, least: int = 2) -> bool:
        return min(self.counts()) >= least


@dataclass(frozen=True, slots=True)
class Task:
    """All that a learn job is given."""

    ids: Ints  # (n,) photo ids
    hashes: Hashes  # (n, 32)
    examples: Examples
    space: Space
    train: Answers
    test: Answers  # held-out answers; none of a burst that is trained on
    votes: Ints  # (V, 2) positions: winner, loser
    purposes: dict[str, int]  # how many labels of each purpose were given


def open_cache(path: str) -> sqlite3.Connection:
    """The cache, for reading only."""
    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=10)


def seen(cache: sqlite3.Connection, content_hash: bytes) -> bytes | None:
    """The JPEG that the network looks at: the preview while the cache has it, else the thumbnail."""
    sql = """
        SELECT coalesce(preview, thumbnail) FROM pictures LEFT JOIN previews USING (content_hash) WHERE content_hash = ?
    """
    row = cache.execute(sql, [content_hash]).fetchone()
    return row[0] if row else None


def read(folder: Path, job: Mapping[str, Any]) -> Task:
    """The job's photos that have features, and the answers about them."""
    every = photos.read(folder)
    rng = np.random.default_rng(int(job["seed"]))
    sampled = np.flatnonzero(rng.permutation(len(every)) < SAMPLE)
    with closing(open_cache(str(job["cache_db"]))) as cache:
        measures = np.hstack([raw_measures(cache, every), _of_plugins(folder, every)])
        space = _space(features(cache, str(job["backbone"]), every, sampled), measures)
        if space is None:
            return _nothing()
        look = np.full((len(every), space.axes.shape[1]), np.nan, dtype=np.float32)
        for where, block in features(cache, str(job["backbone"]), every):
            look[where] = space.look(block)
    examples, ids, hashes = Examples(look, space.measures(measures), every.bursts), every.ids, every.hashes
    seen = ~np.isnan(look[:, 0])
    if not seen.all():  # else no copy
        examples, ids, hashes = examples.take(np.flatnonzero(seen)), ids[seen], hashes[seen]
    labels, votes = jobfolder.read_labels(folder), [vote for vote in jobfolder.read_votes(folder) if not vote.draw]
    spoken_of = {x.photo_id for x in labels} | {photo for vote in votes for photo in (vote.winner, vote.loser)}
    position = photos.positions(ids, spoken_of)
    train = _answers((x for x in labels if x.purpose in TRAINING), position)
    test = _answers((x for x in labels if x.purpose == "test"), position)
    apart = ~np.isin(examples.group[test.where], examples.group[train.where])
    pairs = [(position[v.winner], position[v.loser]) for v in votes if v.winner in position and v.loser in position]
    purposes = {name: sum(x.purpose == name for x in labels) for name in ("train", "review", "test", "audit")}
    return Task(
        ids, hashes, examples, space, train,
        Answers(test.where[apart], test.deleted[apart], test.age[apart]),
        np.array(pairs, dtype=np.int64).reshape(-1, 2), purposes,
    )  # fmt: skip


def _space(sample: Iterator[tuple[Ints, Floats]], measures: Floats) -> Space | None:
    """Fitted on blocks of (positions, features); None where there are none."""
    parts = list(sample)
    if not parts:
        return None
    return Space.fit(np.concatenate([block for _, block in parts]), measures[np.concatenate([where for where, _ in parts])])


def raw_measures(cache: sqlite3.Connection, every: Photos) -> Floats:
    """(n, MEASURES) as they were taken."""
    return np.hstack([every.facts, _quality(cache, every)])


def _answers(labels: Iterator[Label], position: Mapping[int, int]) -> Answers:
    """The newest label of each photo that is there, by position."""
    newest = {position[x.photo_id]: (x.at, not x.keep) for x in sorted(labels, key=lambda x: x.at) if x.photo_id in position}
    where = sorted(newest)
    order = sorted(where, key=lambda i: newest[i][0], reverse=True)
    age = {place: older for older, place in enumerate(order)}
    return Answers(
        np.array(where, dtype=np.int64),
        np.array([newest[i][1] for i in where], dtype=np.int64),
        np.array([age[i] for i in where], dtype=np.int64),
    )


def features(cache: sqlite3.Connection, backbone: str, every: Photos, among: Ints | None = None) -> Iterator[tuple[Ints, Floats]]:
    """Blocks of (positions, features in float32): of all photos in the order of the cache, or of those at these positions."""
    chosen = np.ones(len(every), dtype=bool)
    rows: Iterator[tuple[bytes, bytes]]
    if among is None:
        rows = cache.execute("SELECT content_hash, vector FROM embeddings WHERE backbone = ?", [backbone])
    else:
        chosen[:] = False
        chosen[among] = True
        rows = _vectors(cache, backbone, {row.tobytes() for row in every.hashes[among]})
    while part := list(islice(rows, BLOCK)):
        which, where = every.find([key for key, _ in part])
        which, where = which[chosen[where]], where[chosen[where]]
        if len(where):
            vectors = np.frombuffer(b"".join(vector for _, vector in part), dtype="<f2").reshape(len(part), -1)
            yield where, vectors[which].astype(np.float32)


def _vectors(cache: sqlite3.Connection, backbone: str, wanted: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    left = iter(sorted(wanted))
    while keys := list(islice(left, 500)):
        marks = ",".join("?" * len(keys))
        sql = f"SELECT content_hash, vector FROM embeddings WHERE content_hash IN ({marks}) AND backbone = ?"
        yield from cache.execute(sql, [*keys, backbone])


def _quality(cache: sqlite3.Connection, every: Photos) -> Floats:
    """(n, measures of Quality)."""
    table = np.full((len(every), MEASURES - FACTS), np.nan, dtype=np.float32)
    rows = cache.execute("SELECT content_hash, quality FROM pictures")
    while part := rows.fetchmany(BLOCK):
        which, where = every.find([key for key, _ in part])
        table[where] = np.frombuffer(b"".join(blob for _, blob in part), dtype="<f4").reshape(len(part), -1)[which]
    return filled(table)


def _of_plugins(folder: Path, every: Photos) -> Floats:
    """(n, numbers) that plugins measured, by their names; the mean of those that are known where one is not."""
    told = list(jobfolder.read_numbers(folder))
    names = {name: column for column, name in enumerate(number_names(folder))}
    table = np.full((len(every), len(names)), np.nan, dtype=np.float32)
    for which, place in zip(*(found.tolist() for found in every.find([content for content, _ in told])), strict=True):
        for name, value in told[which][1].items():
            table[place, names[name]] = value
    return filled(table)


def number_names(folder: Path) -> list[str]:
    """Names of the numbers that plugins measured, in the order of their columns, which come after those of MEASURES."""
    return sorted({name for _, numbers in jobfolder.read_numbers(folder) for name in numbers})


def _nothing() -> Task:
    none, flat = np.zeros(0, dtype=np.int64), np.zeros((0, 1), dtype=np.float32)
    space = Space(flat.sum(0), flat, np.zeros(MEASURES, dtype=np.float32), np.ones(MEASURES, dtype=np.float32))
    examples = Examples(flat, np.zeros((0, MEASURES), dtype=np.float32), none)
    nobody = Answers(none, none, none)
    return Task(none, np.zeros((0, 32), dtype=np.uint8), examples, space, nobody, nobody, none.reshape(0, 2), {})
