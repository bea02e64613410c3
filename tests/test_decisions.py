"""What was said of groups and clusters is stored by its photos, undone without a trace, and outlives regrouping."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from precious_daemon.errors import NotFound
from precious_daemon.models import Group, GroupKind, GroupMember, Photo, Stamp
from precious_daemon.store import Database, Store, changes, decisions, groups, photos, roots


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


def test_the_groups_to_review_are_those_that_are_not_settled(store: Store, five: list[Photo]) -> None:
    """Whatever was decided by whom, of whichever group it was then, and whatever has gone since."""
    rng, ids, settled = random.Random(2), [photo.id for photo in five], 0
    for _ in range(80):
        keys = store.write(_any_past, rng, ids)
        left = store.read(groups.as_left, 1, keys)
        wanted = {key for key, group in left.items() if not group.settled}
        assert {key for key, _ in store.read(lambda db: list(groups.to_review(db, 1)))} == wanted
        settled += len(left) - len(wanted)
    assert settled > 20, "else it says nothing"


def _any_past(db: Database, rng: random.Random, ids: list[int]) -> list[groups.Key]:
    db.execute("INSERT OR IGNORE INTO voters (id, name, created_at) VALUES (2, 'Ann', 0)")
    db.execute("DELETE FROM group_decisions")
    for at in range(rng.randrange(4)):
        members = rng.sample(ids, rng.randrange(2, 6))
        stays = set(rng.sample(members, rng.randrange(len(members) + 1))) if rng.random() < 0.6 else set(members)
        decisions.add(db, 1 if rng.random() < 0.8 else 2, rng.choice(members), members, stays, float(at))
    for photo in ids:
        db.execute("UPDATE photos SET state = ? WHERE id = ?", ["present" if rng.random() < 0.8 else "missing", photo])
    made = []
    for kind in (GroupKind.BURST, GroupKind.SAME):
        order = rng.sample(ids, len(ids))
        cut = rng.randrange(1, 5)
        made += [Group(kind, tuple(GroupMember(i, i == part[0], "") for i in part)) for part in (order[:cut], order[cut:])]
    groups.replace_groups(db, made)
    return [(group.kind, number) for number, group in enumerate(made, 1)]
