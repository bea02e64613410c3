"""The clusters' part of the grouping child: features in, clusters, representatives and the map out.

Reads what the newest clustering left in `cache.db`. Where that still holds, photos that came since are only put into its
clusters: a thousand new ones do not cluster a million anew. Leaves clusters.csv, which holds all photos or the new ones, and
clusters.json, which says which, and why; with new clusters also model.npz.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from precious_daemon.grouping.cluster import Clusters, Options, cluster
from precious_daemon.grouping.cluster.count import best
from precious_daemon.grouping.cluster.kmeans import Indexes, Points, nearest_centre
from precious_daemon.grouping.cluster.layout import Layout, lay_out, places_in
from precious_daemon.grouping.cluster.model import Model, outgrown, renumbered
from precious_daemon.grouping.cluster.space import Features, Space
from precious_daemon.grouping.groups import Looks
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow

WEIGHTS = {"embedding": 1.0, "hog": 0.5, "pixels": 0.5}  # what is in a picture counts more than how it lies
PIXELS = 16  # a side


@dataclass(frozen=True, slots=True)
class Before:
    """The clustering that is there: `clusters` of its photos by id, `depth` of its map, what `came` since and how `far` it is."""

    model: Model
    settings: dict[str, Any]
    clusters: dict[int, int]
    depth: int
    came: int
    far: float


def run(
    folder: Path, job: dict[str, Any], photos: Sequence[PhotoRow], looks: Looks, telling: Callable[[], Sequence[int]]
) -> None:
    """Leave clusters in the job folder. `telling`: positions of photos, first those whose labels say most about the others."""
    cache_db, kinds = Path(job["cache_db"]), _kinds(job["clusters"]["features"], looks)
    settings = job["clusters"] | {"kinds": kinds, "backbone": job["backbone"], "representatives_wanted": job["representatives"]}
    features = [_matrix(kind, folder, cache_db, photos, looks) for kind in kinds]
    before = read_before(cache_db, len(photos))
    why = _why_anew(before, settings, features, photos)
    if before is None or why:
        weights = [WEIGHTS[kind] if len(kinds) > 1 else 1.0 for kind in kinds]
        _make(folder, job, settings, photos, features, weights, before, why, telling)
    else:
        _add(folder, settings, photos, features, before)


# --- anew, or not ------------------------------------------------------------------------------------------------------


def _why_anew(
    before: Before | None, settings: dict[str, Any], features: Sequence[Features], photos: Sequence[PhotoRow]
) -> str | None:
    if before is None:
        return "there were none yet"
    if before.settings != settings or not before.model.space.fits(features):
        return "what they are made of was set or read anew"
    ids = {photo.id for photo in photos}
    new = np.array([i for i, photo in enumerate(photos) if photo.id not in before.clusters], dtype=np.int64)
    far = before.far * before.came
    if len(new):
        _, distance = nearest_centre(before.model.space.points([matrix[new] for matrix in features]), before.model.centres)
        far += float(distance.sum())
    came = before.came + len(new)
    return outgrown(before.model, came, len(before.clusters.keys() - ids), far / max(came, 1))


def read_before(cache_db: Path, count: int) -> Before | None:
    """The newest clustering in the cache, where there is one that can be read."""
    with closing(sqlite3.connect(f"{cache_db.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        row = db.execute("SELECT settings, model FROM cluster_runs ORDER BY id DESC LIMIT 1").fetchone()
        if row is None or count == 0:
            return None
        clusters = dict(db.execute("SELECT photo_id, cluster FROM clusters").fetchall())
        depth = db.execute("SELECT coalesce(max(level), 0) FROM clusters WHERE added = 0").fetchone()[0]
        came, far = db.execute("SELECT count(*), coalesce(avg(distance), 0) FROM clusters WHERE added = 1").fetchone()
    return Before(Model.unpack(row[1]), json.loads(row[0]), clusters, depth, came, far) if clusters else None


def _make(
    folder: Path,
    job: dict[str, Any],
    settings: dict[str, Any],
    photos: Sequence[PhotoRow],
    features: Sequence[Features],
    weights: Sequence[float],
    before: Before | None,
    why: str | None,
    telling: Callable[[], Sequence[int]],
) -> None:
    seed = job["seed"]
    space = Space.fit(list(zip(features, weights, strict=True)), seed)
    points = space.points(features)
    by_cluster = "nearest" if settings["representatives"] == "telling" else settings["representatives"]
    options = Options(settings["method"], settings["score"], by_cluster)
    found = cluster(points, job["representatives"], seed, options, _doubt(job, photos))
    if before and len(photos):
        found = _called_as_before(found, np.array([before.clusters.get(photo.id, -1) for photo in photos]))
    used, dense = np.unique(found.assignment, return_inverse=True)  # numbers may have gaps: an old one may be gone
    layout = lay_out(points, dense, found.distance, found.centres[used], seed)
    discs = np.zeros((len(found.centres), 3), np.float32)
    discs[used] = layout.discs
    model = Model(space, found.centres, discs, len(photos), float(found.distance.mean()))
    (folder / "model.npz").write_bytes(model.pack())
    k = best(found.scores, settings["score"]).k if found.scores else 1
    made = {"anew": True, "why": why, "k": k, "clusters": len(used), "scores": [asdict(score) for score in found.scores]}
    on_map = [[c, *disc] for c, disc in zip(used.tolist(), layout.discs.tolist(), strict=True)]
    jobfolder.write_json(
        folder, "clusters.json", made | {"settings": settings, "count": len(photos), "discs": on_map, "unit": layout.unit}
    )
    chosen = telling() if settings["representatives"] == "telling" else _of_the_largest_first(found)
    places = {i: place for place, i in enumerate(chosen, 1)}
    rows = zip(photos, found.assignment.tolist(), found.distance.tolist(), *_lists(layout), strict=True)
    _write(folder, ((p.id, c, far, places.get(i, 0), x, y, level) for i, (p, c, far, x, y, level) in enumerate(rows)))


def _of_the_largest_first(found: Clusters) -> list[int]:
    sizes = np.bincount(found.assignment)
    order = np.argsort(-sizes[found.assignment[found.representatives]], kind="stable")
    return list(found.representatives[order].tolist())


def _lists(layout: Layout) -> tuple[list[float], list[float], list[int]]:
    return layout.x.tolist(), layout.y.tolist(), layout.level.tolist()


def _called_as_before(found: Clusters, before: Indexes) -> Clusters:
    called = renumbered(found.assignment, before)
    centres = np.full((int(called.max()) + 1, found.centres.shape[1]), 1e6, np.float32)  # where nobody is: nobody comes there
    centres[called] = found.centres
    return Clusters(called[found.assignment], found.distance, found.representatives, centres, found.scores)


def _add(
    folder: Path, settings: dict[str, Any], photos: Sequence[PhotoRow], features: Sequence[Features], before: Before
) -> None:
    """Put photos that came since into the clusters that there are, around those that are in them."""
    model = before.model
    new = [i for i, photo in enumerate(photos) if photo.id not in before.clusters]
    sizes = np.bincount(list(before.clusters.values()), minlength=len(model.centres))
    assignment, distance = nearest_centre(model.space.points([matrix[new] for matrix in features]), model.centres)
    place = np.zeros((len(new), 2), np.float32)
    for c in np.unique(assignment).tolist():
        members = np.flatnonzero(assignment == c)
        place[members[np.argsort(distance[members])]] = places_in(model.discs[c], int(sizes[c]), len(members))
    _write(
        folder,
        (
            (photos[i].id, c, far, 0, x, y, before.depth)
            for i, c, far, (x, y) in zip(new, assignment.tolist(), distance.tolist(), place.tolist(), strict=True)
        ),
    )
    jobfolder.write_json(folder, "clusters.json", {"anew": False, "why": None, "settings": settings, "count": len(new)})


def _write(folder: Path, rows: Iterable[Sequence[Any]]) -> None:
    """clusters.csv, whole or not at all."""
    part = folder / "clusters.csv.part"
    with open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo_id", "cluster", "distance", "representative", "x", "y", "level"])
        for photo_id, number, distance, place, x, y, level in rows:
            writer.writerow([photo_id, number, f"{distance:.6g}", place, f"{x:.7g}", f"{y:.7g}", level])
    part.replace(folder / "clusters.csv")


# --- features ----------------------------------------------------------------------------------------------------------


def _kinds(wanted: str, looks: Looks) -> list[str]:
    """The kinds of features that are used; gradients alone while fewer than half of the photos are embedded."""
    kinds = wanted.split("+")
    if "embedding" in kinds and 2 * np.count_nonzero(looks.embedding.any(axis=1)) < len(looks.embedding):
        return [kind for kind in kinds if kind != "embedding"] or ["hog"]
    return kinds


def _matrix(kind: str, folder: Path, cache_db: Path, photos: Sequence[PhotoRow], looks: Looks) -> Features:
    if kind == "pixels":
        return read_pixels(folder / "pixels.f16", cache_db, [bytes.fromhex(photo.content_hash) for photo in photos])
    matrices: dict[str, Features] = {"embedding": looks.embedding, "hog": looks.hog}
    return matrices[kind]


def read_pixels(file: Path, cache_db: Path, keys: Sequence[bytes]) -> Features:
    """(n, 3 * PIXELS^2) colours of the 3 KB proxies, about their mean; in a mapped file, for they may be more than memory."""
    if not keys:
        return np.zeros((0, 3 * PIXELS**2), np.float16)
    out = np.memmap(file, np.float16, "w+", shape=(len(keys), 3 * PIXELS**2))
    with closing(sqlite3.connect(f"{cache_db.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        for i, key in enumerate(keys):
            row = db.execute("SELECT proxy FROM pictures WHERE content_hash = ?", [key]).fetchone()
            if row and row[0]:
                out[i] = _colours(simplejpeg.decode_jpeg(row[0], "RGB"))
    return out


def _colours(image: NDArray[np.uint8]) -> Points:
    """Means over a grid of cells, less the mean of all: what is where, whatever the exposure."""
    rows, columns = (np.linspace(0, n, PIXELS + 1).astype(int) for n in image.shape[:2])
    rows[1:], columns[1:] = np.maximum(rows[1:], 1), np.maximum(columns[1:], 1)
    starts = np.minimum(rows[:-1], image.shape[0] - 1), np.minimum(columns[:-1], image.shape[1] - 1)
    cells = np.add.reduceat(np.add.reduceat(image.astype(np.float32), starts[0], 0), starts[1], 1)
    ones = np.add.reduceat(np.add.reduceat(np.ones(image.shape[:2], np.float32), starts[0], 0), starts[1], 1)
    means = cells / ones[..., None] / 255
    return np.asarray((means - means.mean()).ravel(), dtype=np.float32)


def _doubt(job: dict[str, Any], photos: Sequence[PhotoRow]) -> Points | None:
    """How unsure the model is of each photo, 1 where keeping it is as likely as not; None while there is no model."""
    if job["clusters"]["representatives"] != "uncertain":
        return None
    with closing(sqlite3.connect(f"{Path(job['cache_db']).absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        keep = dict(db.execute("SELECT photo_id, keep FROM scores WHERE voter_id = ?", [job.get("voter", 1)]).fetchall())
    if not keep:
        return None
    return np.array([1 - abs(2 * keep.get(photo.id, 1.0) - 1) for photo in photos], dtype=np.float32)
