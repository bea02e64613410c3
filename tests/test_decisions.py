"""What was said of groups and clusters is stored by its photos, undone without a trace, and outlives regrouping."""

from __future__ import annotations

from pathlib import Path

import pytest

from precious_daemon.errors import NotFound
from precious_daemon.models import Photo, Stamp
from precious_daemon.store import Store, changes, decisions, photos, roots


@pytest.fixture
def five(store: Store, tmp_path: Path) -> list[Photo]:
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)
    ids = [store.write(changes.add_still, root.id, f"{n}.jpg", Stamp(1, n, 10, 0), float(n)) for n in range(1, 6)]
    return [store.read(photos.get, i) for i in ids]


def test_a_decision_is_found_by_any_of_its_photos(store: Store, five: list[Photo]) -> None:
    a, b, c, d, _ = (photo.id for photo in five)
    first = store.write(decisions.add, 1, b, [a, b], {b}, 1.0)
    second = store.write(decisions.add, 1, c, [c, d], set(), 2.0)
    assert store.read(decisions.about, 1, [a]) == [first]
    assert store.read(decisions.about, 1, [d, b]) == [first, second]
    assert store.read(decisions.all_decisions, 1) == [first, second]
    assert (first.best, first.members, first.stays) == (b, {a, b}, {b})
    assert second.stays == frozenset()


def test_a_decision_taken_back_leaves_nothing(store: Store, five: list[Photo]) -> None:
    made = store.write(decisions.add, 1, five[0].id, [p.id for p in five], set(), 1.0)
    assert store.read(decisions.newest, 1) == made
    store.write(decisions.forget, 2, made.id)
    assert store.read(decisions.newest, 1) == made, "another voter cannot undo it"
    store.write(decisions.forget, 1, made.id)
    assert store.read(decisions.newest, 1) is None
    assert store.read(lambda db: db.execute("SELECT count(*) FROM group_decision_members").fetchone()) == (0,)
    with pytest.raises(NotFound):
        store.read(decisions.get, 1, made.id)
