"""The process ends, or the disk fails, at every change that a move or an undo makes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.models import PhotoState, RootState, SuggestionState, Unit, UnitState
from precious_daemon.store import Store, changes, photos, roots, suggestions
from precious_daemon.trash import recover_records
from tests.trash.library import FaultyDisk, Killed, Library, contents

FILES = ("a/IMG_1.MOV", "a/IMG_1.JPG.xmp")


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def library(either: str, store: Store, here: Places, tmp_path: Path, disk: FaultyDisk) -> Library:
    """Every fault is tried on both trashes."""
    return Library(store, here, tmp_path / "photos", disk=disk)


def rejoin(library: Library) -> Unit:
    """A fresh capture, approved and ready to be applied."""
    number = len(library.units(*UnitState))
    photo = library.add(f"{number}/IMG.JPG", b"%d" % number, f"{number}/IMG.MOV", f"{number}/IMG.JPG.xmp")
    library.approve(photo)
    return library.units(UnitState.APPROVED)[-1]


@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_at_every_change_of_a_move(library: Library, disk: FaultyDisk, how: str) -> None:
    seen = set()
    for at in range(1, 100):
        unit = rejoin(library)
        before = library.contents()
        disk.arm(at, how)
        try:
            library.apply(unit.batch)
        except Killed:
            pass
        else:
            break
        disk.arm(None)
        assert library.contents().keys() == before.keys()
        library.recover()
        assert library.contents().keys() == before.keys()
        library.check_agreement()
        after = library.contents()
        assert library.recover() == []
        assert library.contents() == after, "recovering again changes nothing"
        (settled,) = [u for u in library.units(*UnitState) if u.id == unit.id]
        seen.add(settled.state)
    assert at > 12
    assert seen == {UnitState.REFUSED, UnitState.DONE}


@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_at_every_change_of_an_undo(library: Library, disk: FaultyDisk, how: str) -> None:
    for at in range(1, 100):
        unit = rejoin(library)
        library.apply(unit.batch)
        before = library.contents()
        disk.arm(at, how)
        try:
            library.undo(unit)
        except Killed:
            pass
        else:
            break
        disk.arm(None)
        assert library.contents().keys() == before.keys()
        library.recover()
        assert library.contents().keys() == before.keys()
        library.check_agreement()
        assert library.undo(unit)[0].unit.state is UnitState.UNDONE
        assert library.photo(unit.photo_id).state is PhotoState.PRESENT
        assert all((library.folder / f.path).exists() for f in unit.files)
    assert at > 4


@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_at_every_change_of_a_recovery(library: Library, disk: FaultyDisk, how: str) -> None:
    """The move is killed between its files, and then the recovery at each of its own changes."""
    for at in range(1, 100):
        unit = rejoin(library)
        before = library.contents()
        disk.arm(3, "after", "rename")  # the record and the still
        with pytest.raises(Killed):
            library.apply(unit.batch)
        disk.arm(at, how)
        try:
            library.recover()
        except Killed:
            pass
        else:
            break
        disk.arm(None)
        library.recover()
        library.check_agreement()
        assert library.contents() == before
    assert at > 3


def test_killed_at_every_change_of_a_recovery_from_records(library: Library, disk: FaultyDisk) -> None:
    for at in range(1, 100):
        unit = rejoin(library)
        before = library.contents()
        library.apply(unit.batch)
        disk.arm(at, "before")
        try:
            recover_records(str(library.folder), disk)
        except Killed:
            pass
        else:
            break
        disk.arm(None)
        recover_records(str(library.folder))
        assert library.contents() == before
        assert library.undo(unit)[0].moved, "the journal learns of it"
    assert at > 4


def test_an_approval_that_a_crash_left_is_asked_for_again(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    library.approve(photo)
    assert library.recover() == ["IMG_1.JPG was approved but not moved; it waits for you to approve it again."]
    assert library.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 1
    assert library.send(photo)


def test_a_crash_while_the_name_is_taken_again_ends_beside_it(library: Library, disk: FaultyDisk) -> None:
    unit = rejoin(library)
    disk.arm(4, "after", "rename")  # the record, the still, both companions
    with pytest.raises(Killed):
        library.apply(unit.batch)
    (library.folder / unit.files[0].path).write_bytes(b"a new one of that name")
    disk.arm(None)
    library.recover()  # all were moved: it is finished
    disk.arm(2, "after", "rename")
    with pytest.raises(Killed):
        library.undo(unit)
    disk.arm(None)
    before = library.contents()
    library.recover()
    assert library.contents().keys() == before.keys()
    names = {p.name for p in (library.folder / "0").iterdir()}
    assert names == {"IMG.JPG", "IMG (restored).JPG", "IMG (restored).MOV", "IMG (restored).JPG.xmp"}


def test_a_partly_moved_capture_goes_back_beside_what_took_its_name(library: Library, disk: FaultyDisk) -> None:
    unit = rejoin(library)
    disk.arm(2, "after", "rename")
    with pytest.raises(Killed):
        library.apply(unit.batch)
    disk.arm(None)
    (library.folder / unit.files[0].path).write_bytes(b"a new one of that name")
    before = library.contents()
    library.recover()
    assert library.contents().keys() == before.keys()
    assert (library.folder / "0/IMG (restored).JPG").read_bytes() == b"0"
    library.check_agreement()


def test_what_is_in_the_trash_by_mistake_comes_back_and_freezes_the_folder(library: Library, disk: FaultyDisk) -> None:
    """Killed between moving something that was swapped in and finding out."""
    unit = rejoin(library)
    disk.arm(2, "before", "rename")
    with pytest.raises(Killed):
        library.apply(unit.batch)
    disk.arm(None)
    (planned,) = library.units(UnitState.PLANNED)
    library.trashed(planned)[0].write_bytes(b"a stranger")
    before = library.contents()
    library.recover()
    assert library.contents().keys() == before.keys()
    assert (library.folder / "0/IMG (restored).JPG").read_bytes() == b"a stranger"
    assert library.root_now().state is RootState.FROZEN


def test_recovery_waits_for_a_folder_that_is_away(library: Library, disk: FaultyDisk) -> None:
    unit = rejoin(library)
    disk.arm(2, "after", "rename")
    with pytest.raises(Killed):
        library.apply(unit.batch)
    disk.arm(None)
    library.folder.rename(library.folder.parent / "away")
    before = contents(library.folder.parent / "away")
    (sentence,) = library.recover()
    assert "waits as it is" in sentence
    assert contents(library.folder.parent / "away") == before
    (library.folder.parent / "away").rename(library.folder)
    library.recover()
    library.check_agreement()
    assert library.units(UnitState.REFUSED)


# --- the disk fails ----------------------------------------------------------------------------------------------------


def confirm(library: Library) -> None:
    library.store.write(roots.set_state, library.root.id, RootState.WATCHED, None)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_failed_sync_freezes_the_folder_and_is_not_tried_again(library: Library, disk: FaultyDisk, code: int) -> None:
    for at in range(1, 100):
        unit, other = rejoin(library), rejoin(library)
        before = library.contents()
        disk.arm(at, code, "sync")
        (outcome,) = library.apply(unit.batch)
        if outcome.moved:
            break
        assert disk.count == at, "nothing was synced after the failure"
        assert library.root_now().state is RootState.FROZEN
        assert "Nothing more is changed in its folder until you have confirmed it." in outcome.message
        assert outcome.unit.state is UnitState.PLANNED
        assert library.contents().keys() == before.keys()
        disk.arm(None)
        assert "is frozen" in library.apply(other.batch)[0].message
        assert "waits as it is" in library.recover()[0]
        assert library.contents().keys() == before.keys()
        confirm(library)
        library.recover()
        library.check_agreement()
    assert at > 6


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS])
def test_a_rename_that_reports_a_failing_disk_stops_everything(library: Library, disk: FaultyDisk, code: int) -> None:
    for at in (1, 2, 3, 4):
        unit = rejoin(library)
        before = library.contents()
        disk.arm(at, code, "rename")
        (outcome,) = library.apply(unit.batch)
        assert not outcome.moved
        assert library.root_now().state is RootState.FROZEN
        assert library.contents().keys() == before.keys()
        disk.arm(None)
        confirm(library)
        library.recover()
        library.check_agreement()
        assert library.contents() == before


def test_a_failed_sync_of_an_undo_freezes_the_folder(library: Library, disk: FaultyDisk) -> None:
    unit = rejoin(library)
    library.apply(unit.batch)
    before = library.contents()
    disk.arm(1, errno.EIO, "sync")
    (outcome,) = library.undo(unit)
    assert not outcome.moved
    assert library.root_now().state is RootState.FROZEN
    assert library.contents().keys() == before.keys()
    disk.arm(None)
    confirm(library)
    assert asyncio.run(library.trash.settle()) == ["IMG.JPG was being put back when the service ended, and is back."]
    library.check_agreement()


def test_a_rename_that_cannot_be_reversed_freezes_the_folder(library: Library, disk: FaultyDisk) -> None:
    unit = rejoin(library)
    before = library.contents()

    class OneWay(FaultyDisk):
        def _rename(self, source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
            self.renames = getattr(self, "renames", 0) + 1
            if self.renames > 2:  # the record and the still go, nothing else does
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            super()._rename(source_folder, source, target_folder, target)

    stuck = Library(library.store, library.places, library.folder, disk=OneWay())
    (outcome,) = stuck.apply(unit.batch)
    assert "could not be moved back" in outcome.message
    assert stuck.root_now().state is RootState.FROZEN
    assert library.contents().keys() == before.keys()
    confirm(library)
    library.recover()
    assert library.contents() == before
    library.check_agreement()


def test_an_undo_that_fails_leaves_the_whole_capture_in_the_trash(library: Library, disk: FaultyDisk) -> None:
    unit = rejoin(library)
    library.apply(unit.batch)
    before = library.contents()
    disk.arm(2, errno.ENOSPC, "rename")
    (outcome,) = library.undo(unit)
    assert "could not be put back" in outcome.message
    assert outcome.unit.state is UnitState.DONE
    assert library.contents() == before
    library.check_agreement()
    disk.arm(None)
    assert library.undo(unit)[0].moved


def test_a_freeze_is_in_the_audit_log(library: Library, disk: FaultyDisk, here: Places) -> None:
    unit = rejoin(library)
    disk.arm(1, errno.EIO, "sync")
    library.apply(unit.batch)
    entries = [json.loads(line) for line in here.audit_log.read_text("ascii").splitlines()]
    assert [e["action"] for e in entries] == ["frozen"]
    assert "did not confirm" in entries[0]["reason"]


def test_a_scan_during_a_move_does_not_take_the_photo_for_missing(library: Library, disk: FaultyDisk) -> None:
    """What watching sees between the move and the journal's last step."""
    unit = rejoin(library)
    disk.arm(4, "after", "rename")
    with pytest.raises(Killed):
        library.apply(unit.batch)
    disk.arm(None)
    for entry in library.store.read(photos.files_of, unit.photo_id):
        library.store.write(changes.file_gone, entry, 0.0)
    library.recover()
    assert library.photo(unit.photo_id).state is PhotoState.TRASHED
    assert library.undo(unit)[0].moved
    assert len(library.store.read(photos.files_of, unit.photo_id)) == 3


def test_a_cancelled_caller_does_not_leave_a_photo_half_moved(library: Library) -> None:
    """The page is closed while a batch is applied: the photo at hand is finished, the others are not begun."""
    batch = library.approve(*(library.add(f"{i}.jpg", bytes([i])) for i in range(5)))

    async def scenario() -> None:
        task = asyncio.create_task(library.trash.apply(batch, progress=lambda done, _: done == 2 and task.cancel() and None))
        with pytest.raises(asyncio.CancelledError):
            await task
        await library.trash.recover()

    asyncio.run(scenario())
    states = [u.state for u in library.units(*UnitState)]
    assert states.count(UnitState.DONE) in (2, 3)
    assert set(states) == {UnitState.DONE, UnitState.REFUSED}
    library.check_agreement()
