"""Reads a learn job: photos with their features, labels by purpose, votes.

Features are streamed from the cache, once for the sample that the space is fitted on and once to be placed in it: a million
photos take 640 MB as coordinates, and would take 5 GB as features.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from precious_daemon import jobfolder
from precious_daemon.jobfolder import PhotoRow
from precious_daemon.learn.space import Examples, Space
from precious_daemon.measures import MEASURES, Floats, Ints, facts, qualities
from precious_daemon.models import TRAINING, Label, Quality

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
    hashes: list[bytes]  # n content hashes
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
    rows = jobfolder.read_photos(folder)
    group = np.array([row.burst for row in rows], dtype=np.int64)
    places = places_of(rows)
    rng = np.random.default_rng(int(job["seed"]))
    sampled = rng.permutation(len(rows)) < SAMPLE
    with closing(open_cache(str(job["cache_db"]))) as cache:
        measures = np.hstack([raw_measures(cache, rows, places), _of_plugins(folder, places, len(rows))])
        sample = list(features(cache, str(job["backbone"]), places, sampled))
        if not sample:
            return _nothing()
        space = Space.fit(np.concatenate([block for _, block in sample]), measures[np.concatenate([p for p, _ in sample])])
        look = np.full((len(rows), space.axes.shape[1]), np.nan, dtype=np.float32)
        for where, block in features(cache, str(job["backbone"]), places):
            look[where] = space.look(block)
    seen = np.flatnonzero(~np.isnan(look[:, 0]))
    ids = np.array([rows[i].id for i in seen], dtype=np.int64)
    position = {int(photo): place for place, photo in enumerate(ids)}
    labels = jobfolder.read_labels(folder)
    examples = Examples(look[seen], space.measures(measures[seen]), group[seen])
    train = _answers((x for x in labels if x.purpose in TRAINING), position)
    test = _answers((x for x in labels if x.purpose == "test"), position)
    apart = ~np.isin(examples.group[test.where], examples.group[train.where])
    votes = [(position[v.winner], position[v.loser]) for v in jobfolder.read_votes(folder)
             if not v.draw and v.winner in position and v.loser in position]  # fmt: skip
    purposes = {name: sum(x.purpose == name for x in labels) for name in ("train", "review", "test", "audit")}
    return Task(
        ids, [bytes.fromhex(rows[i].content_hash) for i in seen], examples, space, train,
        Answers(test.where[apart], test.deleted[apart], test.age[apart]),
        np.array(votes, dtype=np.int64).reshape(-1, 2), purposes,
    )  # fmt: skip


def places_of(rows: Sequence[PhotoRow]) -> dict[bytes, list[int]]:
    """Positions of the photos of each content."""
    places: dict[bytes, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(bytes.fromhex(row.content_hash), []).append(place)
    return places


def raw_measures(cache: sqlite3.Connection, rows: Sequence[PhotoRow], places: Mapping[bytes, list[int]]) -> Floats:
    """(n, MEASURES) as they were taken."""
    group = np.array([row.burst for row in rows], dtype=np.int64)
    return np.hstack([facts(rows, group), _quality(cache, places, len(rows))])


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


def features(
    cache: sqlite3.Connection, backbone: str, places: Mapping[bytes, list[int]], only: np.ndarray[Any, Any] | None = None
) -> Iterator[tuple[Ints, Floats]]:
    """Blocks of (positions, features in float32), in the order of the cache."""
    where: list[int] = []
    vectors: list[bytes] = []
    counts: list[int] = []

    def block() -> tuple[Ints, Floats]:
        read = np.frombuffer(b"".join(vectors), dtype="<f2").reshape(len(vectors), -1).astype(np.float32)
        return np.array(where, dtype=np.int64), np.repeat(read, counts, axis=0)

    for key, vector in cache.execute("SELECT content_hash, vector FROM embeddings WHERE backbone = ?", [backbone]):
        found = [i for i in places.get(key, ()) if only is None or only[i]]
        if found:
            where += found
            vectors.append(vector)
            counts.append(len(found))
        if len(vectors) == BLOCK:
            yield block()
            where, vectors, counts = [], [], []
    if vectors:
        yield block()


def _quality(cache: sqlite3.Connection, places: Mapping[bytes, list[int]], count: int) -> Floats:
    """(count, measures of Quality)."""
    found: list[Quality | None] = [None] * count
    for key, blob in cache.execute("SELECT content_hash, quality FROM pictures"):
        for place in places.get(key, ()):
            found[place] = Quality.unpack(blob)
    return qualities(found)


def _of_plugins(folder: Path, places: Mapping[bytes, list[int]], count: int) -> Floats:
    """(count, numbers) that plugins measured, by their names; the mean of those that are known where one is not."""
    told = list(jobfolder.read_numbers(folder))
    names = {name: column for column, name in enumerate(number_names(folder))}
    table = np.full((count, len(names)), np.nan, dtype=np.float32)
    for content, numbers in told:
        for place in places.get(content, ()):
            for name, value in numbers.items():
                table[place, names[name]] = value
    known = np.isfinite(table)
    middle = np.where(known, table, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, table, middle).astype(np.float32)


def number_names(folder: Path) -> list[str]:
    """Names of the numbers that plugins measured, in the order of their columns, which come after those of MEASURES."""
    return sorted({name for _, numbers in jobfolder.read_numbers(folder) for name in numbers})


def _nothing() -> Task:
    none, flat = np.zeros(0, dtype=np.int64), np.zeros((0, 1), dtype=np.float32)
    space = Space(flat.sum(0), flat, np.zeros(MEASURES, dtype=np.float32), np.ones(MEASURES, dtype=np.float32))
    examples = Examples(flat, np.zeros((0, MEASURES), dtype=np.float32), none)
    return Task(none, [], examples, space, Answers(none, none, none), Answers(none, none, none), none.reshape(0, 2), {})
