"""The trash on real file systems of several kinds: what each of them can do is done, and what it cannot is refused and said."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from precious_daemon.config import Places, Settings, parse
from precious_daemon.disk import tree
from precious_daemon.folders.scan import scan
from precious_daemon.folders.watched import add_root
from precious_daemon.models import PhotoState, UnitState
from precious_daemon.store import Store, roots
from precious_daemon.trash import recover_records
from precious_daemon.trash.records import TRASH
from tests.faults import uml
from tests.faults.disks import Disk, Fat, Missing, Passing, bind, unmount
from tests.trash.library import ROOMY, Library, info_of, ripen

TO_DESKTOP = parse({"trash": {"daily_percent": 100.0, "purge_days": 30}, "plugins": {"enabled": ["trash"]}})


@pytest.fixture(params=["ext4", "btrfs", "vfat"])
def any_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path / "disk.img", tmp_path / "disk", 160, request.param)
    except Missing as exc:
        pytest.skip(str(exc))
    yield made
    made.close()


@pytest.fixture
def library(any_disk: Disk, store: Store, here: Places) -> Library:
    return Library(store, here, any_disk.path / "photos", ROOMY)


def test_capture_goes_comes_back_is_recovered_and_removed(library: Library) -> None:
    library.add("stays.jpg", b"stays")
    photo = library.add("2024/IMG_1.JPG", b"still", "2024/IMG_1.MOV", "2024/IMG_1.JPG.xmp")
    before = library.contents()
    (unit,) = library.send(photo)
    library.check_agreement()
    assert library.undo(unit)[0].moved
    assert library.contents() == before
    (unit,) = library.send(library.add("2024/IMG_2.JPG", b"second", "2024/IMG_2.MOV"))
    before = library.contents()
    said = "2024/IMG_2.JPG, 2024/IMG_2.MOV restored."
    assert [one.message for one in recover_records(str(library.folder))] == [said]
    assert library.contents().keys() == before.keys()
    assert library.undo(unit)[0].moved, "the journal hears of it"
    (unit,) = library.send(library.add("2024/IMG_3.JPG", b"third"))
    ripen(library)
    (outcome,) = asyncio.run(library.trash.purge(1))
    assert outcome.moved, outcome
    assert not list((library.folder / TRASH).iterdir())
    library.check_agreement()


def test_name_that_is_taken_is_never_replaced(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"still", "IMG_1.MOV")
    (unit,) = library.send(photo)
    (library.folder / "IMG_1.JPG").write_bytes(b"a new one")
    assert library.undo(unit)[0].moved
    found = {path.name: path.read_bytes() for path in library.folder.glob("IMG*")}
    assert found.keys() == {"IMG_1.JPG", "IMG_1 (restored).JPG", "IMG_1 (restored).MOV"}
    assert (found["IMG_1.JPG"], found["IMG_1 (restored).JPG"]) == (b"a new one", b"still")


def test_trash_of_the_desktop_is_that_of_the_disk(
    any_disk: Disk, store: Store, here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photos are on another disk than the home folder, so they go to $topdir/.Trash-$uid."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    library = Library(store, here, any_disk.path / "My photos", TO_DESKTOP)
    library.add("stays.jpg", b"stays")
    (unit,) = library.send(library.add("a b.jpg", b"content", "a b.mov"))
    top = any_disk.path / f".Trash-{os.getuid()}"
    assert unit.place == str(top)
    infos = sorted(info_of(path).read_text("ascii").splitlines()[1] for path in library.trashed(unit))
    assert [unquote(line) for line in infos] == ["Path=My photos/a b.jpg", "Path=My photos/a b.mov"]
    assert library.undo(unit)[0].moved
    assert not list((top / "files").iterdir())
    assert not list((top / "info").iterdir())
    (unit,) = library.send(library.add("c.jpg", b"other"))
    path = library.trashed(unit)[0]
    path.unlink()
    (noticed,) = asyncio.run(library.trash.notice())
    assert noticed.state is UnitState.PURGED
    assert not info_of(path).exists()


def test_nothing_is_concluded_while_the_disk_is_away(
    any_disk: Disk, store: Store, here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    library = Library(store, here, any_disk.path / "photos", TO_DESKTOP)
    library.add("stays.jpg", b"stays")
    (unit,) = library.send(library.add("a.jpg", b"content"))
    any_disk.unmount()
    assert asyncio.run(library.trash.notice()) == []
    library.folder.mkdir()
    (library.folder / ".precious-root").write_text("0123456789abcdef\n")  # as somebody would who "repairs" it
    assert asyncio.run(library.trash.notice()) == []
    library.folder.joinpath(".precious-root").unlink()
    library.folder.rmdir()
    any_disk.mount()
    assert library.units(UnitState.DONE) == [unit]
    assert all(path.exists() for path in library.trashed(unit))


def test_disk_in_another_socket_is_what_it_was(any_disk: Disk, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT keeps neither the numbers of its files nor one of its own: udev tells the latter, where it runs."""
    monkeypatch.setattr(tree, "_volume", lambda device: "1234-ABCD")
    library.store.write(lambda db: db.execute("UPDATE roots SET filesystem = ?", [tree.filesystem_of(library.root.path)]))
    library.add("stays.jpg", b"stays")
    gone, back = library.send(library.add("a.jpg", b"first", "a.mov"), library.add("b.jpg", b"second", "b.mov"))
    another = library.add("c.jpg", b"third")
    ripen(library)
    any_disk.unmount()
    any_disk.mount("sync")
    for path in sorted(library.folder.rglob("*"), reverse=True):
        path.stat()  # FAT counts files as they are looked at
    assert str(scan(library.store, library.root_now(), ROOMY.watch, library.clock)) == "nothing new"
    assert library.undo(back)[0].moved
    assert library.apply(library.approve(another))[0].moved
    removed = asyncio.run(library.trash.purge(1))
    assert [outcome.unit.uid for outcome in removed if outcome.moved] == [gone.uid]


def test_folder_mounted_into_the_root_is_only_suggested(library: Library, any_disk: Disk) -> None:
    """The same disk under the same number, and yet nothing can be renamed from there."""
    (any_disk.path / "elsewhere").mkdir()
    bind(any_disk.path / "elsewhere", library.folder / "inner")
    try:
        photo, other = library.add("inner/a.jpg", b"content"), library.add("b.jpg", b"other")
        refused, moved = library.apply(library.approve(photo, other))
        assert "so it is only suggested" in refused.message
        assert (library.folder / "inner/a.jpg").read_bytes() == b"content"
        assert library.photo(photo.id).state is PhotoState.PRESENT
        assert moved.moved, "what is not in there goes"
        assert library.store.read(roots.suggest_only, library.root.id) is None
    finally:
        unmount(library.folder / "inner")


def test_photo_in_a_subvolume_of_btrfs_is_only_suggested(tmp_path: Path, store: Store, here: Places) -> None:
    try:
        disk = Disk(tmp_path / "disk.img", tmp_path / "disk", 160, "btrfs")
    except Missing as exc:
        pytest.skip(str(exc))
    try:
        library = Library(store, here, disk.path / "photos", ROOMY)
        subprocess.run(["btrfs", "-q", "subvolume", "create", str(library.folder / "inner")], check=True, capture_output=True)
        library.add("known.jpg", b"known")
        photo, other = library.add("inner/a.jpg", b"content"), library.add("b.jpg", b"other")
        outcomes = library.apply(library.approve(photo, other))
        assert "is on another disk than the trash of" in outcomes[0].message
        assert outcomes[1].moved, "what is not in the subvolume goes"
        assert (library.folder / "inner/a.jpg").exists()
    finally:
        disk.close()


def test_where_only_a_part_of_a_disk_is_seen_no_trash_is_made_that_no_file_manager_shows(
    store: Store, here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under the system unit, where the photos are a mount of their own and the home folder is none that can be written."""
    monkeypatch.setenv("XDG_DATA_HOME", "/proc")
    (tmp_path / "Pictures").mkdir()
    bind(tmp_path / "Pictures", tmp_path / "seen")
    try:
        library = Library(store, here, tmp_path / "seen", TO_DESKTOP)
        library.add("stays.jpg", b"stays")
        (outcome,) = library.apply(library.approve(library.add("a.jpg", b"content")))
        assert outcome.message == "Moved a.jpg to the trash of its folder, for the one of your desktop cannot be used for it."
        assert library.undo(outcome.unit)[0].moved
        assert sorted(os.listdir(library.folder)) == [".precious-root", ".precious-trash", "a.jpg", "stays.jpg"]
    finally:
        unmount(tmp_path / "seen")


@pytest.fixture(params=[Passing, Fat])
def replacing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that cannot rename without the risk of replacing."""
    try:
        made = request.param(tmp_path / "behind", tmp_path / "there")
    except Missing as exc:
        pytest.skip(str(exc))
    yield made.path
    made.close()


def test_disk_that_might_replace_is_suggest_only_from_the_start(
    replacing: Path, store: Store, here: Places, tmp_path: Path
) -> None:
    (replacing / "photos").mkdir()
    root = add_root(store, str(replacing / "photos"), 1.0)
    assert root.marker
    why = store.read(roots.suggest_only, root.id)
    assert why
    assert why.endswith("so its photos are only suggested.")
    library = Library(store, here, replacing / "photos", ROOMY)
    photo = library.add("IMG_1.JPG", b"still", "IMG_1.MOV")
    (outcome,) = library.apply(library.approve(photo))
    assert outcome.message == f"{library.folder}: {why}"
    assert sorted(os.listdir(library.folder)) == [".precious-root", "IMG_1.JPG", "IMG_1.MOV"]


@pytest.mark.parametrize("settings", [ROOMY, TO_DESKTOP], ids=["our trash", "the desktop's"])
def test_disk_that_might_replace_moves_nothing_even_where_that_was_not_known(
    replacing: Path, store: Store, here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    library = Library(store, here, replacing / "photos", settings)
    photos = [library.add(f"{n}.JPG", bytes([n]), f"{n}.MOV") for n in range(2)]
    before = library.contents()
    first, second = library.apply(library.approve(*photos))
    assert "cannot be moved to the trash here without risk" in first.message
    assert not first.moved
    assert not second.moved
    assert library.contents() == before
    assert store.read(roots.suggest_only, library.root.id), "and it is known from now on"
    assert not [path for path in replacing.rglob("*") if path.is_file() and path.suffix not in (".JPG", ".MOV", "")]
    library.check_agreement()


def test_fat_of_a_kernel_that_has_it() -> None:
    """The tests above that this kernel could not do."""
    if not uml.KERNEL.exists() or "vfat" in Path("/proc/filesystems").read_text("ascii"):
        pytest.skip("this kernel has vfat, or the package user-mode-linux is not installed")
    pytest_ = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "-k", "vfat", __file__]
    done = subprocess.run([sys.executable, "-m", "tests.faults.uml", *pytest_], capture_output=True, text=True, check=False)
    if done.returncode == 125:
        pytest.skip(f"user-mode Linux does not run here: {done.stdout[-500:]}")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^6 passed, \d+ deselected", done.stdout, re.MULTILINE), done.stdout
