"""A part of the library by folder, date and class: exactly its photos, whatever the way they are found by."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon.errors import NotFound
from precious_daemon.models import Scope, Stamp
from precious_daemon.store import Database, Store, changes, photos, roots, scopes, tasks
from precious_daemon.web import within
from precious_daemon.web.problems import BadRequest

FOLDERS = ["", "a", "a/b", "ab", "a-", "b\udcff"]
DAY = 86400.0


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Store:
    """Five photos in each folder, on the days 0 to 4; of the last one the time is not known."""
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)

    def fill(db: Database) -> None:
        for number, folder in enumerate(FOLDERS):
            for day in range(5):
                path = f"{folder}/{day}.jpg".lstrip("/")
                photo = changes.add_still(db, root.id, path, Stamp(1, number * 5 + day, 1, 0), 0.0)
                db.execute("UPDATE photos SET state = 'present', taken_at = ? WHERE id = ?", [day * DAY, photo])
        db.execute("UPDATE photos SET taken_at = NULL WHERE path LIKE '%4.jpg'")

    store.write(fill)
    return store


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from([None, *FOLDERS]), st.none() | st.integers(0, 5), st.none() | st.integers(0, 5), st.sampled_from([0, 7, 5000])
)
def test_a_sample_is_of_the_folder_and_the_time_and_leaves_nothing_out(
    library: Store, folder: str | None, since: int | None, until: int | None, few: int
) -> None:
    bounds = [None if day is None else day * DAY for day in (since, until)]
    scope = Scope(None if folder is None else 1, folder or "", *bounds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scopes, "FEW", few)
        found = library.read(scopes.sample, scope, 1, 0, 100, 100)
    inside = set()
    for photo in library.read(photos.many, range(1, 31)).values():
        timed = photo.taken_at is not None or since is until is None
        in_time = timed and (bounds[0] or 0) <= (photo.taken_at or 0) < (1e9 if bounds[1] is None else bounds[1])
        if in_time and (not folder or photo.path.startswith(folder + "/")):
            inside.add(photo.id)
    assert sorted(found) == sorted(inside)


@pytest.mark.parametrize("few", [0, 5000])
def test_a_class_is_what_the_voter_put_into_it_and_what_the_model_takes_for_it(
    library: Store, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "FEW", few)
    task = library.write(tasks.add, "What it shows", 0.0)
    sea, hill = [library.write(tasks.add_class, task, name, name[0]) for name in ("sea", "hill")]
    for number, (photo, chosen) in enumerate(((1, sea), (2, hill), (2, sea), (3, hill))):
        library.write(tasks.answer, task, 1, photo, chosen, 0.0, str(number))
    library.write(tasks.replace_scores, task, 1, [(3, sea, 0.9), (4, sea, 0.8), (11, sea, 0.7), (5, hill, 0.9)])
    part = library.read(within.read, f"class={sea}", 1)
    assert part.scope
    assert sorted(library.read(scopes.sample, part.scope, 1, 0, 100, 100)) == [1, 2, 4, 11]
    assert (part.query, part.words) == (f"class={sea}", "in sea")
    both = library.read(within.read, f"class={sea}&folder=a/b", 1).scope
    assert both
    assert library.read(scopes.sample, both, 1, 0, 100, 100) == [11]
    with pytest.raises(NotFound):
        library.read(within.read, "class=99", 1)
    with pytest.raises(BadRequest, match="folder or a time"):
        library.read(within.read, f"class={sea}")


def test_a_part_that_chance_does_not_find_is_looked_through(library: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("FEW", "LOOKED_AT"):
        monkeypatch.setattr(scopes, bound, 0)
    inside = library.read(within.read, "folder=a/b").scope
    assert inside
    found = library.read(scopes.sample, inside, 1, 0, 2, 2)
    assert len(found) == 2
    paths = library.read(photos.paths)
    assert all(paths[photo].startswith("a/b/") for photo in found)


def test_a_folder_is_named_in_full_or_within_its_root(library: Store, tmp_path: Path) -> None:
    assert library.read(scopes.folder, f"{tmp_path}/a/b/") == (1, "a/b")
    assert library.read(scopes.folder, str(tmp_path)) == (1, "")
    assert library.read(scopes.folder, "a") == (1, "a")
    for absent in ("c", "/elsewhere", f"{tmp_path}x", "../a"):
        with pytest.raises(NotFound):
            library.read(scopes.folder, absent)


def test_an_address_names_days_months_and_years(library: Store) -> None:
    def days(query: str) -> tuple[float, float]:
        scope = library.read(within.read, query).scope
        assert scope
        assert scope.since is not None
        assert scope.until is not None
        return scope.since / DAY, scope.until / DAY

    assert days("from=1970-01-02&to=1970-01-02") == (1, 2)
    assert days("from=1970&to=1970-2") == (0, 59)
    assert days("from=1970-12&to=1972") == (334, 365 + 365 + 366)
    for wrong in ("from=yesterday", "to=2024-13", "to=2024-02-30", "from=0000"):
        with pytest.raises(BadRequest, match="2024-05-31"):
            library.read(within.read, wrong)


def test_an_address_comes_back_as_it_was_with_any_name(library: Store) -> None:
    part = library.read(within.read, "folder=b%FF&from=1970")
    assert part.query == "folder=b%FF&from=1970"
    assert part.after("/compare?photo=x") == "/compare?photo=x&folder=b%FF&from=1970"
    assert part.words == "in b�, from 1970"
    assert library.read(within.read, "kind=pair") == within.Within()
