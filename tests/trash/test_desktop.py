"""The trash that file managers show: what is there, what they make of it, and what their owners do with it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest

from precious_daemon.config import Places
from precious_daemon.models import PhotoState, RootState, Unit, UnitState
from precious_daemon.store import Store, roots
from precious_daemon.trash import desktop as trash_of_the_desktop
from precious_daemon.trash import recover_records
from precious_daemon.trash.moves import Disk
from precious_daemon.trash.records import TRASH
from tests.trash.library import NOON, ROOMY, Library, info_of, ripen

NAMES = ["plain.jpg", '100 % of\n"all".jpg', os.fsdecode(b"not utf-8 \xff.jpg"), "été 🌅.jpg", "x" * 251 + ".jpg", "record.json"]


@pytest.fixture(autouse=True)
def _to_the_desktop(desktop: Path) -> None:
    """Every test here is of that trash."""


def told(path: Path) -> tuple[str, str]:
    """(path, date) of a .trashinfo, read as the specification says."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(info_of(path).read_text("ascii"))
    assert parser.sections() == ["Trash Info"]
    assert set(parser["Trash Info"]) == {"Path", "DeletionDate"}
    return os.fsdecode(unquote_to_bytes(parser["Trash Info"]["Path"])), parser["Trash Info"]["DeletionDate"]


def notice(library: Library) -> list[Unit]:
    return asyncio.run(library.trash.notice())


# --- what is there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_capture_is_there_as_the_specification_has_it_and_comes_back(library: Library, desktop: Path, name: str) -> None:
    photo = library.add(f"2024/{name}", b"still", "2024/IMG.MOV")
    before = library.contents()
    (unit,) = library.send(photo)
    assert {p.name for p in desktop.iterdir()} == {"files", "info"}
    assert stat.S_IMODE(desktop.stat().st_mode) == stat.S_IMODE((desktop / "files").stat().st_mode) == 0o700
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(NOON))
    assert [told(path) for path in library.trashed(unit)] == [(str(library.folder / f.path), date) for f in unit.files]
    assert {p.parent for p in library.trashed(unit)} == {desktop / "files"}
    library.check_agreement()
    (outcome,) = library.undo(unit)
    assert outcome.moved, outcome
    assert library.contents() == before
    assert not list((desktop / "files").iterdir())
    assert not list((desktop / "info").iterdir())
    assert not list((library.folder / TRASH).iterdir())


def test_same_name_from_many_folders_is_many_files_there(library: Library, desktop: Path) -> None:
    (desktop / "files").mkdir(parents=True)
    (desktop / "files/IMG.JPG").write_bytes(b"of the owner")
    units = library.send(*(library.add(f"{i}/IMG.JPG", bytes([i])) for i in range(5)))
    assert len(list((desktop / "files").iterdir())) == 6
    assert all(outcome.moved for outcome in library.undo(*units))
    assert [p.read_bytes() for p in (desktop / "files").iterdir()] == [b"of the owner"]


def trash_cli(command: str, trash: Path, *words: str, typed: str = "") -> str:
    """What a program of another author makes of it. It is told which trash: left to itself, it takes all of this machine."""
    run = f"from trashcli.{command}.main import main; import sys; sys.exit(main())"
    program = [sys.executable, "-c", run, f"--trash-dir={trash}", *words]
    done = subprocess.run(program, input=typed, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_another_program_lists_it_under_its_own_name_restores_it_and_empties_it(library: Library, desktop: Path) -> None:
    back, gone = library.send(library.add("2024/a b é.jpg", b"back"), library.add("2024/gone.jpg", b"gone"))
    date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOON))
    listed = trash_cli("list", desktop).splitlines()
    assert sorted(listed) == [f"{date} {library.folder}/2024/a b é.jpg", f"{date} {library.folder}/2024/gone.jpg"]
    trash_cli("restore", desktop, str(library.folder / "2024/a b é.jpg"), typed="0\n")
    assert (library.folder / "2024/a b é.jpg").read_bytes() == b"back"
    trash_cli("empty", desktop, "-f")
    assert {unit.id: unit.state for unit in notice(library)} == {back.id: UnitState.UNDONE, gone.id: UnitState.PURGED}
    library.check_agreement()


GVFS = Path("/usr/libexec/gvfsd-trash")  # it answers for trash:/// in GNOME's and its kin's file managers


@pytest.mark.skipif(not (GVFS.exists() and shutil.which("dbus-run-session")), reason="gvfs is not installed: it is optional")
def test_file_managers_of_gnome_list_it_restore_it_and_remove_it(library: Library, desktop: Path, tmp_path: Path) -> None:
    # no é: `gio trash --restore` of GLib 2.74 puts it back under a name with \\xc3\\xa9 in it, whoever threw it away
    photos = library.add("2024/a b.jpg", b"back", "2024/a b.jpg.xmp"), library.add("2024/gone.jpg", b"gone")
    back, gone = library.send(*photos)
    before = {unit.id: [path.name for path in library.trashed(unit)] for unit in (back, gone)}
    script = """
        gio trash --list || exit 1
        gio trash --restore "trash:///$1" || exit 2
        gio remove "trash:///$2" || exit 3
    """
    still = next(name for name in before[back.id] if name.endswith(".jpg"))
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", script, "sh", quote(still), before[gone.id][0]],
        env=os.environ | home, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    listed = {line.partition("\t")[2] for line in done.stdout.splitlines()}
    places = [str(library.folder / f.path) for unit in (back, gone) for f in unit.files]
    assert set(places) <= listed
    assert {unit.id: unit.state for unit in notice(library)} == {back.id: UnitState.UNDONE, gone.id: UnitState.PURGED}
    assert (library.folder / "2024/a b.jpg").read_bytes() == b"back"
    assert (library.folder / "2024/a b.jpg.xmp").exists(), "what belongs to it followed"
    library.check_agreement()


def test_dry_run_names_it_and_makes_nothing(library: Library, desktop: Path) -> None:
    (outcome,) = library.apply(library.approve(library.add("a.jpg", b"a")), dry_run=True)
    assert outcome.message == f"Would move a.jpg to {desktop}."
    assert not desktop.exists()


def test_audit_log_and_record_name_the_whole_place(library: Library, desktop: Path, here: Places) -> None:
    (unit,) = library.send(library.add("a.jpg", b"a"))
    (entry,) = [json.loads(line) for line in here.audit_log.read_text("ascii").splitlines()]
    assert entry["trash"] == str(library.trashed(unit)[0])
    record = json.loads((library.folder / TRASH / unit.batch / unit.uid / "record.json").read_bytes())
    assert record["trash"] == str(desktop)


def test_everything_comes_back_without_the_database(library: Library, desktop: Path) -> None:
    photos = [library.add(f"{i}/IMG.JPG", bytes([i]), f"{i}/IMG.MOV") for i in range(3)]
    before = library.contents()
    library.send(*photos)
    (desktop / "files/of the owner.jpg").write_bytes(b"thrown away by hand")
    said = recover_records(str(library.folder))
    assert len(said) == 3, said
    assert before.items() <= library.contents().items()
    assert [p.name for p in (desktop / "files").iterdir()] == ["of the owner.jpg"]
    assert not list((desktop / "info").iterdir())


def test_forged_record_takes_nothing_of_the_owners_out_of_there(library: Library, desktop: Path) -> None:
    (unit,) = library.send(library.add("a.jpg", b"a"))
    (desktop / "files/secret.jpg").write_bytes(b"secret")
    record = library.folder / TRASH / unit.batch / unit.uid / "record.json"
    entry = json.loads(record.read_bytes())
    entry["files"][0]["trash"] = "secret.jpg"
    record.write_text(json.dumps(entry))
    assert "cannot be used" in recover_records(str(library.folder))[0].message
    assert (desktop / "files/secret.jpg").exists()


def test_what_is_ripe_there_is_removed_with_its_info(library: Library, desktop: Path) -> None:
    library.add("stays.jpg", b"stays")
    library.send(library.add("a.jpg", b"a", "a.mov"))
    (desktop / "files/of the owner.jpg").write_bytes(b"thrown away by hand")
    ripen(library)
    (outcome,) = asyncio.run(library.trash.purge(1))
    assert outcome.moved
    assert [p.name for p in desktop.rglob("*.*")] == ["of the owner.jpg"]
    library.check_agreement()


def test_it_is_found_again_when_the_plugin_is_off(library: Library, desktop: Path) -> None:
    (unit,) = library.send(library.add("a.jpg", b"a"))
    without = Library(library.store, library.places, library.folder, ROOMY)
    assert without.undo(unit)[0].moved
    (other,) = without.send(without.add("b.jpg", b"b"))
    assert other.place is None


# --- what cannot be used -----------------------------------------------------------------------------------------------


def _file(share: Path) -> None:
    (share / "Trash").write_bytes(b"a file")


def _link(share: Path) -> None:
    (share / "elsewhere").mkdir()
    (share / "Trash").symlink_to("elsewhere")


def _elsewhere(share: Path) -> None:
    share.rmdir()
    share.symlink_to("/dev/shm")


@pytest.mark.parametrize(
    "spoil", [_file, _link, _elsewhere, Path.rmdir], ids=["a file", "a link", "another disk", "no such folder"]
)
def test_where_there_is_none_to_be_trusted_ours_is_used(
    library: Library, desktop: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(trash_of_the_desktop, "_topdir", lambda path: "/proc")  # not the one of this machine
    spoil(desktop.parent)
    (outcome,) = library.apply(library.approve(library.add("a.jpg", b"a")))
    assert outcome.message == "Moved a.jpg to the trash of its folder, for the one of your desktop cannot be used for it."
    assert outcome.unit.place is None
    library.check_agreement()


@pytest.mark.parametrize("name", ["files", "info"])
def test_trash_whose_folder_leads_elsewhere_takes_nothing(library: Library, desktop: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    desktop.mkdir()
    (desktop / name).symlink_to(tmp_path / "elsewhere")
    photo = library.add("a.jpg", b"a")
    (outcome,) = library.apply(library.approve(photo))
    assert not outcome.moved
    assert "cannot be used as a trash" in outcome.message
    assert not list((tmp_path / "elsewhere").iterdir())
    assert library.photo(photo.id).state is PhotoState.PRESENT
    library.check_agreement()


def test_trash_of_the_mount_is_shared_only_where_it_is_sticky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$topdir/.Trash/$uid where an administrator made it well, $topdir/.Trash-$uid otherwise."""
    monkeypatch.setenv("XDG_DATA_HOME", "/proc")
    monkeypatch.setattr(trash_of_the_desktop, "_topdir", lambda path: str(tmp_path))
    (tmp_path / "photos").mkdir()
    root = os.open(tmp_path / "photos", os.O_RDONLY)

    def chosen() -> str:
        place = trash_of_the_desktop.choose(Disk(), root, str(tmp_path / "photos"))
        assert place
        return place.path.removeprefix(f"{tmp_path}/")

    user, shared = os.geteuid(), tmp_path / ".Trash"
    try:
        assert chosen() == f".Trash-{user}"
        shared.mkdir(0o777)
        assert chosen() == f".Trash-{user}", "it is not sticky"
        shared.chmod(0o1777)
        assert chosen() == f".Trash/{user}"
        shared.rename(tmp_path / "real")
        shared.symlink_to("real")
        assert chosen() == f".Trash-{user}", "it is a link"
    finally:
        os.close(root)


def test_info_of_a_trash_of_the_mount_is_relative_to_it(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/proc")
    monkeypatch.setattr(trash_of_the_desktop, "_topdir", lambda path: str(tmp_path))
    monkeypatch.setattr(library, "contents", lambda: {})
    (unit,) = library.send(library.add("2024/a b.jpg", b"a"))
    assert unit.place == f"{tmp_path}/.Trash-{os.geteuid()}"
    assert told(library.trashed(unit)[0])[0] == "photos/2024/a b.jpg"
    assert [one.message for one in recover_records(str(library.folder))] == ["2024/a b.jpg restored."]


# --- what its owner does there -----------------------------------------------------------------------------------------


def by_hand(library: Library, unit: Unit, number: int = 0) -> None:
    """What a file manager does to restore a file."""
    path = library.trashed(unit)[number]
    path.rename(told(path)[0])
    info_of(path).unlink()


def test_restored_there_is_undone_here_and_its_companions_follow(library: Library, desktop: Path) -> None:
    photo = library.add("IMG.JPG", b"still", "IMG.MOV", "IMG.JPG.xmp")
    before = library.contents()
    (unit,) = library.send(photo)
    still = next(i for i, f in enumerate(unit.files) if f.role == "still")
    by_hand(library, unit, still)
    (noticed,) = notice(library)
    assert noticed.state is UnitState.UNDONE
    assert library.contents() == before
    assert library.photo(photo.id).state is PhotoState.PRESENT
    assert not list((desktop / "info").iterdir())
    assert notice(library) == []
    library.check_agreement()


def test_put_back_by_hand_out_of_the_trash_of_its_folder_is_undone(store: Store, here: Places, tmp_path: Path) -> None:
    """`trash recover`, or a file manager: the list of what is in the trash knows it after the next scan."""
    library = Library(store, here, tmp_path / "photos", ROOMY)
    back, scanned, gone, stays = library.send(*(library.add(f"{i}.jpg", bytes([i]), f"{i}.mov") for i in range(4)))
    still, companion = library.trashed(gone)
    still.unlink()
    library.add("other.jpg", b"other")
    assert notice(library) == [], "a companion still waits, with its record"
    companion.unlink()
    (library.folder / "other.jpg").rename(tmp_path / "other.jpg")
    assert notice(library) == [], "nothing but the trash is there: it may be another folder"
    (tmp_path / "other.jpg").rename(library.folder / "other.jpg")
    for unit in (back, scanned):
        for file, path in zip(unit.files, library.trashed(unit), strict=True):
            path.rename(library.folder / file.path)
    store.write(lambda db: db.execute("UPDATE photos SET state = 'present' WHERE id = ?", [scanned.photo_id]))
    found = {unit.id: unit.state for unit in notice(library)}
    assert found == {back.id: UnitState.UNDONE, scanned.id: UnitState.UNDONE, gone.id: UnitState.PURGED}
    assert [unit.id for unit in library.units(UnitState.DONE)] == [stays.id]
    assert [path.name for path in (library.folder / TRASH / stays.batch).iterdir()] == [stays.uid]


def test_emptied_there_is_gone_here_and_not_ours_to_undo(library: Library, desktop: Path, here: Places) -> None:
    gone, stays = library.send(library.add("gone.jpg", b"gone"), library.add("stays.jpg", b"stays"))
    library.add("other.jpg", b"other")
    library.trashed(gone)[0].unlink()
    info_of(library.trashed(gone)[0]).unlink()
    (noticed,) = notice(library)
    assert (noticed.id, noticed.state, noticed.error) == (gone.id, UnitState.PURGED, "by its owner, with another program")
    assert library.photo(gone.photo_id).state is PhotoState.PURGED
    assert library.photo(stays.photo_id).state is PhotoState.TRASHED
    assert "is not in the trash" in library.undo(gone)[0].message
    assert json.loads(here.audit_log.read_text("ascii").splitlines()[-1])["action"] == "emptied"
    shutil.rmtree(desktop)
    assert [unit.id for unit in notice(library)] == [stays.id]
    library.check_agreement()


def test_companion_restored_alone_leaves_the_photo_in_the_trash(library: Library) -> None:
    (unit,) = library.send(library.add("IMG.JPG", b"still", "IMG.MOV"))
    by_hand(library, unit, next(i for i, f in enumerate(unit.files) if f.role == "video"))
    assert notice(library) == []
    assert library.undo(unit)[0].moved
    library.check_agreement()


def _frozen(library: Library) -> None:
    library.store.write(roots.set_state, library.root.id, RootState.FROZEN, "much is gone")


def _away(library: Library) -> None:
    library.folder.rename(library.folder.with_name("away"))


def _empty(library: Library) -> None:
    for file in library.folder.glob("*.jpg"):
        file.unlink()


@pytest.mark.parametrize("trouble", [_frozen, _away, _empty])
def test_nothing_is_concluded_while_the_folder_is_not_what_it_was(
    library: Library, desktop: Path, trouble: Callable[[Library], None]
) -> None:
    for number in range(5):
        library.add(f"{number}.jpg", bytes([number]))
    (unit,) = library.send(library.add("a.jpg", b"a"))
    desktop.rename(desktop.with_name("carried off"))
    trouble(library)
    assert notice(library) == []
    assert library.units(UnitState.DONE) == [unit]


def test_racer_that_moves_it_away_gets_everything_put_back(store: Store, here: Places, tmp_path: Path, desktop: Path) -> None:
    class Carrying(Disk):
        def _rename(self, source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
            super()._rename(source_folder, source, target_folder, target)
            if target.startswith(b"IMG.") and desktop.exists():
                desktop.rename(tmp_path / "carried off")

    library = Library(store, here, tmp_path / "photos", disk=Carrying())
    photo = library.add("IMG.JPG", b"still", "IMG.MOV")
    (outcome,) = library.apply(library.approve(photo))
    assert outcome.message == "The trash folder itself was moved away or replaced."
    assert {p.name for p in library.folder.iterdir() if not p.name.startswith(".")} == {"IMG.JPG", "IMG.MOV"}
    assert library.root_now().state is RootState.FROZEN
