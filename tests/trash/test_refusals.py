"""Everything that forbids a move: one sentence for the owner, and every file stays where it is."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from precious_daemon.config import Places, Settings
from precious_daemon.errors import CountNeeded, NotFound, TrashRefused
from precious_daemon.models import PhotoState, RootState, SuggestionState, UnitState
from precious_daemon.store import Store, answers, changes, roots, suggestions
from precious_daemon.trash.gate import MARKER
from precious_daemon.trash.records import TRASH
from tests.trash.library import FaultyDisk, Library, said, stamp


def check_refused(library: Library, batch: str, *words: str) -> None:
    """Applying the batch moves nothing, says these words, and leaves everything as it was before the approval."""
    before = library.contents()
    message = said(library.apply(batch))
    for word in words:
        assert word in message, message
    assert message[-1] in ".?", message
    assert library.contents() == before
    assert not list((library.folder / TRASH).glob("*"))
    assert library.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 1
    assert library.photo(1).state is PhotoState.PRESENT
    assert not library.store.read(answers.labels, 1), "a refused approval is no answer"
    library.check_agreement()


# --- the file ----------------------------------------------------------------------------------------------------------


def rewrite_keeping_stamp(file: Path) -> None:
    status = file.stat()
    file.write_bytes(bytes(reversed(file.read_bytes())))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stamp(file).mtime_ns == status.st_mtime_ns


def replace(file: Path) -> None:
    """Another file of the same content, size and time."""
    status = file.stat()
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(other, file)


def link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.write_bytes(b"other content"), "has changed since you approved it; look at it again."),
        (rewrite_keeping_stamp, "has changed since you approved it; look at it again."),
        (replace, "has changed since you approved it; look at it again."),
        (os.utime, "has changed since you approved it; look at it again."),
        (Path.unlink, "is not there any more."),
        (link, "is a link now, and links are never followed"),
        (fifo, "is not a file any more"),
        (folder, "is not a file any more"),
    ],
    ids=["written", "same size and time", "another inode", "touched", "gone", "link", "fifo", "folder"],
)
@pytest.mark.parametrize("name", ["a/IMG_1.JPG", "a/IMG_1.MOV"], ids=["still", "companion"])
def test_a_changed_file_keeps_its_whole_capture(library: Library, change: Callable[[Path], None], words: str, name: str) -> None:
    photo = library.add("a/IMG_1.JPG", b"content", "a/IMG_1.MOV")
    library.add("other.jpg", b"other")
    batch = library.approve(photo)
    change(library.folder / name)
    message = said(library.apply(batch))
    assert message.startswith(Path(name).name)
    assert words in message
    assert os.path.lexists(library.folder / "a/IMG_1.JPG") or name == "a/IMG_1.JPG"
    assert os.path.lexists(library.folder / "a/IMG_1.MOV") or name == "a/IMG_1.MOV"
    assert not list((library.folder / TRASH).glob("*"))
    library.check_agreement()


def test_a_folder_swapped_for_a_link_is_not_followed(library: Library, tmp_path: Path) -> None:
    batch = library.approve(library.add("a/IMG_1.JPG", b"content"))
    (library.folder / "a").rename(tmp_path / "outside")
    (library.folder / "a").symlink_to(tmp_path / "outside")
    message = said(library.apply(batch))
    assert "not where they were" in message  # the gate: nothing known is there any more
    assert (tmp_path / "outside/IMG_1.JPG").read_bytes() == b"content"


def test_a_link_on_the_way_is_not_followed_even_where_the_rest_is_there(library: Library, tmp_path: Path) -> None:
    for i in range(30):
        library.add(f"b/{i}.jpg", b"x%d" % i)
    batch = library.approve(library.add("a/IMG_1.JPG", b"content"))
    (library.folder / "a").rename(tmp_path / "outside")
    (library.folder / "a").symlink_to(tmp_path / "outside")
    assert "link" in said(library.apply(batch)) or "not there" in said(library.apply(batch))
    assert (tmp_path / "outside/IMG_1.JPG").read_bytes() == b"content"


def test_a_trash_that_is_a_link_is_not_used(library: Library, tmp_path: Path) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    (tmp_path / "outside").mkdir()
    (library.folder / TRASH).symlink_to(tmp_path / "outside")
    assert TRASH in said(library.apply(batch))
    assert not list((tmp_path / "outside").iterdir())
    assert (library.folder / "IMG_1.JPG").read_bytes() == b"content"


def test_files_that_joined_the_capture_after_the_approval_are_asked_about(library: Library) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    (library.folder / "IMG_1.xmp").write_bytes(b"rated five stars")
    library.store.write(changes.put_file, 1, 1, "IMG_1.xmp", "sidecar", stamp(library.folder / "IMG_1.xmp"))  # type: ignore[arg-type]
    check_refused(library, batch, "others than you approved")


def test_an_ambiguous_capture_is_refused_with_the_reason(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    library.store.write(changes.set_ambiguous, photo.id, "IMG_1.MOV may belong to IMG_1.HEIC.")
    check_refused(library, library.approve(photo), "IMG_1.JPG stays", "IMG_1.MOV may belong to IMG_1.HEIC.")


def test_a_capture_that_became_ambiguous_is_refused(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    batch = library.approve(photo)
    library.store.write(changes.set_ambiguous, photo.id, "IMG_1.MOV may belong to IMG_1.HEIC.")
    check_refused(library, batch, "IMG_1.MOV may belong")


def test_a_file_that_differs_from_what_the_owner_saw_cannot_be_approved(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    rewrite_keeping_stamp(library.folder / "IMG_1.JPG")
    check_refused(library, library.approve(photo), "has changed since it was last read")


def test_a_photo_that_is_missing_cannot_be_approved(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    names = library.suggest(photo)
    library.store.write(lambda db: db.execute("UPDATE photos SET state = 'missing'"))
    batch = asyncio.run(library.trash.approve(1, names))
    assert "scan the folder first" in said(library.apply(batch))


def test_a_photo_on_a_disk_mounted_inside_the_folder_is_only_suggested(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    import precious_daemon.trash.steps as steps

    monkeypatch.setattr(steps, "mount_of", lambda descriptor: descriptor)
    check_refused(library, batch, "on another disk")


# --- the approval ------------------------------------------------------------------------------------------------------


def test_an_approval_lapses(library: Library) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    library.clock.now += 24 * 3600 + 1
    check_refused(library, batch, "IMG_1.JPG was approved more than 24 hours ago; approve it again.")


def test_an_approval_from_the_future_does_not_count(library: Library) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    library.clock.now -= 365 * 86400
    check_refused(library, batch, "approve it again.")


def test_an_approval_is_used_once(library: Library) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    (first,) = library.apply(batch)
    library.undo(first.unit)
    assert said(library.apply(batch)) == "IMG_1.JPG was put back."
    assert (library.folder / "IMG_1.JPG").exists()


def test_approving_anew_supersedes_the_old_approval(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    names = library.suggest(photo)
    old = asyncio.run(library.trash.approve(1, names))
    new = asyncio.run(library.trash.approve(1, names))
    assert said(library.apply(old)) == "It was approved anew."
    assert library.apply(new)[0].moved


def test_what_is_not_suggested_cannot_be_approved(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    names = library.suggest(photo)
    asyncio.run(library.trash.cancel(asyncio.run(library.trash.approve(1, names))))
    library.store.write(suggestions.set_state, [1], SuggestionState.DISMISSED, 0.0)
    with pytest.raises(TrashRefused, match=r"IMG_1.JPG is not suggested any more \(dismissed\)"):
        asyncio.run(library.trash.approve(1, names))
    with pytest.raises(NotFound):
        asyncio.run(library.trash.approve(1, ["0" * 32]))
    with pytest.raises(TrashRefused, match="No photo was chosen"):
        asyncio.run(library.trash.approve(1, []))
    with pytest.raises(NotFound):
        library.apply("no such batch")


def test_a_cancelled_batch_is_open_again(library: Library) -> None:
    batch = library.approve(library.add("IMG_1.JPG", b"content"))
    asyncio.run(library.trash.cancel(batch))
    check_refused(library, batch, "You did not go on with it.")


def test_a_dry_run_tells_and_changes_nothing(library: Library) -> None:
    good, bad = library.add("IMG_1.JPG", b"1", "IMG_1.MOV"), library.add("IMG_2.JPG", b"2")
    batch = library.approve(good, bad)
    (library.folder / "IMG_2.JPG").write_bytes(b"changed")
    before = library.contents()
    first, second = library.apply(batch, dry_run=True)
    assert not first.moved
    assert first.message.startswith("Would move IMG_1.JPG and its companion to .precious-trash/")
    assert "has changed" in second.message
    assert library.contents() == before
    assert not (library.folder / TRASH).exists()
    assert [o.moved for o in library.apply(batch)] == [True, False]


# --- caps --------------------------------------------------------------------------------------------------------------


def test_a_large_batch_needs_the_typed_count(store: Store, here: Places, tmp_path: Path) -> None:
    library = Library(store, here, tmp_path / "photos", settings=Settings())
    chosen = [library.add(f"{i}.jpg", bytes([i])) for i in range(23)]
    batch = library.approve(*chosen[:21])
    with pytest.raises(CountNeeded, match=r"0 of your 23 photos .* and 21 more would be over 1 % in a day") as needed:
        library.apply(batch)
    assert needed.value.count == 21
    with pytest.raises(CountNeeded, match="You typed 2, but it is 21 photos"):
        library.apply(batch, 2)
    assert not (library.folder / TRASH).exists()
    assert all(o.moved for o in library.apply(batch, 21))


def test_more_than_fifty_at_once_need_the_typed_count(library: Library) -> None:
    names = library.suggest(*(library.add(f"{i}.jpg", bytes([i])) for i in range(51)))
    asyncio.run(library.trash.check(1, names))
    trash = Library(library.store, library.places, library.folder, settings=Settings()).trash
    with pytest.raises(CountNeeded, match="51 photos are more than the 50 that go at once"):
        asyncio.run(trash.check(1, names))
    asyncio.run(trash.check(1, names, 51))


def test_the_daily_share_counts_what_went_before_and_comes_free_the_next_day(store: Store, here: Places, tmp_path: Path) -> None:
    library = Library(store, here, tmp_path / "photos", settings=Settings())
    chosen = [library.add(f"{i}.jpg", bytes([i])) for i in range(23)]
    units = [o.unit for o in library.apply(library.approve(*chosen[:20]))]  # twenty a day always go
    batch = library.approve(chosen[20])
    with pytest.raises(CountNeeded, match="20 of your 23 photos were moved since yesterday, and 1 more"):
        library.apply(batch)
    library.undo(units[0])
    assert library.apply(batch)[0].moved  # what is back does not count
    library.clock.now += 86401
    assert library.apply(library.approve(chosen[21]))[0].moved


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
        (set_root("marker", None), "cannot be written, so its photos are only suggested, never moved."),
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


# --- duplicates --------------------------------------------------------------------------------------------------------


def test_a_copy_goes_when_its_keeper_is_there(library: Library) -> None:
    copy, keeper = library.add("copy.jpg", b"same"), library.add("keeper.jpg", b"same")
    assert library.apply(library.approve(copy, kind="copy", keeper=keeper))[0].moved


def test_a_copy_without_a_known_keeper_stays(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    check_refused(library, library.approve(photo, kind="copy"), "IMG_1.JPG stays, for no other copy of it is known.")


@pytest.mark.parametrize("kind", ["copy", "same", "burst"])
def test_a_duplicate_stays_when_its_keeper_is_gone(library: Library, kind: str) -> None:
    photo, keeper = library.add("IMG_1.JPG", b"same"), library.add("keeper.jpg", b"same")
    for i in range(20):
        library.add(f"{i}.jpg", bytes([i]))
    batch = library.approve(photo, kind=kind, keeper=keeper)
    (library.folder / "keeper.jpg").unlink()
    check_refused(library, batch, "IMG_1.JPG stays", "keeper.jpg is not there any more.")


@pytest.mark.parametrize("state", ["missing", "trashed", "broken", "new"])
def test_a_duplicate_stays_when_its_keeper_is_not_present(library: Library, state: str) -> None:
    photo, keeper = library.add("IMG_1.JPG", b"same"), library.add("keeper.jpg", b"same")
    batch = library.approve(photo, kind="copy", keeper=keeper)
    library.store.write(lambda db: db.execute("UPDATE photos SET state = ? WHERE id = ?", [state, keeper.id]))
    check_refused(library, batch, "keeper.jpg, which was to be kept, is not there any more.")


def test_a_duplicate_stays_when_its_keeper_has_changed(library: Library) -> None:
    photo, keeper = library.add("IMG_1.JPG", b"same"), library.add("keeper.jpg", b"same")
    batch = library.approve(photo, kind="same", keeper=keeper)
    rewrite_keeping_stamp(library.folder / "keeper.jpg")
    check_refused(library, batch, "keeper.jpg, which was to be kept, has changed.")


def test_what_is_no_copy_does_not_go_as_one(library: Library) -> None:
    photo, keeper = library.add("IMG_1.JPG", b"one"), library.add("keeper.jpg", b"other")
    check_refused(library, library.approve(photo, kind="copy", keeper=keeper), "has changed. Look at both again.")


def test_two_names_of_one_file_are_no_copies(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    os.link(library.folder / "IMG_1.JPG", library.folder / "keeper.jpg")
    keeper = library.know("keeper.jpg")
    check_refused(library, library.approve(photo, kind="copy", keeper=keeper), "two names of one file")


def test_of_two_copies_that_keep_each_other_neither_goes(library: Library) -> None:
    one, two = library.add("1.jpg", b"same"), library.add("2.jpg", b"same")
    names = library.suggest(one, kind="copy", keeper=two) + library.suggest(two, kind="copy", keeper=one)
    outcomes = library.apply(asyncio.run(library.trash.approve(1, names)))
    assert [o.moved for o in outcomes] != [True, True]
    assert "is to go as well. Keep one." in outcomes[0].message
    assert len(library.contents()) == 1


def test_all_copies_but_one_go(library: Library) -> None:
    chosen = [library.add(f"{i}.jpg", b"same") for i in range(4)]
    outcomes = library.apply(library.approve(*chosen[1:], kind="copy", keeper=chosen[0]))
    assert [o.moved for o in outcomes] == [True] * 3
    assert (library.folder / "0.jpg").read_bytes() == b"same"


def test_a_keeper_in_a_folder_that_is_away_does_not_count(library: Library, tmp_path: Path) -> None:
    other = library.add_root(tmp_path / "other", "fedcba9876543210")
    photo, keeper = library.add("IMG_1.JPG", b"same"), library.add("keeper.jpg", b"same", root=other)
    batch = library.approve(photo, kind="copy", keeper=keeper)
    (tmp_path / "other").rename(tmp_path / "away")
    check_refused(library, batch, "IMG_1.JPG stays", "cannot be opened")


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
