"""Rows of the owner's own label sets: tasks with their classes, the answers (append-only), and what models make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import LabelTask, Photo, TaskClass
from precious_daemon.store import Database, insert
from precious_daemon.store.photos import photo_from

_MINE = "a.task_id = {task} AND a.voter_id = {voter} AND a.photo_id = photos.id"


# --- tasks and classes -------------------------------------------------------------------------------------------------


def everything(db: Database) -> list[LabelTask]:
    """In the order in which they were made."""
    return [get(db, row[0]) for row in db.execute("SELECT id FROM tasks ORDER BY id").fetchall()]


def get(db: Database, task_id: int) -> LabelTask:
    """Raises NotFound."""
    row = db.execute("SELECT name FROM tasks WHERE id = ?", [task_id]).fetchone()
    if row is None:
        raise NotFound("There is no such task.")
    classes = db.execute("SELECT id, name, key FROM task_classes WHERE task_id = ? ORDER BY id", [task_id])
    return LabelTask(task_id, row[0], tuple(TaskClass(*found) for found in classes))


def class_name(db: Database, class_id: int) -> str:
    """Raises NotFound."""
    row = db.execute("SELECT name FROM task_classes WHERE id = ?", [class_id]).fetchone()
    if row is None:
        raise NotFound("There is no class of this number.")
    return str(row[0])


def add(db: Database, name: str, now: float) -> int:
    return insert(db, "tasks", {"name": name, "created_at": now})


def rename(db: Database, task_id: int, name: str) -> None:
    db.execute("UPDATE tasks SET name = ? WHERE id = ?", [name, task_id])


def add_class(db: Database, task_id: int, name: str, key: str) -> int:
    return insert(db, "task_classes", {"task_id": task_id, "name": name, "key": key})


def change_class(db: Database, class_id: int, name: str, key: str) -> None:
    db.execute("UPDATE task_classes SET name = ?, key = ? WHERE id = ?", [name, key, class_id])


def remove_class(db: Database, class_id: int) -> None:
    db.execute("DELETE FROM task_classes WHERE id = ?", [class_id])


def was_used(db: Database, class_id: int) -> bool:
    """Whether anybody ever gave this answer, taken back or not."""
    return db.execute("SELECT 1 FROM task_answers WHERE class_id = ? LIMIT 1", [class_id]).fetchone() is not None


# --- answers -----------------------------------------------------------------------------------------------------------


def answer(
    db: Database, task_id: int, voter_id: int, photo_id: int, class_id: int | None, now: float, request: str | None = None
) -> int:
    """Store an answer (no class is a skip), and return its id. The same `request` again stores nothing new."""
    if request:
        row = db.execute("SELECT id FROM task_answers WHERE request = ?", [request]).fetchone()
        if row:
            return int(row[0])
    row = {"task_id": task_id, "voter_id": voter_id, "at": now, "photo_id": photo_id, "class_id": class_id, "request": request}
    return insert(db, "task_answers", row)


def undo(db: Database, task_id: int, voter_id: int, now: float) -> int:
    """Take back the newest answer that counts, and return its photo. Raises NotFound where there is none."""
    sql = "SELECT id, photo_id FROM live_task_answers WHERE task_id = ? AND voter_id = ? ORDER BY id DESC LIMIT 1"
    for answer_id, photo_id in db.execute(sql, [task_id, voter_id]).fetchall():
        row = {"task_id": task_id, "voter_id": voter_id, "at": now, "photo_id": photo_id, "undoes": answer_id}
        insert(db, "task_answers", row)
        return int(photo_id)
    raise NotFound("There is no answer to take back.")


def labels(db: Database, task_id: int, voter_id: int) -> dict[int, int]:
    """Class by photo, of every photo that was answered, in the order of the answers."""
    sql = "SELECT photo_id, class_id FROM task_labels WHERE task_id = ? AND voter_id = ? ORDER BY answer_id"
    return dict(db.execute(sql, [task_id, voter_id]).fetchall())


def answered_count(db: Database, task_id: int, voter_id: int) -> int:
    sql = "SELECT count(*) FROM task_labels WHERE task_id = ? AND voter_id = ?"
    return int(db.execute(sql, [task_id, voter_id]).fetchone()[0])


# --- the next photo ----------------------------------------------------------------------------------------------------


def next_photo(db: Database, task_id: int, voter_id: int, point: int) -> Photo | None:
    """Without an answer so far: representatives; then what the model doubts most; then any."""
    mine = _MINE.format(task=int(task_id), voter=int(voter_id))
    free = f"""
        photos.state = 'present' AND NOT EXISTS (SELECT 1 FROM live_task_answers AS a WHERE {mine})
    """
    ways = (
        f"""SELECT photos.* FROM cache.clusters AS c CROSS JOIN photos ON photos.id = c.photo_id
            WHERE c.representative > 0 AND {free} ORDER BY c.representative, c.photo_id LIMIT 1""",
        f"""SELECT photos.* FROM cache.task_scores AS s CROSS JOIN photos ON photos.id = s.photo_id
            WHERE s.task_id = {int(task_id)} AND s.voter_id = {int(voter_id)} AND {free} ORDER BY s.chance LIMIT 1""",
        f"SELECT photos.* FROM photos WHERE draw >= {int(point)} AND {free} ORDER BY draw LIMIT 1",
        f"SELECT photos.* FROM photos WHERE {free} ORDER BY draw LIMIT 1",
    )
    return next((photo_from(row) for sql in ways for row in db.query(sql)), None)


# --- what models make of it --------------------------------------------------------------------------------------------


def replace_scores(db: Database, task_id: int, voter_id: int, rows: Iterable[tuple[int, int, float]]) -> None:
    """(photo, its likeliest class, how likely it is)."""
    db.execute("DELETE FROM cache.task_scores WHERE task_id = ? AND voter_id = ?", [task_id, voter_id])
    numbered = ((task_id, voter_id, *row) for row in rows)
    db.conn.executemany("INSERT INTO cache.task_scores VALUES (?, ?, ?, ?, ?)", numbered)
    db.execute("DELETE FROM cache.task_counts WHERE task_id = ? AND voter_id = ?", [task_id, voter_id])
    sql = """
        INSERT INTO cache.task_counts SELECT task_id, voter_id, class_id, count(*) FROM cache.task_scores
        WHERE task_id = ? AND voter_id = ? GROUP BY class_id
    """
    db.execute(sql, [task_id, voter_id])


def put_report(db: Database, task_id: int, voter_id: int, report: dict[str, Any]) -> None:
    key = f"report of task {task_id} for {voter_id}"
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [key, json.dumps(report)])


def report(db: Database, task_id: int, voter_id: int) -> dict[str, Any] | None:
    """What the newest model was found to be worth."""
    key = f"report of task {task_id} for {voter_id}"
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [key]).fetchone()
    found: dict[str, Any] | None = json.loads(row[0]) if row else None
    return found


def counts(db: Database, task_id: int, voter_id: int) -> dict[int, tuple[int, int]]:
    """(photos that were said to be of a class, photos that are expected to be), by class."""
    said = "SELECT class_id, count(*) FROM task_labels WHERE task_id = ? AND voter_id = ? GROUP BY class_id"
    guessed = "SELECT class_id, count FROM cache.task_counts WHERE task_id = ? AND voter_id = ?"
    one, other = (dict(db.execute(sql, [task_id, voter_id]).fetchall()) for sql in (said, guessed))
    return {key: (one.get(key, 0), other.get(key, 0)) for key in {*one, *other}}


def of_class(
    db: Database, task_id: int, voter_id: int, class_id: int, after: tuple[float, int] | None, limit: int
) -> list[tuple[Photo, float]]:
    """Present photos that a model takes to be of this class, likeliest first. `after` is (chance, photo id)."""
    sql = """
        SELECT photos.*, s.chance AS task_chance FROM cache.task_scores AS s CROSS JOIN photos ON photos.id = s.photo_id
        WHERE s.task_id = ? AND s.voter_id = ? AND s.class_id = ? AND photos.state = 'present' AND (s.chance, s.photo_id) < (?, ?)
        ORDER BY s.chance DESC, s.photo_id DESC LIMIT ?
    """
    values = [task_id, voter_id, class_id, *(after or (2.0, 0)), limit]
    return [(photo_from(row), row["task_chance"]) for row in db.query(sql, values)]


def said_of_class(db: Database, task_id: int, voter_id: int, class_id: int, limit: int) -> list[Photo]:
    """Photos that this voter said are of the class, newest answer first."""
    sql = """
        SELECT photos.* FROM task_labels AS l CROSS JOIN photos ON photos.id = l.photo_id
        WHERE l.task_id = ? AND l.voter_id = ? AND l.class_id = ? ORDER BY l.answer_id DESC LIMIT ?
    """
    return [photo_from(row) for row in db.query(sql, [task_id, voter_id, class_id, limit])]


def table(db: Database, task_id: int, voter_id: int) -> Iterator[tuple[bytes, int | None, int | None, float | None]]:
    """(path, class that was said, class that is expected, its chance) of every present photo that has either, by path."""
    sql = """
        SELECT photos.path, l.class_id, s.class_id, s.chance FROM photos
        LEFT JOIN task_labels AS l ON l.task_id = ?1 AND l.voter_id = ?2 AND l.photo_id = photos.id
        LEFT JOIN cache.task_scores AS s ON s.task_id = ?1 AND s.voter_id = ?2 AND s.photo_id = photos.id
        WHERE photos.state = 'present' AND (l.class_id IS NOT NULL OR s.class_id IS NOT NULL) ORDER BY photos.path
    """
    yield from db.execute(sql, [task_id, voter_id])
