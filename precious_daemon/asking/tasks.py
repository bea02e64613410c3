"""The owner's own label sets: a name, two or more classes with a key each, answers, and what comes of them as CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Sequence

from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import LabelTask, TaskClass
from precious_daemon.store import Database, photos
from precious_daemon.store import tasks as rows

LONGEST = 40  # characters of a name
MOST = 20  # classes of a task
KEYS = "abcdefghijklmnopqrtuvwxy0123456789"  # s skips, z takes back
EXPORT = ["Image", "Class", "Expected", "Chance"]


def make(db: Database, name: str, classes: Sequence[str], now: float) -> LabelTask:
    """A new task. Each class gets a key of its own: a letter of its name where one is free."""
    name = _clean(name)
    _check_free(name, [task.name for task in rows.everything(db)], "task")
    names = [_clean(each) for each in classes if each.strip()]
    if not 2 <= len(names) <= MOST or len({each.casefold() for each in names}) < len(names):
        raise PreciousError(f"A task needs 2 to {MOST} classes with different names, one a line. Nothing was made.")
    task_id = rows.add(db, name, now)
    for each in names:
        rows.add_class(db, task_id, each, _free_key(each, [known.key for known in rows.get(db, task_id).classes]))
    return rows.get(db, task_id)


def rename(db: Database, task_id: int, name: str) -> LabelTask:
    name = _clean(name)
    _check_free(name, [task.name for task in rows.everything(db) if task.id != task_id], "task")
    rows.rename(db, rows.get(db, task_id).id, name)
    return rows.get(db, task_id)


def add_class(db: Database, task_id: int, name: str) -> LabelTask:
    task, name = rows.get(db, task_id), _clean(name)
    _check_free(name, [known.name for known in task.classes], "class")
    if len(task.classes) >= MOST:
        raise PreciousError(f"A task has at most {MOST} classes. Make a second task for the others.")
    rows.add_class(db, task_id, name, _free_key(name, [known.key for known in task.classes]))
    return rows.get(db, task_id)


def change_class(db: Database, task_id: int, class_id: int, name: str, key: str) -> LabelTask:
    """Another name or key; what was answered stays answered."""
    task, name, key = rows.get(db, task_id), _clean(name), key.strip().lower()
    others = [known for known in task.classes if known.id != class_in(task, class_id).id]
    _check_free(name, [known.name for known in others], "class")
    if len(key) != 1 or key not in KEYS or key in {known.key for known in others}:
        raise PreciousError("A key is one letter or digit of its own; S skips, and Z takes back. Nothing was changed.")
    rows.change_class(db, class_id, name, key)
    return rows.get(db, task_id)


def remove_class(db: Database, task_id: int, class_id: int) -> LabelTask:
    """Only a class that was never an answer, and while two others are left."""
    task = rows.get(db, task_id)
    one = class_in(task, class_id)
    if rows.was_used(db, class_id):
        raise PreciousError(f"{one.name} was answered before, so it stays. Rename it instead; nothing was changed.")
    if len(task.classes) <= 2:
        raise PreciousError("A task has at least two classes. Nothing was changed.")
    rows.remove_class(db, class_id)
    return rows.get(db, task_id)


def answer(
    db: Database, task_id: int, voter_id: int, photo_uid: str, class_id: int | None, now: float, request: str | None = None
) -> int:
    """Store what a photo is, or with no class that it was skipped."""
    task = rows.get(db, task_id)
    if class_id is not None:
        class_in(task, class_id)
    return rows.answer(db, task_id, voter_id, photos.by_uid(db, photo_uid).id, class_id, now, request)


def class_in(task: LabelTask, class_id: int) -> TaskClass:
    """Raises NotFound."""
    found = next((known for known in task.classes if known.id == class_id), None)
    if found is None:
        raise NotFound(f"{task.name} has no such class.")
    return found


def export(db: Database, task_id: int, voter_id: int) -> str:
    """CSV `Image,Class,Expected,Chance`: what was said of each photo, and what the model takes it for."""
    names = {known.id: known.name for known in rows.get(db, task_id).classes}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(EXPORT)
    for path, said, expected, chance in rows.table(db, task_id, voter_id):
        shown = os.fsdecode(path).encode("utf-8", "replace").decode("utf-8")
        likely = "" if chance is None else f"{chance:.4f}"
        writer.writerow([shown, names.get(said or 0, ""), names.get(expected or 0, ""), likely])
    return out.getvalue()


def _clean(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST or not name.isprintable():
        raise PreciousError(f"A name has 1 to {LONGEST} letters that can be seen. Nothing was changed.")
    return name


def _check_free(name: str, others: Collection[str], what: str) -> None:
    if name.casefold() in {other.casefold() for other in others}:
        raise PreciousError(f"There is a {what} {name} already. Take another name.")


def _free_key(name: str, taken: Collection[str]) -> str:
    wanted = (*name.lower(), *KEYS)  # more keys than classes: one is left
    return str(next(key for key in wanted if key in KEYS and key not in taken))
