"""Part of the library by folder, date and class of a task, at index speed: its photos, and a random sample of them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import Scope
from precious_daemon.store import Database, roots
from precious_daemon.store.answers import is_out

FEW = 5000  # a part of up to so many photos is listed and drawn from; of a larger one, the library's random order holds enough
LOOKED_AT = 2000  # photos in random order that are looked at for those of a part


def folder(db: Database, path: str) -> tuple[int, str]:
    """(root id, folder relative to it) of a folder given in full, or relative to a root that holds it. Raises NotFound."""
    watched = [root for root in roots.all_roots(db) if root.reason != roots.NO_LONGER_WATCHED]
    wanted = os.path.normpath(path)
    for root in watched:
        if wanted == root.path or wanted.startswith(root.path.rstrip("/") + "/"):
            return root.id, os.path.relpath(wanted, root.path).removeprefix(".")
    for root in watched:
        scope = Scope(root.id, wanted.removeprefix("."))
        for rows, values in _ways(db, scope):
            if db.execute(f"SELECT 1 FROM {rows} LIMIT 1", values).fetchone():
                return root.id, scope.folder
    raise NotFound("No watched folder holds a folder of that name.")


def sample(db: Database, scope: Scope, voter_id: int, point: int, count: int, many: int) -> list[int]:
    """Ids of present photos of the scope that are in this voter's ranking, at random: `many` of a few, else `count`."""
    inside, bounds = condition(scope)
    where, values = f"{inside} AND +photos.state = 'present' AND NOT {is_out('photos.id')}", [*bounds, voter_id]

    def among(rows: str, those: list[Any], most: int) -> list[int]:
        sql = f"SELECT photos.id FROM ({rows}) AS some CROSS JOIN photos ON photos.id = some.photo_id WHERE {where} LIMIT ?"
        return [row[0] for row in db.execute(sql, [*those, *values, most])]

    if some := few(db, scope):
        found = sorted(set(among(*some, -1)))
        return random.Random(point).sample(found, min(many, len(found)))
    order = "SELECT id AS photo_id FROM photos INDEXED BY photos_by_draw WHERE state = 'present' AND draw {} ? ORDER BY draw"
    ids = among(f"{order.format('>=')} LIMIT ?", [point, LOOKED_AT], count)
    if len(ids) < count:  # a small part, though by no index alone; or the end of the order is near
        ids += among(f"{order.format('<')} LIMIT ?", [point, LOOKED_AT], count)
        ids += (
            i for rows, those in _ways(db, scope) for i in among(f"SELECT photo_id FROM {rows} LIMIT ?", [*those, FEW], count)
        )
    if len(ids) < min(count, 2):
        ids = among("SELECT id AS photo_id FROM photos", [], count)
    return list(dict.fromkeys(ids))[:count]


def few(db: Database, scope: Scope) -> tuple[str, list[Any]] | None:
    """SQL for ids among which are all photos of the scope, and its values, where these are few; None otherwise."""
    for rows, values in _ways(db, scope):
        if db.execute(f"SELECT 1 FROM {rows} LIMIT 1 OFFSET ?", [*values, FEW]).fetchone() is None:
            return f"SELECT photo_id FROM {rows}", values
    return None


def _ways(db: Database, scope: Scope) -> Iterator[tuple[str, list[Any]]]:
    """By class, by folder, by time: rows that hold every photo of the scope, as SQL with its values, each by an index alone."""
    if scope.sorted_into is not None:
        yield _of_class(db, *scope.sorted_into)
    if scope.root_id is not None:
        inside, bounds = _inside(scope.folder, "path")
        yield f"files WHERE root_id = ? AND {inside}", [scope.root_id, *bounds]
    if scope.since is not None or scope.until is not None:
        where, values = _taken("coalesce(taken_at, 0)", scope)
        photos = f"SELECT id AS photo_id FROM photos INDEXED BY photos_newest WHERE state = 'present' AND {where}"
        yield f"({photos})", values


def condition(scope: Scope) -> tuple[str, list[Any]]:
    """SQL on the columns of `photos`, and its values."""
    where, values = _taken("photos.taken_at", scope)
    if scope.root_id is not None:
        inside, bounds = _inside(scope.folder, "photos.path")
        where, values = f"{where} AND photos.root_id = ? AND {inside}", [*values, scope.root_id, *bounds]
    if scope.sorted_into is not None:
        where += f" AND {_sorted(*scope.sorted_into)}"
    return where, values


def _inside(folder: str, column: str) -> tuple[str, list[Any]]:
    start = os.fsencode(folder)
    # "0" comes right after "/": between the two are the paths below the folder
    return (f"{column} > ? AND {column} < ?", [start + b"/", start + b"0"]) if start else ("1", [])


def _taken(column: str, scope: Scope) -> tuple[str, list[Any]]:
    bounds = [(">=", scope.since), ("<", scope.until)]
    given = [(compare, at) for compare, at in bounds if at is not None]
    return " AND ".join(["1", *(f"{column} {compare} ?" for compare, _ in given)]), [at for _, at in given]


def _sorted(class_id: int, voter_id: int) -> str:
    """SQL: whether a voter put a photo into a class, or where they said nothing of it, their model does."""
    task = f"(SELECT task_id FROM task_classes WHERE id = {int(class_id)})"
    mine = f"task_id = {task} AND voter_id = {int(voter_id)} AND photo_id = photos.id"
    said, expected = (f"(SELECT class_id FROM {rows} WHERE {mine})" for rows in ("task_labels", "cache.task_scores"))
    return f"coalesce({said}, {expected}) = {int(class_id)}"


def _of_class(db: Database, class_id: int, voter_id: int) -> tuple[str, list[Any]]:
    """Rows that hold every photo for which `_sorted` does."""
    row = db.execute("SELECT task_id FROM task_classes WHERE id = ?", [class_id]).fetchone()
    mine = "task_id = ? AND voter_id = ? AND class_id = ?"
    rows = (f"SELECT photo_id FROM {table} WHERE {mine}" for table in ("task_labels", "cache.task_scores"))
    return f"({' UNION ALL '.join(rows)})", 2 * [row[0] if row else None, voter_id, class_id]
