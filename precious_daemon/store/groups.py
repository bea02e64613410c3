"""Derived rows: clusters with their representatives, copies and bursts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from precious_daemon.models import Group, GroupKind, GroupMember, Photo
from precious_daemon.store import Database
from precious_daemon.store.photos import photo_from


def replace_clusters(db: Database, rows: Iterable[tuple[int, int, float, bool]], scores: dict[str, Any]) -> None:
    """Rows of (photo id, cluster, distance to the centre, representative); `scores` says how the number was chosen."""
    db.execute("DELETE FROM cache.clusters")
    db.conn.executemany("INSERT INTO cache.clusters VALUES (?, ?, ?, ?)", rows)
    db.execute("DELETE FROM cache.cluster_sizes")
    db.execute("INSERT INTO cache.cluster_sizes SELECT cluster, count(*) FROM cache.clusters GROUP BY cluster")
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES ('clusters', ?)", [json.dumps(scores)])


def replace_groups(db: Database, groups: Iterable[Group]) -> None:
    db.execute("DELETE FROM cache.group_members")
    db.conn.executemany(
        "INSERT INTO cache.group_members VALUES (?, ?, ?, ?, ?)",
        ((g.kind, m.photo_id, number, m.best, m.reason) for number, g in enumerate(groups, 1) for m in g.members),
    )
    db.execute("DELETE FROM cache.group_counts")
    db.execute("INSERT INTO cache.group_counts SELECT kind, count(DISTINCT group_id) FROM cache.group_members GROUP BY kind")


def cluster_scores(db: Database) -> dict[str, Any] | None:
    row = db.execute("SELECT value FROM cache.notes WHERE key = 'clusters'").fetchone()
    return json.loads(row[0]) if row else None


def counts(db: Database) -> dict[str, int]:
    """Clusters, and groups of each kind, as they were last made."""
    found = {"clusters": int(db.execute("SELECT count(*) FROM cache.cluster_sizes").fetchone()[0])}
    return found | dict(db.execute("SELECT kind, count FROM cache.group_counts").fetchall())


def clustered_count(db: Database) -> int:
    """How many present photos are in a cluster."""
    sql = "SELECT count(*) FROM cache.clusters AS c CROSS JOIN photos ON photos.id = c.photo_id WHERE state = 'present'"
    return int(db.execute(sql).fetchone()[0])


def all_groups(db: Database) -> list[Group]:
    """Groups of present photos; what is left of a group with one member is none."""
    sql = """
        SELECT kind, group_id, photo_id, best, reason FROM cache.group_members CROSS JOIN photos ON photos.id = photo_id
        WHERE photos.state = 'present' ORDER BY kind, group_id, best DESC, photo_id
    """
    found: dict[tuple[str, int], list[GroupMember]] = {}
    for kind, group_id, photo_id, best, reason in db.execute(sql):
        found.setdefault((kind, group_id), []).append(GroupMember(photo_id, bool(best), reason))
    return [Group(GroupKind(kind), tuple(members)) for (kind, _), members in found.items() if len(members) > 1]


def group_of(db: Database, photo_id: int) -> list[Group]:
    """The groups that a photo is in, at most one of each kind."""
    sql = """
        SELECT m.kind, m.photo_id, m.best, m.reason FROM cache.group_members AS me
        JOIN cache.group_members AS m ON m.kind = me.kind AND m.group_id = me.group_id
        WHERE me.photo_id = ? ORDER BY m.kind, m.best DESC, m.photo_id
    """
    found: dict[str, list[GroupMember]] = {}
    for kind, member_id, best, reason in db.execute(sql, [photo_id]):
        found.setdefault(kind, []).append(GroupMember(member_id, bool(best), reason))
    return [Group(GroupKind(kind), tuple(members)) for kind, members in found.items()]


def group_numbers(db: Database, photo_ids: Iterable[int]) -> dict[int, int]:
    """A group of each of these photos that is in one."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    return dict(db.execute(f"SELECT photo_id, group_id FROM cache.group_members WHERE photo_id IN ({marks})").fetchall())


def next_representative(db: Database, voter_id: int, exclude: Collection[int] = ()) -> Photo | None:
    """A representative that this voter has not labelled: the largest cluster first."""
    sql = f"""
        SELECT photos.* FROM cache.clusters AS c CROSS JOIN photos ON photos.id = c.photo_id
            CROSS JOIN cache.cluster_sizes USING (cluster)
        WHERE c.representative = 1 AND photos.state = 'present' AND photos.id NOT IN ({",".join(str(int(i)) for i in exclude)})
        AND NOT EXISTS (SELECT 1 FROM live_answers a WHERE a.photo_id = c.photo_id AND +a.voter_id = ?
            AND a.question NOT IN ('pair', 'ranking'))
        AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.photo_id = c.photo_id AND labels.voter_id = ?)
        ORDER BY cluster_sizes.size DESC, c.photo_id LIMIT 1
    """
    for row in db.query(sql, [voter_id, voter_id]):
        return photo_from(row)
    return None
