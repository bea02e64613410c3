"""Clusters as an owner sees them: called by a name, told by the photo that stands for each, answered as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from precious_daemon.models import Choice, Photo, Question
from precious_daemon.store import Database, answers, scores
from precious_daemon.store.photos import photo_from


@dataclass(frozen=True, slots=True)
class Cluster:
    """`size` counts the photos of the clustering, `nearest` are present ones: first who stands for it, then by distance."""

    number: int
    size: int
    name: str | None
    nearest: tuple[Photo, ...]


def page(db: Database, shown: int, after: tuple[float, int] | None = None, limit: int = 20) -> list[Cluster]:
    """Largest first, each with so many photos. `after` is (size, number) of the last one shown."""
    where, values = "", []
    if after:
        where, values = "WHERE size < ? OR size = ? AND cluster > ?", [after[0], *after]
    sql = f"SELECT cluster, size FROM cache.cluster_sizes {where} ORDER BY size DESC, cluster LIMIT ?"
    return [_cluster(db, number, size, shown) for number, size in db.execute(sql, [*values, limit]).fetchall()]


def of_photo(db: Database, photo_id: int, shown: int) -> Cluster | None:
    """The cluster that a photo is in."""
    sql = "SELECT cluster, size FROM cache.clusters JOIN cache.cluster_sizes USING (cluster) WHERE photo_id = ?"
    for number, size in db.execute(sql, [photo_id]).fetchall():
        return _cluster(db, number, size, shown)
    return None


def _cluster(db: Database, number: int, size: int, shown: int) -> Cluster:
    sql = """
        SELECT photos.* FROM cache.clusters AS c CROSS JOIN photos ON photos.id = c.photo_id
        WHERE c.cluster = ? AND photos.state = 'present' {} ORDER BY c.distance, c.photo_id LIMIT ?
    """
    first = [photo_from(row) for row in db.query(sql.format("AND c.representative = 1"), [number, 1])]
    others = [photo_from(row) for row in db.query(sql.format(""), [number, shown])]
    nearest = first + [photo for photo in others if photo not in first]
    return Cluster(number, size, _name(db, number), tuple(nearest[:shown]))


def _name(db: Database, number: int) -> str | None:
    """The newest name given to a photo of it: a name stays with its photo when clusters are made anew."""
    sql = """
        SELECT name FROM cluster_names AS n CROSS JOIN cache.clusters AS c ON c.photo_id = n.photo_id
        WHERE c.cluster = ? ORDER BY at DESC LIMIT 1
    """
    row = db.execute(sql, [number]).fetchone()
    return row[0] if row else None


def rename(db: Database, cluster: Cluster, name: str, now: float) -> None:
    """Call it so, by the photo that stands for it; an empty name forgets those it had."""
    inside = "SELECT photo_id FROM cache.clusters WHERE cluster = ?"
    db.execute(f"DELETE FROM cluster_names WHERE photo_id IN ({inside})", [cluster.number])
    if name and cluster.nearest:
        db.execute("INSERT INTO cluster_names VALUES (?, ?, ?)", [cluster.nearest[0].id, name, now])


def unanswered(db: Database, voter_id: int, number: int) -> list[int]:
    """Present photos of a cluster of which this voter has not said whether they stay, nearest to its centre first.

    Not among them are those that audits will ask about: such an answer has to be given blind, of that photo alone.
    """
    pool = scores.newest_pool(db, voter_id)
    sql = """
        SELECT c.photo_id FROM cache.clusters AS c CROSS JOIN photos ON photos.id = c.photo_id
        WHERE c.cluster = ? AND photos.state = 'present'
        AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.voter_id = ? AND labels.photo_id = c.photo_id)
        AND NOT EXISTS (SELECT 1 FROM pool_members AS m WHERE m.pool_id = ? AND m.photo_id = c.photo_id AND m.asked)
        ORDER BY c.distance, c.photo_id
    """
    return [row[0] for row in db.execute(sql, [number, voter_id, pool[0] if pool else None])]


def label(db: Database, voter_id: int, number: int, choice: Choice, request: str, now: float) -> int:
    """One answer to train on for each photo that has none; how many. They can be undone together by `request`."""
    found = unanswered(db, voter_id, number)
    for photo_id in found:
        answers.add(db, voter_id, Question.LABEL, choice, photo_id, None, "train", now, f"{request}-{photo_id}")
    return len(found)
