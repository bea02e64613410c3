"""Numbers kept by triggers are those that counting gives, and pages by index show every row once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon.config import Places
from precious_daemon.errors import NotFound
from precious_daemon.models import Choice, PhotoState, Question, Role, Stamp, Suggestion, SuggestionState, UnitFile, UnitState
from precious_daemon.store import (
    Database,
    Store,
    answers,
    audits,
    changes,
    photos,
    roots,
    suggestions,
    tallies,
    tasks,
    units,
)

PHOTOS = 6


@pytest.fixture
def six(store: Store, tmp_path: Path) -> list[int]:
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)
    found = [store.write(changes.add_still, root.id, f"{n}.jpg", Stamp(1, n, 10 + n, 0), float(n)) for n in range(PHOTOS)]
    store.write(lambda db: db.execute("UPDATE photos SET state = 'present'"))
    store.write(tasks.add, "What is it", 0.0)
    for name, key in (("receipt", "r"), ("family", "f")):
        store.write(tasks.add_class, 1, name, key)
    return found


def counted(db: Database) -> tuple[object, object]:
    rows = db.execute("SELECT what, whose, which, count FROM tallies WHERE count != 0 ORDER BY 1, 2, 3").fetchall()
    return rows, db.execute("SELECT voter_id, photo_id, answer_id, keep, purpose, at FROM labels ORDER BY 1, 2").fetchall()


def _sorted(db: Database) -> list[object]:
    return db.execute("SELECT photo_id, class_id, answer_id FROM task_labels ORDER BY 1").fetchall()


def _newest_of_each(db: Database) -> list[object]:
    return db.execute("SELECT photo_id, class_id, max(id) FROM live_task_labels GROUP BY 1 ORDER BY 1").fetchall()


def is_right(store: Store) -> bool:
    before = store.read(counted)
    store.write(tallies.recount)
    return before == store.read(counted)


PHOTO = st.integers(0, PHOTOS - 1)
DEEDS = st.one_of(
    st.tuples(st.just("pair"), PHOTO, PHOTO, st.sampled_from(["first", "draw", "skip", "both_keep", "both_delete"])),
    st.tuples(st.just("label"), PHOTO, st.sampled_from(["keep", "delete", "skip"]), st.sampled_from(["train", "test", "audit"])),
    st.tuples(st.just("undo")),
    st.tuples(st.just("suggest"), st.sets(PHOTO)),
    st.tuples(st.just("certify"), st.sets(PHOTO)),
    st.tuples(st.just("sort"), PHOTO, st.sampled_from([None, 1, 2])),
    st.tuples(st.just("unsort")),
    st.tuples(st.just("dismiss"), PHOTO),
    st.tuples(st.just("trash"), PHOTO),
    st.tuples(st.just("restore"), PHOTO),
    st.tuples(st.just("grow"), PHOTO, st.integers(0, 9)),
    st.tuples(st.just("companion"), PHOTO),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DEEDS, max_size=30))
def test_tallies_are_what_counting_gives_whatever_is_done(store: Store, six: list[int], deeds: list[tuple[object, ...]]) -> None:
    for deed in deeds:
        store.write(_do, six, *deed)
    assert is_right(store)
    assert store.read(_sorted) == store.read(_newest_of_each)


def _do(db: Database, six: list[int], what: str, *rest: object) -> None:
    now, first = 0.0, six[rest[0]] if rest and isinstance(rest[0], int) else 0
    open_here = [row for row in suggestions.page(db, 1) if row.photo.id == first]
    going = units._units(db, "photo_id = ? AND state = 'done'", [first])
    match what:
        case "pair":
            answers.add(db, 1, Question.PAIR, Choice(rest[2]), first, six[rest[1]], "rank", now)  # type: ignore[call-overload]
        case "label":
            answers.add(db, 1, Question.LABEL, Choice(rest[1]), first, None, str(rest[2]), now)
        case "undo":
            try:
                answers.undo(db, 1, now)
            except NotFound:
                return
        case "suggest":
            suggestions.replace_open(db, 1, "r", [Suggestion(six[i], "taste", 0.1, True, ("why",)) for i in rest[0]], now)  # type: ignore[attr-defined]
        case "certify":
            audits.mark_certified(db, 1, {six[i] for i in rest[0]}, set())  # type: ignore[attr-defined]
        case "sort":
            tasks.answer(db, 1, 1, first, rest[1], now)  # type: ignore[arg-type]
        case "unsort":
            try:
                tasks.undo(db, 1, 1, now)
            except NotFound:
                return
        case "dismiss":
            suggestions.set_state(db, [row.id for row in open_here], SuggestionState.DISMISSED, now)
        case "trash" if open_here:
            file = UnitFile(f"{first}.jpg", Role.STILL, Stamp(1, 1, 7, 1), b"h", None)
            unit = units.approve(db, 1, "b", open_here[0], [file], None, now)
            units.done(db, units.plan(db, unit, ["t"], now), now)
        case "restore" if going:
            assert going[0].state is UnitState.DONE
            units.undone(db, units.restore(db, going[0], [f"{first}.jpg"], now), now)
        case "grow":
            changes.put_file(db, first, 1, f"{rest[0]}.jpg", Role.STILL, Stamp(1, 1, int(str(rest[1])), 1))
        case "companion":
            changes.put_file(db, first, 1, "shared.mov", Role.VIDEO, Stamp(1, 1, 5, 1))


def test_pages_of_photos_show_every_one_once_newest_first(store: Store, here: Places, tmp_path: Path) -> None:
    rng = random.Random(1)
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)
    times = [rng.choice([None, 5.0, 5.0, rng.random() * 10]) for _ in range(60)]

    def fill(db: Database) -> None:
        for number, taken_at in enumerate(times):
            photo = changes.add_still(db, root.id, f"{number}.jpg", Stamp(1, number, 1, 1), 0.0)
            db.execute("UPDATE photos SET state = 'present', taken_at = ? WHERE id = ?", [taken_at, photo])

    store.write(fill)
    shown: list[tuple[float, int]] = []
    while part := store.read(photos.page, PhotoState.PRESENT, shown[-1] if shown else None, 7):
        shown += [(photo.taken_at or 0, photo.id) for photo in part]
    assert len(shown) == 60
    assert shown == sorted(shown, reverse=True)


def test_pages_of_suggestions_show_every_one_once_in_their_order(store: Store, six: list[int]) -> None:
    store.write(suggestions.replace_open, 1, "r", [Suggestion(i, "taste", 0.1, True, ()) for i in reversed(six)], 0.0)
    shown: list[tuple[float, int]] = []
    found: list[int] = []
    while part := store.read(suggestions.page, 1, SuggestionState.OPEN, shown[-1] if shown else None, 4):
        shown += [(row.place, row.id) for row in part]
        found += [row.photo.id for row in part]
        assert len(found) <= 6
    assert found == six[::-1]
