"""Removing for good: only what is old by two clocks, only with the count typed, never the last copy."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from precious_daemon.config import Places, Settings, parse
from precious_daemon.disk import deeds
from precious_daemon.errors import CountNeeded, TrashRefused
from precious_daemon.models import PhotoState, RootState, UnitState
from precious_daemon.store import Store, answers, changes, photos, roots, units
from precious_daemon.trash import Outcome
from precious_daemon.trash.records import TRASH
from tests.trash.library import NOON, FaultyDisk, Killed, Library, ripen, said

DAY = 86400


def purge(library: Library, count: int | None = None, dry_run: bool = False) -> list[Outcome]:
    return asyncio.run(library.trash.purge(count, dry_run))


def ripe(library: Library) -> int:
    return len(asyncio.run(library.trash.ripe()))


def test_what_is_ripe_is_removed_with_its_companions_and_nothing_else_is(library: Library) -> None:
    library.add("stays.jpg", b"stays")
    gone = library.add("IMG.JPG", b"goes", "IMG.MOV", "IMG.JPG.xmp")
    library.send(gone)
    (library.folder / TRASH / "note.txt").write_bytes(b"the owner's own")
    ripen(library)
    with pytest.raises(CountNeeded, match="Type 1 to remove them for good"):
        purge(library)
    with pytest.raises(CountNeeded):
        purge(library, 2)
    (outcome,) = purge(library, 1)
    assert outcome.moved
    assert outcome.message == "Removed IMG.JPG and its 2 companions for good."
    assert sorted(path for paths in library.contents().values() for path in paths) == [f"{TRASH}/note.txt", "stays.jpg"]
    assert not list((library.folder / TRASH).rglob("record.json"))
    library.check_agreement()
    assert library.photo(gone.id).state is PhotoState.PURGED
    assert [label.keep for label in library.store.read(answers.labels, 1)] == [False], "it goes on teaching"
    assert library.store.read(units.totals) == (0, 0)
    found = [entry for _, entry in deeds.page(library.places.audit_log, 6).entries]
    assert [entry["action"] for entry in found] == ["purged"] * 3 + ["purging"] * 3
    assert not library.undo(outcome.unit)[0].moved


def test_it_is_off_unless_the_owner_turns_it_on(store: Store, here: Places, tmp_path: Path) -> None:
    library = Library(store, here, tmp_path / "photos", Settings())
    library.send(library.add("IMG.JPG", b"goes"))
    ripen(library, 400)
    assert ripe(library) == 0
    with pytest.raises(TrashRefused, match="set purge_days = 30"):
        purge(library, 1)


@pytest.mark.parametrize(
    ("days_of_running", "clock", "old_enough"),
    [
        (31, 31, True),
        (29, 400, False),  # the clock ran ahead, or the machine was off for a year
        (31, 20, False),
        (30, 30, True),
    ],
)
def test_both_clocks_have_to_agree(library: Library, days_of_running: int, clock: int, old_enough: bool) -> None:
    library.send(library.add("IMG.JPG", b"goes"))
    for day in range(1, days_of_running + 1):
        library.store.write(units.note_day, NOON + day * DAY * min(1, clock / days_of_running))
    library.clock.now = NOON + clock * DAY
    assert (ripe(library) == 1) is old_enough


def test_clock_set_a_year_ahead_for_a_day_brings_nothing_forward(library: Library) -> None:
    library.send(library.add("IMG.JPG", b"goes"))
    library.clock.now = NOON + 365 * DAY
    library.store.write(units.note_day, library.clock.now)
    assert ripe(library) == 0
    library.clock.now = NOON + 2 * DAY
    library.store.write(units.note_day, library.clock.now)
    assert ripe(library) == 0


def test_fewer_than_thirty_days_count_as_thirty(library: Library) -> None:
    eager = Library(library.store, library.places, library.folder, parse({"trash": {"purge_days": 1}}))
    eager.send(eager.add("IMG.JPG", b"goes"))
    ripen(eager, 29)
    assert ripe(eager) == 0
    ripen(eager, 2)
    assert ripe(eager) == 1


def test_copy_stays_in_the_trash_where_the_one_that_was_kept_is_gone(library: Library) -> None:
    keeper, copy = library.add("a.jpg", b"same"), library.add("b.jpg", b"same")
    library.apply(library.approve(copy, kind="copy", keeper=keeper))
    ripen(library)
    (library.folder / "a.jpg").unlink()
    library.store.write(changes.file_gone, library.store.read(photos.files_of, keeper.id)[0], library.clock())
    before = library.contents()
    assert "was to be kept, is not there any more" in said(purge(library, 1))
    assert library.contents() == before
    assert library.units(UnitState.DONE)


def test_file_that_was_put_in_its_place_is_not_removed(library: Library) -> None:
    (unit,) = library.send(library.add("IMG.JPG", b"goes"))
    ripen(library)
    (library.folder / (unit.files[0].trash_path or "")).write_bytes(b"something else")
    assert "is not the file that was moved there" in said(purge(library, 1))
    assert library.contents()


def test_folder_that_is_not_what_it_was_is_left_alone(library: Library) -> None:
    library.send(library.add("IMG.JPG", b"goes"))
    ripen(library)
    (library.folder / ".precious-root").write_text("another\n")
    assert "is not the folder it was" in said(purge(library, 1))
    assert library.units(UnitState.DONE)


def test_dry_run_says_what_would_go_and_removes_nothing(library: Library) -> None:
    library.send(library.add("IMG.JPG", b"goes", "IMG.MOV"))
    ripen(library)
    before = library.contents()
    assert said(purge(library, dry_run=True)) == "Would remove IMG.JPG and its companion for good."
    assert library.contents() == before
    assert library.units(UnitState.DONE)


def test_failing_disk_freezes_the_folder_and_the_removal_is_finished_later(store: Store, here: Places, tmp_path: Path) -> None:
    disk = FaultyDisk()
    library = Library(store, here, tmp_path / "photos", disk=disk)
    library.send(library.add("IMG.JPG", b"goes", "IMG.MOV"))
    ripen(library)
    disk.arm(1, errno.EIO, "sync")
    outcome = purge(library, 1)[0]
    disk.arm(None)
    assert not outcome.moved
    assert library.root_now().state is RootState.FROZEN
    library.store.write(roots.set_state, 1, RootState.WATCHED, None)
    assert "is gone" in library.recover()[0]
    library.check_agreement()


@pytest.mark.parametrize("at", range(1, 9))
def test_crash_in_the_middle_is_finished_at_the_next_start(store: Store, here: Places, tmp_path: Path, at: int) -> None:
    disk = FaultyDisk()
    library = Library(store, here, tmp_path / "photos", disk=disk)
    library.add("stays.jpg", b"stays")
    library.send(library.add("IMG.JPG", b"goes", "IMG.MOV"))
    ripen(library)
    disk.arm(at)
    with suppress(Killed):
        purge(library, 1)
    disk.arm(None)
    library.recover()
    library.check_agreement()
    assert library.units(UnitState.PURGED) or library.units(UnitState.DONE)
    assert ["stays.jpg"] in library.contents().values()


# --- circuit breakers --------------------------------------------------------------------------------------------------


def test_many_undos_lately_ask_for_the_count(library: Library) -> None:
    chosen = [library.add(f"{n}.jpg", b"%d" % n) for n in range(12)]
    sent = library.send(*chosen[:8])
    library.undo(*sent[:5])
    names = library.suggest(*chosen[8:])
    with pytest.raises(CountNeeded, match="You put back 5 of the 8 photos"):
        asyncio.run(library.trash.check(1, names))
    asyncio.run(library.trash.check(1, names[:1]))  # one that the owner looks at may go
    asyncio.run(library.trash.check(1, names, len(names)))
    library.clock.now += 8 * DAY
    asyncio.run(library.trash.check(1, names))


def test_certified_suggestions_need_the_count_once_their_certificate_is_gone(library: Library) -> None:
    names = library.suggest(library.add("a.jpg", b"a"), library.add("b.jpg", b"b"), certified=True)
    with pytest.raises(CountNeeded, match="does not hold any more"):
        asyncio.run(library.trash.check(1, names))
    asyncio.run(library.trash.check(1, names[:1]))


def test_companion_that_the_library_has_not_seen_yet_stops_its_capture(library: Library) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    (library.folder / "IMG_1.xmp").write_text("made a moment ago")
    assert "IMG_1.xmp has appeared beside IMG_1.JPG" in said(library.apply(batch))


# --- the disk ----------------------------------------------------------------------------------------------------------


def test_disk_with_another_number_after_a_restart_is_known_by_its_file_system(library: Library) -> None:
    from precious_daemon.disk.tree import filesystem_of, same_disk
    from precious_daemon.folders import watched

    photo = library.add("IMG.JPG", b"goes")
    root = library.root_now()
    here = filesystem_of(root.path)
    assert here
    library.store.write(lambda db: db.execute("UPDATE roots SET device = 12345, filesystem = ?", [here]))
    assert watched.check_root(library.store, library.root_now()).device == os.stat(root.path).st_dev
    library.send(photo)
    number = os.stat(root.path).st_dev
    assert same_disk(replace(root, device=number, filesystem=f"{number:x}"), root.path), "as it was once remembered of FAT"
    library.store.write(lambda db: db.execute("UPDATE roots SET filesystem = 'another'"))
    other = watched.check_root(library.store, library.root_now())
    assert other.filesystem == "another"
    assert "is on another disk than it was" in said(library.apply(library.approve(library.add("B.JPG", b"b"))))
