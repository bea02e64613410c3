"""Folders and file systems from which nothing is moved: one sentence for the owner, and every file stays where it is."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.models import RootState, SuggestionState, UnitState
from precious_daemon.store import Store, roots, suggestions
from precious_daemon.trash.gate import MARKER
from precious_daemon.trash.records import TRASH
from tests.trash.library import FaultyDisk, Library, check_refused, said

# --- the folder --------------------------------------------------------------------------------------------------------


def forget_marker(library: Library) -> None:
    (library.folder / MARKER).unlink()


def other_marker(library: Library) -> None:
    (library.folder / MARKER).write_text("fedcba9876543210\n")


def link_marker(library: Library) -> None:
    (library.folder / MARKER).rename(library.folder.parent / "marker")
    (library.folder / MARKER).symlink_to(library.folder.parent / "marker")


def unmount(library: Library) -> None:
    library.folder.rename(library.folder.parent / "away")


def empty_mount(library: Library) -> None:
    unmount(library)
    library.folder.mkdir()


def recreated_marker(library: Library) -> None:
    empty_mount(library)
    (library.folder / MARKER).write_text("0123456789abcdef\n")


def set_root(column: str, value: object) -> Callable[[Library], None]:
    return lambda library: library.store.write(lambda db: db.execute(f"UPDATE roots SET {column} = ?", [value])) and None


def freeze(library: Library) -> None:
    library.store.write(roots.set_state, 1, RootState.FROZEN, "300 photos vanished at once")


def take_offline(library: Library) -> None:
    library.store.write(roots.set_state, 1, RootState.OFFLINE, "its disk is not mounted")


@pytest.mark.parametrize("when", ["before the approval", "before the move"])
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (forget_marker, "is not the folder it was"),
        (other_marker, "is not the folder it was"),
        (link_marker, "is not the folder it was"),
        (unmount, "cannot be opened"),
        (empty_mount, "is not the folder it was"),
        (recreated_marker, ""),
        (set_root("device", 1), "is on another disk than it was"),
        (set_root("marker", None), "cannot be written, so its photos are only suggested. Make it writable and scan it"),
        (set_root("suggest_only", "no rename here."), "no rename here."),
        (freeze, "is frozen (300 photos vanished at once)"),
        (take_offline, "is not there (its disk is not mounted)"),
    ],
)
def test_a_folder_that_is_not_as_it_was_keeps_everything(
    library: Library, trouble: Callable[[Library], None], words: str, when: str
) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    names = library.suggest(photo)
    if when == "before the approval":
        trouble(library)
    batch = asyncio.run(library.trash.approve(1, names))
    if when == "before the move":
        trouble(library)
    message = said(library.apply(batch))
    assert words in message
    home = next(p for p in (library.folder / "IMG_1.JPG", library.folder.parent / "away/IMG_1.JPG") if p.exists())
    assert home.read_bytes() == b"content"
    assert not list(library.folder.parent.rglob(TRASH))
    assert library.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 1


def test_known_photos_that_are_gone_stop_the_move(library: Library) -> None:
    chosen = [library.add(f"{i}.jpg", bytes([i])) for i in range(25)]
    batch = library.approve(chosen[0])
    for photo in chosen[5:]:
        (library.folder / photo.path).unlink()
    assert "known photos are not where they were. Nothing was moved; scan the folder first." in said(library.apply(batch))


def test_a_few_photos_that_are_gone_do_not_stop_the_move(library: Library) -> None:
    chosen = [library.add(f"{i}.jpg", bytes([i])) for i in range(25)]
    batch = library.approve(chosen[0])
    (library.folder / chosen[7].path).unlink()
    assert library.apply(batch)[0].moved


def test_a_folder_that_cannot_be_written_keeps_everything(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # tests run as root, who may write anywhere
    check_refused(library, batch, "cannot be written at the moment")


# --- the file system ---------------------------------------------------------------------------------------------------


@pytest.fixture
def faulty(store: Store, here: Places, tmp_path: Path) -> tuple[Library, FaultyDisk]:
    disk = FaultyDisk()
    return Library(store, here, tmp_path / "photos", disk=disk), disk


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EINVAL, errno.ENOSYS])
@pytest.mark.parametrize("rename", [1, 2, 3], ids=["the record", "the still", "the companion"])
def test_a_file_system_that_cannot_rename_safely_is_suggest_only(
    faulty: tuple[Library, FaultyDisk], code: int, rename: int
) -> None:
    library, disk = faulty
    batch = library.approve(library.add("IMG_1.JPG", b"content", "IMG_1.MOV"))
    disk.arm(rename, code, "rename")
    check_refused(library, batch, "photos are only suggested")
    assert "only suggested" in (library.store.read(roots.suggest_only, 1) or "")
    assert library.root_now().state is RootState.WATCHED
    disk.arm(None)
    check_refused(library, library.approve(library.photo(1)), "photos are only suggested")
    library.store.write(roots.remember, 1, library.root.marker, library.folder.stat().st_dev)  # the owner confirms the folder
    assert library.apply(library.approve(library.photo(1)))[0].moved


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EBUSY])
@pytest.mark.parametrize("change", ["mkdir", "record", "rename"])
def test_an_error_before_or_while_moving_leaves_all_in_place(faulty: tuple[Library, FaultyDisk], change: str, code: int) -> None:
    library, disk = faulty
    batch = library.approve(library.add("IMG_1.JPG", b"content", "IMG_1.MOV"))
    disk.arm(3, code, change) if change != "record" else disk.arm(1, code, change)
    check_refused(library, batch, os.strerror(code), "stays where it is")
    assert library.root_now().state is RootState.WATCHED


def test_a_photo_that_cannot_move_does_not_hold_up_the_others(library: Library) -> None:
    chosen = [library.add(f"{i}.jpg", bytes([i])) for i in range(3)]
    batch = library.approve(*chosen)
    (library.folder / "1.jpg").write_bytes(b"changed")
    assert [o.moved for o in library.apply(batch)] == [True, False, True]


def test_progress_is_told_after_each_photo(library: Library) -> None:
    batch = library.approve(*(library.add(f"{i}.jpg", bytes([i])) for i in range(3)))
    seen: list[tuple[int, int]] = []
    asyncio.run(library.trash.apply(batch, progress=lambda done, total: seen.append((done, total))))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_nothing_more_moves_when_the_audit_log_cannot_be_written(library: Library, here: Places) -> None:
    batch = library.approve(*(library.add(f"{i}.jpg", bytes([i])) for i in range(3)))
    here.audit_log.mkdir()
    before = library.contents().keys()
    outcomes = library.apply(batch)
    assert not any(o.moved for o in outcomes)
    assert all("audit.jsonl cannot be written" in o.message for o in outcomes)
    assert [o.unit.state for o in outcomes] == [UnitState.PLANNED, UnitState.REFUSED, UnitState.REFUSED]
    here.audit_log.rmdir()
    assert library.recover() == ["0.jpg was being moved when the service ended, and is in the trash now."]
    assert library.contents().keys() == before
    library.check_agreement()
