"""Rows of photos and of the files that make up each capture, looked at."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import FileEntry, Photo, PhotoState, Role, Scope, Stamp
from precious_daemon.store import Database, roots, scopes, tallies
from precious_daemon.store.answers import is_out

FORGOTTEN = "It is read again once it is back."  # the error of a photo that was away while the cache was made anew
READ_OR_NOT = f"iif(content_hash IS NULL OR error = '{FORGOTTEN}', 'new', 'present')"  # the state of a photo that is back
_COLUMNS = (
    "photos.id, photos.uid, photos.root_id, photos.path, photos.state, photos.error, photos.content_hash, photos.width, "
    "photos.height, photos.size, photos.taken_at, photos.camera, photos.added_at"
)

# as in the index `photos_unread`
_UNREAD = "(photos.state = 'new' OR photos.state = 'present' AND photos.content_hash IS NULL)"


def photo_from(row: dict[str, Any]) -> Photo:
    """A Photo from a row that holds at least the columns of `SELECT photos.*`."""
    return Photo(
        row["id"], row["uid"], row["root_id"], os.fsdecode(row["path"]), PhotoState(row["state"]), row["error"],
        row["content_hash"], row["width"], row["height"], row["size"], row["taken_at"], row["camera"], row["added_at"],
    )  # fmt: skip


def file_from(row: dict[str, Any]) -> FileEntry:
    return FileEntry(
        row["id"], row["photo_id"], row["root_id"], os.fsdecode(row["path"]), Role(row["role"]),
        Stamp(row["dev"], row["inode"], row["size"], row["mtime_ns"]), row["content_hash"],
        row["bond"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of a photo beside what every page needs."""

    format: str | None
    taken_from: str | None
    taken_offset: int | None  # minutes east of UTC
    lens: str | None
    exposure: str | None
    latitude: float | None
    longitude: float | None
    ambiguous: str | None


# --- reading -----------------------------------------------------------------------------------------------------------


def get(db: Database, photo_id: int) -> Photo:
    return _one(db, "id = ?", photo_id)


def by_uid(db: Database, uid: str) -> Photo:
    return _one(db, "uid = ?", uid)


def _one(db: Database, where: str, value: object) -> Photo:
    for row in db.query(f"SELECT {_COLUMNS} FROM photos WHERE {where}", [value]):
        return photo_from(row)
    raise NotFound("There is no such photo in this library.")


def many(db: Database, ids: Iterable[int]) -> dict[int, Photo]:
    """Photos by id; unknown ids are absent."""
    found: dict[int, Photo] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        marks = ",".join("?" * len(part))
        for row in db.query(f"SELECT {_COLUMNS} FROM photos WHERE id IN ({marks})", part):
            found[row["id"]] = photo_from(row)
    return found


def ids(db: Database, uids: Iterable[str]) -> set[int]:
    """Ids of the photos with these uids; unknown ones are passed over."""
    wanted = list(uids)
    marks = ",".join("?" * len(wanted))
    return {row[0] for row in db.execute(f"SELECT id FROM photos WHERE uid IN ({marks})", wanted)}


def paths(db: Database) -> dict[int, str]:
    """The path of every photo in its root, also of those that are gone."""
    return {row[0]: os.fsdecode(row[1]) for row in db.execute("SELECT id, path FROM photos")}


def files_of(db: Database, photo_id: int) -> list[FileEntry]:
    return [file_from(row) for row in db.query("SELECT * FROM files WHERE photo_id = ? ORDER BY id", [photo_id])]


def companions(db: Database, photo_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Names of the files that belong to each photo beside its still; photos without any are absent."""
    found: dict[int, list[str]] = {}
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, path FROM files WHERE role != 'still' AND photo_id IN ({marks}) ORDER BY photo_id, path"
    for photo_id, path in db.execute(sql):
        found.setdefault(photo_id, []).append(posixpath.basename(os.fsdecode(path)))
    return {photo_id: tuple(names) for photo_id, names in found.items()}


def parts(db: Database, after: int, limit: int) -> list[Photo]:
    """The next photos that were read, by id: for going through all of them without holding them."""
    # no index: that of the present ones would be taken, and all of them sorted for each part
    sql = f"""
        SELECT {_COLUMNS} FROM photos NOT INDEXED
        WHERE id > ? AND state = 'present' AND content_hash IS NOT NULL ORDER BY id LIMIT ?
    """
    return [photo_from(row) for row in db.query(sql, [after, limit])]


def sizes(db: Database, photo_ids: Iterable[int]) -> dict[int, int]:
    """Bytes of all files of each photo."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    return dict(db.execute(f"SELECT photo_id, sum(size) FROM files WHERE photo_id IN ({marks}) GROUP BY photo_id").fetchall())


def ambiguous(db: Database, photo_id: int) -> str | None:
    """Why the companions of this photo cannot be told, or None."""
    row = db.execute("SELECT ambiguous FROM photos WHERE id = ?", [photo_id]).fetchone()
    return row[0] if row else None


def details(db: Database, photo_id: int) -> Details:
    sql = "SELECT format, taken_from, taken_offset, lens, exposure, latitude, longitude, ambiguous FROM photos WHERE id = ?"
    return Details(*db.execute(sql, [photo_id]).fetchone())


def whereabouts(db: Database, ids: Iterable[int]) -> dict[int, tuple[float, float]]:
    """Latitude and longitude of those of these photos that know theirs."""
    marks = ",".join(str(int(i)) for i in ids)
    sql = f"SELECT id, latitude, longitude FROM photos WHERE id IN ({marks}) AND latitude IS NOT NULL AND longitude IS NOT NULL"
    return {row[0]: (row[1], row[2]) for row in db.execute(sql)}


def all_ambiguous(db: Database, limit: int) -> list[tuple[Photo, str]]:
    """Photos that are there, and whose companions cannot be told, each with why."""
    sql = f"""
        SELECT {_COLUMNS}, ambiguous FROM photos INDEXED BY photos_ambiguous
        WHERE ambiguous IS NOT NULL AND state IN ('present', 'new') ORDER BY id DESC LIMIT ?
    """
    return [(photo_from(row), row["ambiguous"]) for row in db.query(sql, [limit])]


def ambiguous_count(db: Database) -> int:
    sql = "SELECT count(*) FROM photos WHERE ambiguous IS NOT NULL AND state IN ('present', 'new')"
    return int(db.execute(sql).fetchone()[0])


def counts(db: Database) -> dict[PhotoState, int]:
    """By state. Those of a folder that is no longer watched are not missed."""
    found = tallies.total(db, "photos")
    for root in roots.all_roots(db):
        if root.reason == roots.NO_LONGER_WATCHED:
            found["missing"] = found.get("missing", 0) - tallies.of(db, "photos", root.id).get("missing", 0)
    return {state: found.get(state, 0) for state in PhotoState}


def page(
    db: Database, state: PhotoState, after: tuple[float, int] | None = None, limit: int = 100, *, newer: bool = False
) -> list[Photo]:
    """Newest first by the time taken; `after` is (taken_at, id) of the last one shown, or with `newer` of the first one."""
    where, order, compare = "state = ?", *(("ASC", ">") if newer else ("DESC", "<"))
    values: list[Any] = [state]
    if after:
        # the first condition is what an index on an expression can seek by
        where += f" AND coalesce(taken_at, 0) {compare}= ? AND (coalesce(taken_at, 0), id) {compare} (?, ?)"
        values += (after[0], *after)
    sql = f"SELECT {_COLUMNS} FROM photos WHERE {where} ORDER BY coalesce(taken_at, 0) {order}, id {order} LIMIT ?"
    found = [photo_from(row) for row in db.query(sql, [*values, limit])]
    return found[::-1] if newer else found


def newest(db: Database, after: tuple[float, int] | None = None, limit: int = 100, *, newer: bool = False) -> list[Photo]:
    """As `page`, of all that are there: those that wait to be read among those that have been."""
    each = (page(db, state, after, limit, newer=newer) for state in (PhotoState.PRESENT, PhotoState.NEW))
    found = sorted((photo for part in each for photo in part), key=lambda photo: (photo.taken_at or 0, photo.id), reverse=True)
    return found[-limit:] if newer else found[:limit]


def months(db: Database, state: PhotoState) -> list[datetime]:
    """The beginnings of the months that photos were taken in, newest first: as many steps in an index as there are months."""
    before = "SELECT coalesce(taken_at, 0) FROM photos WHERE state = :state AND coalesce(taken_at, 0) < {}"
    before = f"({before} ORDER BY coalesce(taken_at, 0) DESC, id DESC LIMIT 1)"
    # the + takes the affinity of the cast away, with which SQLite would not seek in an index on an expression
    start = "+CAST(strftime('%s', newest, 'unixepoch', 'start of month') AS INTEGER)"
    sql = f"""
        WITH RECURSIVE months (newest) AS (
            SELECT {before.format("9e999")} UNION ALL SELECT {before.format(start)} FROM months WHERE newest IS NOT NULL
        ) SELECT {start} FROM months WHERE newest IS NOT NULL
    """
    return [datetime.fromtimestamp(at, UTC) for (at,) in db.execute(sql, {"state": state})]


def random_present(
    db: Database,
    point: int,
    count: int,
    exclude_labelled_by: int | None = None,
    exclude: Collection[int] = (),
    ranked_by: int | None = None,
) -> list[Photo]:
    """Up to `count` present photos at a random `point` (a signed 64-bit number) of a fixed random order, at index speed.

    Without those that a voter has labelled, or has taken out of the ranking (`ranked_by`).
    """
    clause = f"AND id NOT IN ({','.join(str(int(i)) for i in exclude)})"
    if exclude_labelled_by is not None:
        labelled = "SELECT 1 FROM labels WHERE labels.photo_id = photos.id"
        clause += f" AND NOT EXISTS ({labelled} AND voter_id = {int(exclude_labelled_by)})"
    voter = []
    if ranked_by is not None:
        clause += f" AND NOT {is_out('photos.id')}"
        voter = [ranked_by]
    sql = f"""
        SELECT {_COLUMNS} FROM photos INDEXED BY photos_by_draw
        WHERE state = 'present' AND draw {{}} ? {clause} ORDER BY draw LIMIT ?
    """
    rows = list(db.query(sql.format(">="), [point, *voter, count]))
    if len(rows) < count:
        rows += db.query(sql.format("<"), [point, *voter, count - len(rows)])
    return [photo_from(row) for row in rows]


def random_ids(db: Database, point: int, count: int, exclude: Collection[int] = ()) -> list[int]:
    """Up to `count` ids of present photos at a random `point` of a fixed random order: only an index is read."""
    sql = f"""
        SELECT id FROM photos INDEXED BY photos_by_draw
        WHERE state = 'present' AND draw {{}} ? AND id NOT IN ({",".join(str(int(i)) for i in exclude)}) ORDER BY draw LIMIT ?
    """
    found = [row[0] for row in db.execute(sql.format(">="), [point, count])]
    if len(found) < count:
        found += [row[0] for row in db.execute(sql.format("<"), [point, count - len(found)])]
    return found


def of_ranking(db: Database, voter_id: int, photo_ids: Collection[int], scope: Scope | None = None) -> list[int]:
    """Those of these photos that are there, in this voter's ranking and of the scope, in the order given."""
    inside, bounds = scopes.condition(scope) if scope else ("1", [])
    sql = f"""
        SELECT id FROM photos WHERE id IN ({",".join(str(int(i)) for i in photo_ids)}) AND +state = 'present' AND {inside}
        AND NOT {is_out("photos.id")}
    """
    found = {row[0] for row in db.execute(sql, [*bounds, voter_id])}
    return [i for i in photo_ids if i in found]


def to_ingest(db: Database, limit: int, roots: Iterable[int], but: Iterable[int] = ()) -> list[FileEntry]:
    """Stills that wait to be read, newest first, `but` not those of these photos."""
    marks, others = (",".join(str(int(i)) for i in ids) for ids in (roots, but))
    sql = f"""
        SELECT files.* FROM photos INDEXED BY photos_unread
        CROSS JOIN files ON files.photo_id = photos.id AND files.role = 'still'
        WHERE {_UNREAD} AND photos.root_id IN ({marks}) AND photos.id NOT IN ({others})
        ORDER BY taken_at DESC, photos.id DESC LIMIT ?
    """
    return [file_from(row) for row in db.query(sql, [limit])]


def waiting_count(db: Database, roots: Iterable[int]) -> int:
    """Photos of these roots that wait to be read."""
    marks = ",".join(str(int(r)) for r in roots) or "-1"  # none: an empty list has no plan with this index
    return int(
        db.execute(f"SELECT count(*) FROM photos INDEXED BY photos_unread WHERE {_UNREAD} AND root_id IN ({marks})").fetchone()[0]
    )


def unread_sizes(db: Database, roots: Iterable[int]) -> dict[int, int]:
    """How many photos of each size wait to be read."""
    marks = ",".join(str(int(r)) for r in roots) or "-1"  # none: an empty list has no plan with this index
    sql = f"""
        SELECT size, count(*) FROM photos INDEXED BY photos_unread WHERE {_UNREAD} AND root_id IN ({marks}) GROUP BY size
    """
    return dict(db.execute(sql).fetchall())


def to_glimpse(
    db: Database, limit: int, roots: Iterable[int], since: int, before: tuple[float, int]
) -> list[tuple[tuple[float, int], FileEntry]]:
    """(place, still) of photos with ids above `since` of which nothing was seen yet, newest first, those before a place."""
    sql = f"""
        SELECT files.*, taken_at FROM photos INDEXED BY photos_unread
        CROSS JOIN files ON files.photo_id = photos.id AND files.role = 'still'
        WHERE {_unseen(roots)} AND photos.id > ? AND (taken_at, photos.id) < (?, ?)
        ORDER BY taken_at DESC, photos.id DESC LIMIT ?
    """
    rows = db.query(sql, [since, *before, limit])
    return [((row["taken_at"], row["photo_id"]), file_from(row)) for row in rows]


def unseen_count(db: Database, roots: Iterable[int], since: int) -> int:
    return int(
        db.execute(f"SELECT count(*) FROM photos INDEXED BY photos_unread WHERE {_unseen(roots)} AND id > ?", [since]).fetchone()[
            0
        ]
    )


def _unseen(roots: Iterable[int]) -> str:
    marks = ",".join(str(int(r)) for r in roots) or "-1"  # none: an empty list has no plan with this index
    return f"{_UNREAD} AND photos.state = 'new' AND photos.format IS NULL AND photos.root_id IN ({marks})"


def newest_id(db: Database) -> int:
    return int(db.execute("SELECT coalesce(max(id), 0) FROM photos").fetchone()[0])


def all_stand_elsewhere(db: Database, root_id: int) -> bool:
    """Whether every photo that should be in a root is in another one too, byte for byte. Ends at the first that is not."""
    sql = """
        SELECT 1 FROM photos AS p WHERE root_id = ? AND state IN ('present', 'new', 'broken') AND NOT EXISTS (
            SELECT 1 FROM photos AS t JOIN roots ON roots.id = t.root_id AND roots.state = 'watched'
            WHERE t.content_hash = p.content_hash AND t.root_id != p.root_id AND t.state = 'present'
        ) LIMIT 1
    """
    return db.execute(sql, [root_id]).fetchone() is None


def known_sample(db: Database, root_id: int, count: int) -> list[FileEntry]:
    """Some stills that should be there, at index speed."""
    sql = """
        SELECT files.* FROM photos CROSS JOIN files ON files.photo_id = photos.id AND role = 'still'
        WHERE photos.root_id = ? AND state IN ('present', 'new', 'broken') ORDER BY draw LIMIT ?
    """
    return [file_from(row) for row in db.query(sql, [root_id, count])]


def present_count(db: Database, root_id: int) -> int:
    found = tallies.of(db, "photos", root_id)
    return sum(found.get(state, 0) for state in ("present", "new", "broken"))


Shot = tuple[str | None, bool, float | None, float | None]
"""How a photo was taken: exposure in words, is it one of a bracket, exposure bias in EV, focus distance in metres."""


def for_children(db: Database, taught_by: int | None = None) -> Iterator[tuple[Photo, int, str, Shot]]:
    """(photo, perceptual hash, format, shot) of every present photo that has been read, in the order of ids.

    With a voter, also of those that are gone and that this voter labelled: what was deleted goes on teaching why.
    """
    gone = "OR id IN (SELECT photo_id FROM labels WHERE voter_id = ?)" if taught_by is not None else ""
    sql = f"""
        SELECT {_COLUMNS}, perceptual_hash, format, exposure, bracketed, exposure_bias, focus_distance FROM photos
        WHERE (state = 'present' {gone}) AND content_hash IS NOT NULL ORDER BY id
    """
    for row in db.query(sql, [] if taught_by is None else [taught_by]):
        shot = (row["exposure"], bool(row["bracketed"]), row["exposure_bias"], row["focus_distance"])
        yield photo_from(row), row["perceptual_hash"] & (1 << 64) - 1, row["format"], shot


def unembedded(db: Database, backbone: str) -> Iterator[bytes]:
    """Content hashes of present photos that this network has not seen, newest first."""
    sql = """
        SELECT DISTINCT photos.content_hash FROM photos
        WHERE state = 'present' AND photos.content_hash IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM cache.embeddings AS e WHERE e.content_hash = photos.content_hash AND e.backbone = ?)
        ORDER BY taken_at DESC
    """
    yield from (row[0] for row in db.execute(sql, [backbone]))
