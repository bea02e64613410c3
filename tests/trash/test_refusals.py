"""Everything that forbids a move: one sentence for the owner, and every file stays where it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from precious_daemon.config import Places, Settings
from precious_daemon.errors import CountNeeded, NotFound, TrashRefused
from precious_daemon.models import SuggestionState
from precious_daemon.store import Store, changes, suggestions
from precious_daemon.trash.records import TRASH
from tests.trash.library import Library, check_refused, said, stamp

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
