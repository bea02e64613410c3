"""Clusters as an owner sees them: each has a name and a photo that stands for it, and can be answered as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from precious_daemon.models import Choice, ClusterRow, Photo, Question
from precious_daemon.store import Database, answers, insert, photos, scores

RUNS = 10  # that are remembered
ANCHORS = 60  # members by which a name finds its cluster again
_COLUMNS = "(photo_id, cluster, distance, representative, x, y, level, added)"


@dataclass(frozen=True, slots=True)
class Cluster:
    """`size` counts the photos of the clustering, `nearest` are present ones: first who stands for it, then by distance.

    `disc` is its place on the map, whose sides are 1: x, y and radius.
    """

    number: int
    size: int
    name: str | None
    nearest: tuple[Photo, ...]
    disc: tuple[float, float, float]


# --- what grouping found -----------------------------------------------------------------------------------------------


def replace(
    db: Database, rows: Iterable[ClusterRow], made: dict[str, Any], discs: Iterable[tuple[int, float, float, float]] = (),
    model: bytes | None = None, now: float = 0.0,
) -> None:  # fmt: skip
    """New clusters in place of the old. `made` says how, and why that many; `discs` are (cluster, x, y, radius)."""
    db.execute("DELETE FROM cache.clusters")
    db.conn.executemany(f"INSERT INTO cache.clusters {_COLUMNS} VALUES (?, ?, ?, ?, ?, ?, ?, 0)", rows)
    db.execute("DELETE FROM cache.cluster_sizes")
    db.execute("INSERT INTO cache.cluster_sizes (cluster, size) SELECT cluster, count(*) FROM cache.clusters GROUP BY cluster")
    sql = "UPDATE cache.cluster_sizes SET x = ?, y = ?, radius = ? WHERE cluster = ?"
    db.conn.executemany(sql, ((x, y, radius, number) for number, x, y, radius in discs))
    db.execute("UPDATE cache.cluster_runs SET model = NULL")
    values = [now, json.dumps(made.get("settings", {})), json.dumps(made), model]
    db.execute("INSERT INTO cache.cluster_runs (at, settings, made, model) VALUES (?, ?, ?, ?)", values)
    db.execute("DELETE FROM cache.cluster_runs WHERE id <= (SELECT max(id) FROM cache.cluster_runs) - ?", [RUNS])
    place_names(db)


def add(db: Database, rows: Iterable[ClusterRow]) -> None:
    """Photos that came into the clusters that there are."""
    for row in rows:
        db.execute(f"INSERT OR IGNORE INTO cache.clusters {_COLUMNS} VALUES (?, ?, ?, ?, ?, ?, ?, 1)", row)
        if db.execute("SELECT changes()").fetchone()[0]:
            db.execute("UPDATE cache.cluster_sizes SET size = size + 1 WHERE cluster = ?", [row.cluster])
    place_names(db)


def newest_run(db: Database) -> dict[str, Any] | None:
    """When and how the clusters were made: `at`, and what grouping said of it."""
    row = db.execute("SELECT at, made FROM cache.cluster_runs ORDER BY id DESC LIMIT 1").fetchone()
    return {"at": row[0]} | json.loads(row[1]) if row else None


# --- looking -----------------------------------------------------------------------------------------------------------


def page(db: Database, shown: int, after: tuple[float, int] | None = None, limit: int = 20) -> list[Cluster]:
    """Largest first, each with so many photos. `after` is (size, number) of the last one shown."""
    where, values = "", []
    if after:
        where, values = "WHERE size < ? OR size = ? AND cluster > ?", [after[0], *after]
    sql = f"SELECT cluster, size, x, y, radius FROM cache.cluster_sizes {where} ORDER BY size DESC, cluster LIMIT ?"
    return _clusters(db, db.execute(sql, [*values, limit]).fetchall(), shown)


def of_photo(db: Database, photo_id: int, shown: int) -> Cluster | None:
    """The cluster that a photo is in."""
    sql = "SELECT cluster, size, s.x, s.y, radius FROM cache.clusters JOIN cache.cluster_sizes AS s USING (cluster)"
    found = _clusters(db, db.execute(f"{sql} WHERE photo_id = ?", [photo_id]).fetchall(), shown)
    return found[0] if found else None


def _clusters(db: Database, rows: Iterable[Sequence[Any]], shown: int) -> list[Cluster]:
    """Of rows of number, size, x, y and radius."""
    sql = """
        SELECT c.cluster, c.photo_id FROM cache.clusters AS c {} CROSS JOIN photos ON photos.id = c.photo_id
        WHERE photos.state = 'present' AND {}
    """
    standing = sql.format("INDEXED BY representatives", "c.representative > 0 ORDER BY c.distance DESC, c.photo_id DESC")
    stands: dict[int, int] = dict(db.execute(standing).fetchall())  # the nearest of several comes last
    nearest = sql.format("", "c.cluster = ? ORDER BY c.distance, c.photo_id LIMIT ?")
    found, called = [], names(db)
    for number, size, *disc in rows:
        ids = [stands[number]] if number in stands else []
        if len(ids) < shown:
            ids += [i for _, i in db.execute(nearest, [number, shown]) if i not in ids]
        found.append((number, size, ids[:shown], disc))
    known = photos.many(db, [i for *_, ids, _ in found for i in ids])
    return [Cluster(n, size, called.get(n), tuple(known[i] for i in ids), (x, y, r)) for n, size, ids, (x, y, r) in found]


# --- names -------------------------------------------------------------------------------------------------------------


def names(db: Database) -> dict[int, str]:
    """Clusters that have a name. It belongs to where most of those are who were there when it was given.

    Where several names meet in one cluster, it gets that with the most members; the others wait until it splits again.
    """
    sql = """
        SELECT p.cluster, n.name FROM cache.placed_names AS p JOIN named_clusters AS n ON n.id = p.named_id
        ORDER BY p.members, n.at
    """
    return dict(db.execute(sql).fetchall())  # what comes last stays


def place_names(db: Database) -> None:
    """Find the cluster of each name: when clusters or names have changed, and after a start, for a backup may be in use."""
    db.execute("DELETE FROM cache.placed_names")
    db.execute("""
        INSERT INTO cache.placed_names SELECT named_id, cluster, max(members) FROM (
            SELECT m.named_id, c.cluster, count(*) AS members FROM named_cluster_members AS m
            CROSS JOIN cache.clusters AS c ON c.photo_id = m.photo_id GROUP BY 1, 2 ORDER BY 2
        ) GROUP BY named_id
    """)


def rename(db: Database, cluster: Cluster, name: str, now: float) -> None:
    """Call it so, by members near its centre and further out; an empty name takes away the one that is shown."""
    shown = "SELECT named_id FROM cache.placed_names WHERE cluster = ?"
    db.execute(f"DELETE FROM named_clusters WHERE id IN ({shown})", [cluster.number])
    if name:
        new_id = insert(db, "named_clusters", {"name": name, "at": now})
        sql = """
            INSERT INTO named_cluster_members SELECT photo_id, ? FROM (
                SELECT photo_id, row_number() OVER (ORDER BY distance, photo_id) - 1 AS rank FROM cache.clusters
                WHERE cluster = ? AND photo_id IN (SELECT id FROM photos)
            ) WHERE rank % max(1, ? / ?) = 0 LIMIT ?
        """
        db.execute(sql, [new_id, cluster.number, cluster.size, ANCHORS, ANCHORS])
    place_names(db)


# --- one answer for all ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one answer for a whole cluster would do: so many photos are `asked` and get it, the others keep theirs."""

    asked: int
    kept: int  # answered "keep" before
    deleted: int
    reserved: int  # left to blind audits: such an answer has to be given of that photo alone
    gone: int  # missing, or in the trash


_PARTS = """
    SELECT c.photo_id, c.distance, CASE
        WHEN EXISTS (SELECT 1 FROM photos INDEXED BY photos_not_there WHERE id = c.photo_id AND state != 'present') THEN 'gone'
        ELSE coalesce(
            (SELECT iif(keep, 'kept', 'deleted') FROM labels WHERE voter_id = :voter AND labels.photo_id = c.photo_id),
            (SELECT 'reserved' FROM pool_members AS m WHERE m.pool_id = :pool AND m.photo_id = c.photo_id),
            'asked')
        END AS part
    FROM cache.clusters AS c WHERE c.cluster = :cluster
"""


def _whose(db: Database, voter_id: int, number: int) -> dict[str, int | None]:
    pool = scores.newest_pool(db, voter_id)
    return {"voter": voter_id, "pool": pool[0] if pool else None, "cluster": number}


def meaning(db: Database, voter_id: int, number: int) -> Meaning:
    """Of the present photos without an answer, all are asked but those that audits will ask about."""
    sql = f"SELECT part, count(*) FROM ({_PARTS}) GROUP BY part"
    found = dict(db.execute(sql, _whose(db, voter_id, number)).fetchall())
    return Meaning(*(found.get(field.name, 0) for field in fields(Meaning)))


def asked(db: Database, voter_id: int, number: int, limit: int = -1, *, furthest: bool = False) -> list[int]:
    """Ids of those that are asked, the nearest to the centre first; or so many that are `furthest` from it, in the same order."""
    order = "DESC" if furthest else "ASC"
    sql = f"SELECT photo_id FROM ({_PARTS}) WHERE part = 'asked' ORDER BY distance {order}, photo_id {order} LIMIT :limit"
    found = [row[0] for row in db.execute(sql, _whose(db, voter_id, number) | {"limit": limit})]
    return found[::-1] if furthest else found


def label(db: Database, voter_id: int, number: int, choice: Choice, request: str, now: float) -> int:
    """One answer to train on for each photo that has none; how many. They can be undone together by `request`."""
    found = asked(db, voter_id, number)
    for photo_id in found:
        answers.add(db, voter_id, Question.LABEL, choice, photo_id, None, "train", now, f"{request}-{photo_id}")
    return len(found)
