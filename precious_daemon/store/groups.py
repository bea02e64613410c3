"""Derived rows: copies and bursts, and who stands for a cluster."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, repeat
from typing import Any

from precious_daemon.models import Group, GroupKind, GroupMember, Photo, PhotoState, Scope
from precious_daemon.pure.decide import decided
from precious_daemon.store import Database, decisions, photos, scopes
from precious_daemon.store.photos import photo_from

Key = tuple[GroupKind, int]
"""A group by its number: good until the groups are made anew."""
LOOKED_AT = (10, 50, 100)  # groups that are read at once in search of those to review: the first is often wanted alone


def replace_groups(db: Database, groups: Iterable[Group]) -> None:
    db.execute("DELETE FROM cache.group_members")
    db.conn.executemany(
        "INSERT INTO cache.group_members VALUES (?, ?, ?, ?, ?)",
        ((g.kind, m.photo_id, number, m.best, m.reason) for number, g in enumerate(groups, 1) for m in g.members),
    )
    db.execute("DELETE FROM cache.group_counts")
    db.execute("INSERT INTO cache.group_counts SELECT kind, count(DISTINCT group_id) FROM cache.group_members GROUP BY kind")


def keep_twins(db: Database, rows: Iterable[tuple[bytes, bytes, str]], compared: Iterable[bytes]) -> None:
    """Pairs of contents that show one picture, and contents that were compared with all: neither changes any more."""
    db.conn.executemany("INSERT OR REPLACE INTO cache.twins VALUES (?, ?, ?)", rows)
    db.conn.executemany("INSERT OR IGNORE INTO cache.compared VALUES (?)", ((content,) for content in compared))


def keep_details(db: Database, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Rows of (content hash, sharpness at full size)."""
    db.conn.executemany("INSERT OR REPLACE INTO cache.details VALUES (?, ?)", rows)


def counts(db: Database) -> dict[str, int]:
    """Clusters, and groups of each kind, as they were last made."""
    found = {"clusters": int(db.execute("SELECT count(*) FROM cache.cluster_sizes").fetchone()[0])}
    return found | dict(db.execute("SELECT kind, count FROM cache.group_counts").fetchall())


def clustered_count(db: Database) -> int:
    """How many photos are in a cluster, as they were last made."""
    return int(db.execute("SELECT coalesce(sum(size), 0) FROM cache.cluster_sizes").fetchone()[0])


def unclustered_count(db: Database) -> int:
    """How many photos came since, and are in no cluster yet; about, where others went meanwhile."""
    return max(0, photos.counts(db)[PhotoState.PRESENT] - clustered_count(db))


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


def larger(db: Database, photo_ids: Iterable[int]) -> dict[int, str]:
    """Of photos that there are in a larger size as well: the path of the best of these, below its root."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"""
        SELECT me.photo_id, best.path FROM cache.group_members AS me
        CROSS JOIN cache.group_members AS m ON m.kind = me.kind AND m.group_id = me.group_id AND m.best
        CROSS JOIN photos AS best ON best.id = m.photo_id CROSS JOIN photos AS mine ON mine.id = me.photo_id
        WHERE +me.kind = 'same' AND me.photo_id IN ({marks}) AND best.state = 'present'
        AND best.width * best.height > mine.width * mine.height
    """
    return {row[0]: os.fsdecode(row[1]) for row in db.execute(sql)}


def key_of(db: Database, photo_id: int, kind: GroupKind) -> Key | None:
    row = db.execute("SELECT group_id FROM cache.group_members WHERE kind = ? AND photo_id = ?", [kind, photo_id]).fetchone()
    return (kind, row[0]) if row else None


def of_photo(db: Database, voter_id: int, photo_id: int) -> list[Group]:
    """The groups that a photo is in, at most one of each kind, as this voter left them."""
    found = db.execute("SELECT kind, group_id FROM cache.group_members WHERE photo_id = ? ORDER BY kind", [photo_id]).fetchall()
    return list(as_left(db, voter_id, [(GroupKind(kind), number) for kind, number in found]).values())


def as_left(db: Database, voter_id: int, keys: Iterable[Key]) -> dict[Key, Group]:
    """Groups of present photos as this voter left them; what has one member or none is absent."""
    wanted = list(keys)
    sql = f"""
        WITH wanted (kind, number) AS (VALUES {",".join(["(?, ?)"] * len(wanted)) or "(NULL, NULL)"})
        SELECT m.kind, group_id, photo_id, best, reason FROM wanted
        CROSS JOIN cache.group_members AS m ON m.kind = wanted.kind AND group_id = number
        CROSS JOIN photos ON photos.id = photo_id WHERE photos.state = 'present'
        ORDER BY best DESC, coalesce(taken_at, 0), photo_id
    """
    members: dict[Key, list[GroupMember]] = {key: [] for key in wanted}
    for kind, number, photo_id, best, reason in db.execute(sql, [value for key in wanted for value in key]):
        members[GroupKind(kind), number].append(GroupMember(photo_id, bool(best), reason))
    found = {key: Group(key[0], tuple(those)) for key, those in members.items() if len(those) > 1}
    said = decisions.about(db, voter_id, {member.photo_id for group in found.values() for member in group.members})
    return dict(zip(found, decided(found.values(), said), strict=True))


def next_to_review(
    db: Database, voter_id: int, kind: GroupKind | None = None, after: Key | None = None
) -> tuple[Key, Group] | None:
    """The first group after another, of one kind or of any that is thinned, that the owner has not settled."""
    return next(to_review(db, voter_id, kind, after), None)


def members(db: Database, kind: GroupKind, photo_ids: Iterable[int]) -> set[int]:
    """Those of these photos that are in a group of a kind."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id FROM cache.group_members WHERE kind = ? AND photo_id IN ({marks})"
    return {row[0] for row in db.execute(sql, [kind])}


def to_review(
    db: Database, voter_id: int, kind: GroupKind | None = None, after: Key | None = None, scope: Scope | None = None
) -> Iterator[tuple[Key, Group]]:
    """Groups after another, of one kind or of any that is thinned, that the owner has not settled; with a photo of the scope."""
    kinds = [kind] if kind else sorted(each for each in GroupKind if each.thinned)
    few, those, inside, bounds = "", list[Any](), "1", list[Any]()
    if scope:
        inside, bounds = scopes.condition(scope)
        inside = f"EXISTS (SELECT 1 FROM photos WHERE photos.id = g.photo_id AND {inside})"
        if some := scopes.few(db, scope):
            few, those = f"({some[0]}) AS few CROSS JOIN", some[1]
            inside = f"g.photo_id = few.photo_id AND {inside}"
    sql = f"""
        SELECT group_id FROM {few} cache.group_members AS g WHERE kind = ? AND group_id > ? AND {inside}
        GROUP BY group_id HAVING NOT {{}} ORDER BY group_id LIMIT ?
    """
    sizes = chain(LOOKED_AT, repeat(LOOKED_AT[-1]))
    for each in kinds:
        place = -1 if after is None or after[0] < each else after[1] if after[0] == each else None
        while place is not None:
            most = next(sizes)
            sure = _surely_settled(each, voter_id)
            found = db.execute(sql.format(sure), [*those, each, place, *bounds, most]).fetchall()
            keys = [(each, number) for (number,) in found]
            yield from ((key, group) for key, group in as_left(db, voter_id, keys).items() if not group.settled)
            place = keys[-1][1] if len(keys) == most else None


def _surely_settled(kind: GroupKind, voter_id: int) -> str:
    """SQL: of a group in `g`, whether the newest decision about any of its photos is this voter's, and all that are there stay.

    Not every settled group is such a one, but to tell these takes a tenth of reading them, and there may be thousands.
    """
    mine = f"SELECT photo_id FROM cache.group_members WHERE kind = '{kind.value}' AND group_id = g.group_id"
    stays = "SELECT 1 FROM group_decision_members AS s WHERE s.photo_id = m.photo_id AND s.decision_id = d.id AND s.stays"
    gone = "SELECT 1 FROM photos INDEXED BY photos_not_there WHERE id = m.photo_id AND state != 'present'"
    return f"""
        EXISTS (
            SELECT 1 FROM group_decisions AS d
            WHERE d.id = (SELECT max(decision_id) FROM ({mine}) CROSS JOIN group_decision_members USING (photo_id))
            AND d.voter_id = {int(voter_id)}
            AND NOT EXISTS (SELECT 1 FROM ({mine}) AS m WHERE NOT EXISTS ({stays}) AND NOT EXISTS ({gone}))
        )
    """


def group_numbers(db: Database, photo_ids: Iterable[int]) -> dict[int, int]:
    """A group of each of these photos that is in one with other pictures, not just with copies of itself."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, group_id FROM cache.group_members WHERE photo_id IN ({marks}) AND kind NOT IN ('copy', 'same')"
    return dict(db.execute(sql).fetchall())


def mates(db: Database, photo_ids: Iterable[int], limit: int) -> list[int]:
    """Some of the pictures that share a group with these; no copies."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"""
        SELECT m.photo_id FROM cache.group_members AS me CROSS JOIN cache.group_members AS m
            ON m.kind = me.kind AND m.group_id = me.group_id
        WHERE me.photo_id IN ({marks}) AND me.kind NOT IN ('copy', 'same') AND m.photo_id != me.photo_id LIMIT ?
    """
    return [row[0] for row in db.execute(sql, [limit])]


def best_copies(db: Database, photo_ids: Iterable[int]) -> dict[int, int]:
    """The best copy, where it is there, of those of these photos that are another copy of the same picture."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"""
        SELECT me.photo_id, best.photo_id FROM cache.group_members AS me CROSS JOIN cache.group_members AS best
            ON best.kind = me.kind AND best.group_id = me.group_id AND best.best = 1
            CROSS JOIN photos ON photos.id = best.photo_id AND photos.state = 'present'
        WHERE me.photo_id IN ({marks}) AND me.kind IN ('copy', 'same') AND me.best = 0
    """
    return dict(db.execute(sql).fetchall())


def copies_left(db: Database, photo_id: int, but: Collection[int] = ()) -> bool:
    """Whether a copy of this photo, or the same picture, is still there; `but` those that go as well."""
    sql = f"""
        SELECT 1 FROM cache.group_members AS me JOIN cache.group_members AS m ON m.kind = me.kind AND m.group_id = me.group_id
            JOIN photos ON photos.id = m.photo_id AND photos.state = 'present'
        WHERE me.photo_id = ? AND m.photo_id != me.photo_id AND me.kind IN ('copy', 'same')
            AND m.photo_id NOT IN ({",".join(str(int(i)) for i in but)}) LIMIT 1
    """
    return db.execute(sql, [photo_id]).fetchone() is not None


def next_representative(db: Database, voter_id: int, exclude: Collection[int] = (), among: int = 1 << 31) -> Photo | None:
    """The first representative that this voter has not labelled; `among` the first so many."""
    sql = f"""
        SELECT photos.* FROM cache.clusters AS c CROSS JOIN photos ON photos.id = c.photo_id
        WHERE c.representative > 0 AND c.representative <= ? AND photos.state = 'present'
        AND photos.id NOT IN ({",".join(str(int(i)) for i in exclude)})
        AND NOT EXISTS (SELECT 1 FROM live_answers a WHERE a.photo_id = c.photo_id AND +a.voter_id = ?
            AND a.question NOT IN ('pair', 'ranking', 'enough'))
        AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.photo_id = c.photo_id AND labels.voter_id = ?)
        ORDER BY c.representative, c.photo_id LIMIT 1
    """
    for row in db.query(sql, [among, voter_id, voter_id]):
        return photo_from(row)
    return None
