"""The owner's own label sets: kept apart from keep and delete, append-only, and never losing a class that was used."""

from __future__ import annotations

import csv
import io
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon.asking import tasks
from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import LabelTask, Photo
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, groups, insert
from precious_daemon.store import tasks as rows
from precious_daemon.suggesting import people
from tests.web.conftest import library, service

__all__ = ["library", "service"]


@pytest.fixture
def task(service: Service) -> LabelTask:
    return service.store.write(tasks.make, "What", ["Receipt", "Family", "  ", "Sea"], 1.0)


def say(service: Service, task: LabelTask, photo: Photo, place: int | None, voter_id: int = 1, request: str | None = None) -> int:
    class_id = None if place is None else task.classes[place].id
    return service.store.write(tasks.answer, task.id, voter_id, photo.uid, class_id, 1.0, request)


def said(service: Service, task: LabelTask, voter_id: int = 1) -> dict[int, int]:
    return service.store.read(rows.labels, task.id, voter_id)


def test_each_class_has_a_key_of_its_own(service: Service, task: LabelTask) -> None:
    assert [(one.name, one.key) for one in task.classes] == [("Receipt", "r"), ("Family", "f"), ("Sea", "e")]
    many = service.store.write(tasks.make, "Many", [f"s{number}" for number in range(20)], 1.0)
    assert len({one.key for one in many.classes} - {"s", "z"}) == 20


def test_nonsense_is_refused_and_nothing_is_made(service: Service, task: LabelTask) -> None:
    for name, classes in (("what", ["a", "b"]), ("New", ["a"]), ("New", ["a", "A"]), ("", ["a", "b"]), ("New", ["x" * 41, "b"])):
        with pytest.raises(PreciousError):
            service.store.write(tasks.make, name, classes, 1.0)
    for key in ("s", "z", "", "ab", "f"):
        with pytest.raises(PreciousError, match="key"):
            service.store.write(tasks.change_class, task.id, task.classes[0].id, "Receipt", key)
    assert service.store.read(rows.everything) == [task]


def test_a_class_that_was_used_is_renamed_and_never_removed(service: Service, task: LabelTask, library: list[Photo]) -> None:
    say(service, task, library[0], 0)
    service.store.write(rows.undo, task.id, 1, 2.0)
    with pytest.raises(PreciousError, match="Rename it instead"):
        service.store.write(tasks.remove_class, task.id, task.classes[0].id)
    renamed = service.store.write(tasks.change_class, task.id, task.classes[0].id, "Bill", "b")
    assert (renamed.classes[0].name, renamed.classes[0].key) == ("Bill", "b")
    assert len(service.store.write(tasks.remove_class, task.id, task.classes[2].id).classes) == 2
    with pytest.raises(PreciousError, match="at least two"):
        service.store.write(tasks.remove_class, task.id, task.classes[1].id)


def test_an_answer_sent_twice_counts_once_and_none_is_ever_changed(
    service: Service, task: LabelTask, library: list[Photo]
) -> None:
    assert say(service, task, library[0], 0, request="r") == say(service, task, library[0], 0, request="r")
    for sql in ("DELETE FROM task_answers", "UPDATE task_answers SET class_id = NULL"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            service.store.write(lambda db, sql=sql: db.execute(sql))
    service.store.write(rows.undo, task.id, 1, 2.0)
    assert said(service, task) == {}
    with pytest.raises(NotFound):
        service.store.write(rows.undo, task.id, 1, 2.0)


steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from([1, 2]), st.integers(0, 1)), max_size=15)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_tasks_never_mix_with_each_other_with_other_voters_or_with_keep_and_delete(
    service: Service, library: list[Photo], steps: list[tuple[int, int, int, int]]
) -> None:
    number = service.store.read(lambda db: db.execute("SELECT count(*) FROM tasks").fetchone()[0])
    if number == 0:
        service.store.write(people.add, "Anna", 1.0)
    made = [service.store.write(tasks.make, f"{number} {side}", ["a", "b", "c"], 1.0) for side in (0, 1)]
    expected: dict[tuple[int, int], list[tuple[int, int | None]]] = {}
    for what, place, voter, side in steps:
        given_so_far = expected.setdefault((side, voter), [])
        if what == 3:
            if given_so_far:
                service.store.write(rows.undo, made[side].id, voter, 1.0)
                given_so_far.pop()
        else:
            say(service, made[side], library[place], what, voter)
            given_so_far.append((library[place].id, made[side].classes[what].id))
    for side, voter in ((side, voter) for side in (0, 1) for voter in (1, 2)):
        assert said(service, made[side], voter) == dict(expected.get((side, voter), []))
    for voter in (1, 2):
        assert service.store.read(answers.counts, voter) == {"votes": 0}
        assert service.store.read(answers.labels, voter) == []


def test_representatives_come_first_then_what_the_model_doubts(service: Service, task: LabelTask, library: list[Photo]) -> None:
    def put(db: Database) -> None:
        insert(db, "cache.clusters", {"photo_id": library[3].id, "cluster": 1, "distance": 0.0, "representative": 1})
        insert(db, "cache.cluster_sizes", {"cluster": 1, "size": 6})
        found = [(photo.id, task.classes[0].id, 0.9 - place / 10) for place, photo in enumerate(library)]
        rows.replace_scores(db, task.id, 1, found)

    service.store.write(put)
    asked = []
    while photo := service.store.read(rows.next_photo, task.id, 1, 0):
        asked.append(photo.id)
        say(service, task, photo, None if len(asked) == 2 else 1)
    assert asked == [library[i].id for i in (3, 5, 4, 2, 1, 0)]
    assert len(said(service, task)) == 5
    assert service.store.read(groups.next_representative, 1) is not None  # keep or delete is asked all the same


def test_export_holds_what_was_said_and_what_is_expected(service: Service, task: LabelTask, library: list[Photo]) -> None:
    say(service, task, library[0], 0)
    say(service, task, library[0], 1)
    service.store.write(rows.replace_scores, task.id, 1, [(library[1].id, task.classes[2].id, 0.75)])
    found = list(csv.reader(io.StringIO(service.store.read(tasks.export, task.id, 1))))
    assert found == [
        ["Image", "Class", "Expected", "Chance"],
        *sorted([[library[0].path, "Family", "", ""], [library[1].path, "", "Sea", "0.7500"]]),
    ]


async def test_job_tells_of_each_task(service: Service, task: LabelTask, library: list[Photo]) -> None:
    assert (await service.jobs.run("sort")).detail == "no task of your own has answers yet"
