"""The disk against the library."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from precious_daemon.asking import tasks
from precious_daemon.config import WatchSettings
from precious_daemon.errors import RootError
from precious_daemon.folders.scan import ScanReport, scan
from precious_daemon.folders.watched import MARKER, add_root, check_root, confirm_root
from precious_daemon.models import Choice, PhotoState, Question, Role, Root, RootState
from precious_daemon.pictures.ingest import read_photo
from precious_daemon.store import Store, answers, changes, files, photos, roots
from tests.pictures import save, settle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture
def root(store: Store, folder: Path) -> Root:
    return add_root(store, str(folder), time.time())


def rescan(store: Store, root: Root, *hints: tuple[str, bool], confirmed: bool = False) -> ScanReport:
    root = store.read(roots.get, root.id)
    return scan(store, root, WatchSettings(), time.time, hints or (("", True),), confirmed=confirmed)


def read_all(store: Store, root: Root) -> None:
    """What the reading processes would do."""
    for entry in store.read(photos.to_ingest, 1000, [root.id]):
        store.write(changes.record_facts, entry, read_photo(os.path.join(root.path, entry.path), 10), time.time())


def states(store: Store) -> dict[str, str]:
    rows = store.read(lambda db: list(db.query("SELECT path, state FROM photos")))
    return {os.fsdecode(row["path"]): row["state"] for row in rows}


def test_photo_read_while_its_folder_is_removed_stays_away(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    (entry,) = store.read(photos.to_ingest, 1000, [root.id])
    store.write(roots.remove, root.id, time.time())
    store.write(changes.record_facts, entry, read_photo(str(folder / "a.jpg"), 10), time.time())
    assert states(store) == {"a.jpg": "missing"}
    assert store.read(photos.counts)[PhotoState.MISSING] == 0, "nobody misses what is no longer watched"


def test_folder_that_could_only_be_read_gets_its_marker_once_it_can_be_written(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_, **__: False)
        root = add_root(store, str(folder), time.time())
        assert check_root(store, root).marker is None
    assert check_root(store, root).marker == (folder / MARKER).read_text().strip()


def test_first_scan_knows_every_photo_and_its_companions(store: Store, root: Root, folder: Path) -> None:
    save(folder / "2024" / "a.jpg", 1)
    for name in ("a.MOV", "a.xmp", "a.CR2", "notes.txt"):
        (folder / "2024" / name).write_bytes(b"x")
        settle(folder / "2024" / name)
    assert rescan(store, root).new == 1
    photo = store.read(photos.page, PhotoState.NEW)[0]
    assert {f.role for f in store.read(photos.files_of, photo.id)} == {Role.STILL, Role.VIDEO, Role.SIDECAR, Role.RAW}
    assert store.read(files.unsupported) == {".txt": 1}


def test_second_scan_of_an_unchanged_folder_finds_nothing(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    assert str(rescan(store, root)) == "nothing new"


def test_half_written_file_waits_until_it_settles(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1, age=0)
    report = rescan(store, root)
    assert (report.new, report.unsettled) == (0, {""})
    settle(folder / "a.jpg")
    assert rescan(store, root).new == 1


def test_renamed_photo_keeps_its_votes_without_being_read_again(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    read_all(store, root)
    photo = store.read(photos.page, PhotoState.PRESENT)[0]
    store.write(answers.add, 1, Question.LABEL, Choice.KEEP, photo.id, None, "train", 0.0)
    (folder / "new").mkdir()
    (folder / "a.jpg").rename(folder / "new" / "b.jpg")
    report = rescan(store, root)
    assert (report.moved, report.missing, report.new) == (1, 0, 0)
    assert store.read(photos.get, photo.id).path == "new/b.jpg"
    assert store.read(photos.get, photo.id).state is PhotoState.PRESENT


@pytest.mark.parametrize("deleted_first", [True, False])
def test_photo_moved_over_a_copy_keeps_its_votes(store: Store, root: Root, folder: Path, deleted_first: bool) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    read_all(store, root)
    photo = store.read(photos.page, PhotoState.PRESENT)[0]
    store.write(answers.add, 1, Question.LABEL, Choice.DELETE, photo.id, None, "train", 0.0)
    (folder / "far").mkdir()
    shutil.copyfile(folder / "a.jpg", folder / "far" / "a.jpg")
    settle(folder / "far" / "a.jpg")
    if deleted_first:
        (folder / "a.jpg").unlink()
        rescan(store, root)
        read_all(store, root)
    else:
        rescan(store, root)
        read_all(store, root)
        (folder / "a.jpg").unlink()
        rescan(store, root)
    assert states(store) == {"far/a.jpg": "present"}
    assert store.read(photos.get, photo.id).path == "far/a.jpg"


def test_answers_to_tasks_stay_with_their_photo_when_its_copy_goes_or_it_is_the_copy_that_stays(
    store: Store, root: Root, folder: Path
) -> None:
    task = store.write(tasks.make, "What", ["Receipt", "Sea"], 0.0)
    for name, seed in (("a.jpg", 1), ("b.jpg", 2)):
        save(folder / name, seed)
        shutil.copyfile(folder / name, folder / f"copy of {name}")
        rescan(store, root)
        read_all(store, root)
        settle(folder / f"copy of {name}")
    rescan(store, root)
    read_all(store, root)
    known = {photo.path: photo for photo in store.read(photos.page, PhotoState.PRESENT)}
    both = known["a.jpg"], known["copy of a.jpg"]
    for photo in (*both, known["b.jpg"]):
        store.write(tasks.answer, task.id, 1, photo.uid, task.classes[0].id, 0.0)
    (folder / "a.jpg").unlink()
    (folder / "b.jpg").unlink()
    rescan(store, root)
    assert states(store) == {"a.jpg": "missing", "copy of a.jpg": "present", "copy of b.jpg": "present"}
    assert store.read(photos.get, known["b.jpg"].id).path == "copy of b.jpg"


def test_copy_is_a_photo_of_its_own(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    shutil.copyfile(folder / "a.jpg", folder / "b.jpg")
    settle(folder / "b.jpg")
    os.link(folder / "a.jpg", folder / "c.jpg")
    rescan(store, root)
    read_all(store, root)
    rescan(store, root)
    assert states(store) == dict.fromkeys(("a.jpg", "b.jpg", "c.jpg"), "present")


def test_edited_photo_is_read_again_and_stays_itself(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    read_all(store, root)
    photo = store.read(photos.page, PhotoState.PRESENT)[0]
    save(folder / "a.tmp.jpg", 2, age=30).rename(folder / "a.jpg")
    assert rescan(store, root).changed == 1
    read_all(store, root)
    again = store.read(photos.get, photo.id)
    assert again.state is PhotoState.PRESENT
    assert again.content_hash != photo.content_hash


def test_vanished_photo_is_missing_and_comes_back(store: Store, root: Root, folder: Path, tmp_path: Path) -> None:
    save(folder / "a.jpg", 1)
    save(folder / "b.jpg", 2)
    rescan(store, root)
    read_all(store, root)
    (folder / "a.jpg").rename(tmp_path / "kept.jpg")
    assert rescan(store, root).missing == 1
    assert states(store) == {"a.jpg": "missing", "b.jpg": "present"}
    (tmp_path / "kept.jpg").rename(folder / "a.jpg")
    assert rescan(store, root).back == 1
    assert states(store) == {"a.jpg": "present", "b.jpg": "present"}


def test_photo_renamed_in_capitals_only_is_the_same_where_the_disk_does_not_tell_them_apart(
    store: Store, root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "Trip" / "IMG_1.JPG", 1)
    rescan(store, root)
    (before,) = store.read(photos.page, PhotoState.NEW)
    (folder / "Trip").rename(folder / "trip")
    (folder / "trip" / "IMG_1.JPG").rename(folder / "trip" / "img_1.jpg")
    really = os.lstat

    def lstat(path: str, **options: int) -> os.stat_result:
        """As on a disk that finds a name whatever its capitals."""
        place = Path("/")
        for part in Path(path).parts[1:]:
            place /= next((name for name in os.listdir(place) if name.lower() == part.lower()), part)
        return really(place, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lstat)
        assert os.path.lexists(folder / "Trip" / "IMG_1.JPG")
        report = rescan(store, root)
    assert (report.moved, report.new, report.missing) == (1, 0, 0)
    (after,) = store.read(photos.page, PhotoState.NEW)
    assert (after.id, after.path) == (before.id, "trip/img_1.jpg")


def test_photos_that_change_places_stay_themselves(store: Store, root: Root, folder: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "c/1.jpg"):
        save(folder / name, ord(name[0]))
    rescan(store, root)
    before = {photo.path: photo.id for photo in store.read(photos.page, PhotoState.NEW)}
    for old, new in (("a", "between"), ("b", "a"), ("c", "b"), ("between", "c")):
        (folder / old).rename(folder / new)
    assert rescan(store, root).moved == 3
    after = {photo.path: photo.id for photo in store.read(photos.page, PhotoState.NEW)}
    assert after == {"c/1.jpg": before["a/1.jpg"], "a/1.jpg": before["b/1.jpg"], "b/1.jpg": before["c/1.jpg"]}


def test_original_set_aside_by_an_editor_keeps_its_votes_and_the_edited_one_is_new(
    store: Store, root: Root, folder: Path
) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    (before,) = store.read(photos.page, PhotoState.NEW)
    (folder / "originals").mkdir()
    (folder / "a.jpg").rename(folder / "originals" / "a.jpg")
    save(folder / "a.jpg", 2)
    report = rescan(store, root)
    assert (report.moved, report.new, report.changed, report.missing) == (1, 1, 0, 0)
    assert store.read(photos.get, before.id).path == "originals/a.jpg"


def test_disk_with_another_number_after_a_restart_changes_nothing(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    rescan(store, root)
    read_all(store, root)
    store.write(lambda db: db.execute("UPDATE files SET dev = dev + 1"))
    assert str(rescan(store, root)) == "nothing new"
    (photo,) = store.read(photos.page, PhotoState.PRESENT)
    (file,) = store.read(photos.files_of, photo.id)
    assert file.stamp.dev == os.stat(folder).st_dev
    assert file.content_hash == photo.content_hash


def test_folder_that_became_a_link_is_gone_and_what_it_points_to_is_not_read(
    store: Store, root: Root, folder: Path, tmp_path: Path
) -> None:
    save(folder / "kept.jpg", 1)
    save(folder / "trip" / "a.jpg", 2)
    rescan(store, root)
    (folder / "trip").rename(tmp_path / "elsewhere")
    (folder / "trip").symlink_to(tmp_path / "elsewhere")
    assert rescan(store, root, ("trip", True), ("", False)).missing == 1
    assert states(store) == {"kept.jpg": "new", "trip/a.jpg": "missing"}


def test_two_scans_at_once_know_each_photo_once(store: Store, root: Root, folder: Path) -> None:
    for number in range(60):
        (folder / f"{number % 6}").mkdir(exist_ok=True)
        (folder / f"{number % 6}" / f"{number}.jpg").touch()
        settle(folder / f"{number % 6}" / f"{number}.jpg")
    with ThreadPoolExecutor(4) as pool:
        found = [each.result().new for each in [pool.submit(rescan, store, root) for _ in range(4)]]
    assert sum(found) == 60
    assert store.read(photos.counts)[PhotoState.NEW] == 60


def test_unchanged_folder_costs_no_write_whatever_is_in_it(
    store: Store, root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.jpg", "b.jpeg"):
        save(folder / name, 1)
    for name in ("a.MOV", "b.MOV", "lone.xmp", "notes.txt"):
        (folder / name).touch()
        settle(folder / name)
    rescan(store, root)
    monkeypatch.setattr(store, "write", None)
    assert str(rescan(store, root)) == "nothing new"


def test_marks_that_hide_a_folder_are_a_setting_and_hold_for_all_below(store: Store, root: Root, folder: Path) -> None:
    save(folder / "private" / "deep" / "a.jpg", 1)
    (folder / "private" / ".hide").touch()
    hiding = WatchSettings(ignore_marked=(".hide",))
    for hint in ("", "private", "private/deep"):
        assert scan(store, root, hiding, time.time, [(hint, True)]).new == 0
    assert rescan(store, root).new == 1


def test_many_vanishing_at_once_freeze_the_folder_until_confirmed(store: Store, root: Root, folder: Path) -> None:
    for number in range(40):
        save(folder / f"{number}.jpg", number, (32, 32))
    rescan(store, root)
    for number in range(25):
        (folder / f"{number}.jpg").unlink()
    report = rescan(store, root)
    assert report.missing == 0
    assert "25 photos" in report.problems[0]
    assert store.read(roots.get, root.id).state is RootState.FROZEN
    assert rescan(store, root).missing == 0, "frozen stays frozen"
    confirm_root(store, root.id)
    assert rescan(store, root, confirmed=True).missing == 25


def test_photo_missing_from_an_unmounted_root_is_not_touched(store: Store, root: Root, folder: Path, tmp_path: Path) -> None:
    save(folder / "a.jpg", 1)
    save(folder / "b.jpg", 2)
    rescan(store, root)
    folder.rename(tmp_path / "away")
    assert "is not there" in rescan(store, root).problems[0]
    assert store.read(roots.get, root.id).state is RootState.OFFLINE
    folder.mkdir()  # an empty mount point
    assert "not the folder" in rescan(store, root).problems[0]
    (folder / MARKER).write_text(root.marker or "")  # the marker made anew on an empty folder
    assert check_root(store, store.read(roots.get, root.id)).state is RootState.FROZEN
    shutil.rmtree(folder)
    (tmp_path / "away").rename(folder)
    confirm_root(store, root.id)
    assert str(rescan(store, root)) == "nothing new"
    assert set(states(store).values()) == {"new"}


def test_hint_for_one_folder_leaves_the_others_alone(store: Store, root: Root, folder: Path) -> None:
    save(folder / "one" / "a.jpg", 1)
    save(folder / "two" / "b.jpg", 2)
    assert rescan(store, root, ("one", False)).new == 1
    assert list(states(store)) == ["one/a.jpg"]


def test_links_hidden_and_ignored_folders_are_not_followed(store: Store, root: Root, folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "outside" / "a.jpg", 1)
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "b.jpg").symlink_to(tmp_path / "outside" / "a.jpg")
    save(folder / ".hidden" / "c.jpg", 2)
    save(folder / "@eaDir" / "d.jpg", 3)
    save(folder / "private" / "e.jpg", 4)
    (folder / "private" / ".nomedia").touch()
    os.mkfifo(folder / "f.jpg")
    assert rescan(store, root).new == 0


def test_name_that_is_not_utf8_is_kept_as_it_is(store: Store, root: Root, folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \n<b>.jpg")
    save(folder / name, 1)
    rescan(store, root)
    read_all(store, root)
    assert states(store) == {name: "present"}


def test_two_stills_that_could_own_a_video_are_ambiguous(store: Store, root: Root, folder: Path) -> None:
    save(folder / "a.jpg", 1)
    save(folder / "a.jpeg", 2)
    (folder / "a.MOV").write_bytes(b"x")
    settle(folder / "a.MOV")
    rescan(store, root)
    for photo in store.read(photos.page, PhotoState.NEW):
        assert "a.MOV could belong to" in (store.read(photos.ambiguous, photo.id) or "")


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "no folder"), ("pictures/a.jpg", "is a file"), ("pictures/sub", "is inside"), (".", "already watched")],
)
def test_folder_that_cannot_be_watched_says_why(
    store: Store, root: Root, folder: Path, tmp_path: Path, place: str, message: str
) -> None:
    save(folder / "a.jpg", 1)
    (folder / "sub").mkdir()
    with pytest.raises(RootError, match=message):
        add_root(store, str(tmp_path / place), time.time())
    assert len(store.read(roots.all_roots)) == 1
