"""A capture goes to the trash and comes back, whatever its files are called."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.errors import RootError
from precious_daemon.models import PhotoState, SuggestionState, UnitState
from precious_daemon.store import Store, photos, suggestions, units
from precious_daemon.trash import Recovered, recover_records
from precious_daemon.trash.moves import Disk, printable, renamed
from precious_daemon.trash.records import TRASH
from tests.trash.library import Library, contents

HOSTILE = [
    "plain.jpg",
    "with space and 'quotes\".jpg",
    "new\nline.jpg",
    os.fsdecode(b"not utf-8 \xff\xfe.jpg"),
    "-rf.jpg",
    "record.json",
    "record.json.new",
    "<script>alert(1)</script>.jpg",
    "été 🌅.jpg",
    "deep/er/and/../deeper.jpg".replace("../", ""),
    "x" * 251 + ".jpg",
]


def test_a_capture_moves_with_all_its_companions(library: Library) -> None:
    photo = library.add("2024/IMG_1.JPG", b"still", "2024/IMG_1.MOV", "2024/IMG_1.JPG.xmp")
    other = library.add("2024/IMG_2.JPG", b"other")
    before = library.contents()
    (unit,) = library.send(photo)
    assert {f.path for f in unit.files} == {"2024/IMG_1.JPG", "2024/IMG_1.MOV", "2024/IMG_1.JPG.xmp"}
    home = library.folder / TRASH / unit.batch / unit.uid
    assert {p.name for p in home.iterdir()} == {"IMG_1.JPG", "IMG_1.MOV", "IMG_1.JPG.xmp", "record.json"}
    assert {p.name for p in (library.folder / "2024").iterdir()} == {"IMG_2.JPG"}
    assert library.contents().keys() == before.keys()
    assert library.photo(photo.id).state is PhotoState.TRASHED
    assert library.photo(other.id).state is PhotoState.PRESENT
    assert library.store.read(suggestions.counts, 1)[SuggestionState.TRASHED] == 1
    assert library.store.read(units.totals) == (1, sum(f.stamp.size for f in unit.files))


def test_undo_puts_everything_back_as_it_was(library: Library) -> None:
    photo = library.add("2024/IMG_1.JPG", b"still", "2024/IMG_1.MOV")
    before = library.contents()
    stamps = library.store.read(photos.files_of, photo.id)
    (unit,) = library.send(photo)
    (outcome,) = library.undo(unit)
    assert outcome.moved
    assert outcome.message == "Put IMG_1.JPG and its companion back."
    assert library.contents() == before
    assert library.photo(photo.id) == photo
    known = library.store.read(photos.files_of, photo.id)
    assert {(f.path, f.role, f.stamp) for f in known} == {(f.path, f.role, f.stamp) for f in stamps}
    assert all(f.content_hash for f in known)
    assert library.store.read(suggestions.counts, 1)[SuggestionState.RESTORED] == 1
    assert not list((library.folder / TRASH).iterdir())
    assert not library.undo(unit)[0].moved  # it is idempotent


@pytest.mark.parametrize("openat2", [True, False])
def test_hostile_names_move_and_come_back(store: Store, here: Places, tmp_path: Path, openat2: bool) -> None:
    library = Library(store, here, tmp_path / "photos", disk=Disk(openat2=openat2))
    chosen = [library.add(name, name.encode("utf-8", "surrogateescape")) for name in HOSTILE]
    before = library.contents()
    sent = library.send(*chosen)
    assert not any((library.folder / name).exists() for name in HOSTILE)
    for outcome in library.undo(*sent):
        assert outcome.moved
        assert outcome.message.encode("utf-8")
    assert library.contents() == before


def test_a_hostile_name_comes_back_from_its_record_alone(library: Library) -> None:
    for name in HOSTILE:
        library.add(name, name.encode("utf-8", "surrogateescape"))
    before = library.contents()
    library.send(*(library.photo(i) for i in range(1, len(HOSTILE) + 1)))
    assert all(one.message.encode() and not one.left for one in recover_records(str(library.folder)))
    assert library.contents() == before


def test_a_taken_name_gets_restored_added_and_companions_stay_together(library: Library) -> None:
    photo = library.add("a/IMG_1.JPG", b"old", "a/IMG_1.MOV", "a/IMG_1.JPG.xmp")
    (unit,) = library.send(photo)
    newer = library.add("a/IMG_1.JPG", b"new")
    (library.folder / "a/IMG_1 (restored).MOV").write_bytes(b"in the way")
    (outcome,) = library.undo(unit)
    assert outcome.moved
    assert "IMG_1 (restored 2).JPG" in outcome.message
    names = {p.name for p in (library.folder / "a").iterdir()}
    assert names == {
        "IMG_1.JPG",
        "IMG_1 (restored).MOV",
        "IMG_1 (restored 2).JPG",
        "IMG_1 (restored 2).MOV",
        "IMG_1 (restored 2).JPG.xmp",
    }
    assert (library.folder / "a/IMG_1.JPG").read_bytes() == b"new"
    assert library.photo(photo.id).path == "a/IMG_1 (restored 2).JPG"
    assert library.photo(photo.id).state is PhotoState.PRESENT
    assert [f.path for f in library.store.read(photos.files_of, newer.id)] == ["a/IMG_1.JPG"]
    assert len(library.store.read(photos.files_of, photo.id)) == 3


def test_undo_makes_a_removed_folder_again(library: Library) -> None:
    photo = library.add("a/b/IMG_1.JPG", b"x")
    (unit,) = library.send(photo)
    (library.folder / "a/b").rmdir()
    (library.folder / "a").rmdir()
    assert library.undo(unit)[0].moved
    assert (library.folder / "a/b/IMG_1.JPG").read_bytes() == b"x"


def test_a_photo_can_go_and_come_back_again_and_again(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"x")
    for _ in range(3):
        sql = "UPDATE suggestions SET state = 'withdrawn'"
        library.store.write(lambda db: db.execute(sql))  # noqa: B023
        (unit,) = library.send(photo)
        assert library.undo(unit)[0].moved
    library.check_agreement()


def test_undo_finds_what_was_put_back_by_hand(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"x")
    (unit,) = library.send(photo)
    recover_records(str(library.folder))
    assert library.undo(unit)[0].moved
    assert library.photo(photo.id).state is PhotoState.PRESENT


def test_undo_says_where_a_photo_is_that_it_cannot_put_back(library: Library) -> None:
    photo = library.add("a/IMG_1.JPG", b"x")
    (unit,) = library.send(photo)
    (library.folder / "a").rmdir()
    (library.folder / "a").write_bytes(b"a file in the way")
    (outcome,) = library.undo(unit)
    assert not outcome.moved
    assert f"{TRASH}/{unit.batch}/{unit.uid}" in outcome.message
    assert outcome.unit.state is UnitState.DONE
    library.check_agreement()


def test_undo_of_an_emptied_trash_says_so(library: Library) -> None:
    (unit,) = library.send(library.add("IMG_1.JPG", b"x"))
    (library.folder / (unit.files[0].trash_path or "")).unlink()
    (outcome,) = library.undo(unit)
    assert not outcome.moved
    assert outcome.message == "IMG_1.JPG is not in the trash any more, so there is nothing to put back."
    assert outcome.unit.state is UnitState.DONE


def test_the_trash_is_open_to_its_owner_only(library: Library) -> None:
    (unit,) = library.send(library.add("IMG_1.JPG", b"x"))
    for path in (TRASH, f"{TRASH}/{unit.batch}", f"{TRASH}/{unit.batch}/{unit.uid}"):
        assert stat.S_IMODE((library.folder / path).stat().st_mode) == 0o700


def test_a_file_keeps_its_inode_mode_and_times(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"x")
    (library.folder / "IMG_1.JPG").chmod(0o640)
    before = (library.folder / "IMG_1.JPG").stat()
    (unit,) = library.send(photo)
    library.undo(unit)
    after = (library.folder / "IMG_1.JPG").stat()
    assert (before.st_ino, before.st_mode, before.st_mtime_ns) == (after.st_ino, after.st_mode, after.st_mtime_ns)


def test_the_record_tells_people_what_it_is(library: Library) -> None:
    (unit,) = library.send(library.add("a/IMG_1.JPG", b"x", "a/IMG_1.MOV"))
    record = json.loads((library.folder / TRASH / unit.batch / unit.uid / "record.json").read_text("ascii"))
    assert "precious-daemon trash recover" in record["note"]
    assert record["moved_at"] == "2027-01-15T08:00:00+00:00"
    assert [(f["path"], f["trash"]) for f in record["files"]] == [("a/IMG_1.JPG", "IMG_1.JPG"), ("a/IMG_1.MOV", "IMG_1.MOV")]
    assert record["files"][0]["blake3"] == unit.files[0].content_hash.hex()


def test_files_of_one_capture_with_the_same_name_are_told_apart_in_the_trash(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"x", "meta/img_1.jpg.xmp", "more/IMG_1.jpg.XMP")
    before = library.contents()
    (unit,) = library.send(photo)
    assert sorted(os.path.basename(f.trash_path or "") for f in unit.files) == ["IMG_1.JPG", "IMG_1.jpg (2).XMP", "img_1.jpg.xmp"]
    library.undo(unit)
    assert library.contents() == before


def test_the_audit_log_has_a_line_for_every_file(library: Library, here: Places) -> None:
    (unit,) = library.send(library.add("IMG_1.JPG", b"x", "IMG_1.MOV"))
    with here.audit_log.open("ab") as file:
        file.write(b'{"at": "cut sho')  # a crash
    library.undo(unit)
    lines = here.audit_log.read_text("ascii").splitlines()
    entries = [json.loads(line) for line in lines if line.endswith("}")]
    assert [(e["action"], e["path"]) for e in entries] == [
        ("trashed", "IMG_1.JPG"),
        ("trashed", "IMG_1.MOV"),
        ("restored", "IMG_1.JPG"),
        ("restored", "IMG_1.MOV"),
    ]
    assert entries[0].keys() == {
        "at", "action", "who", "root", "path", "trash", "blake3", "batch", "unit", "suggestion", "run", "reason",
    }  # fmt: skip
    assert (entries[0]["reason"], entries[0]["run"], entries[0]["who"]) == ("it is blurred", "run", "owner")
    assert "who" not in entries[2], "nobody's wish was told"
    assert stat.S_IMODE(here.audit_log.stat().st_mode) == 0o600


def test_the_listing_is_newest_first_and_goes_on_after_the_last_one(library: Library) -> None:
    sent = library.send(*(library.add(f"IMG_{i}.JPG", bytes([i])) for i in range(5)))
    import asyncio

    first = asyncio.run(library.trash.listing(2))
    rest = asyncio.run(library.trash.listing(9, after=first[-1].id))
    assert [u.id for u in first + rest] == [u.id for u in reversed(sent)]


# --- records alone -----------------------------------------------------------------------------------------------------


def test_everything_comes_back_without_the_database(library: Library, here: Places) -> None:
    chosen = [library.add(f"{i % 2}/IMG_{i}.JPG", bytes([i]), f"{i % 2}/IMG_{i}.MOV") for i in range(4)]
    before = library.contents()
    library.send(*chosen)
    here.library_db.unlink()
    said = recover_records(str(library.folder))
    assert min(one.message for one in said) == "0/IMG_0.JPG, 0/IMG_0.MOV restored."
    assert sum(one.files for one in said) == 8
    assert contents(library.folder) == before
    assert not list((library.folder / TRASH).iterdir())
    assert recover_records(str(library.folder)) == []


@pytest.mark.usefixtures("either")
def test_rehearsed_recovery_says_what_would_come_back_and_moves_nothing(library: Library) -> None:
    library.send(library.add("a/IMG_1.JPG", b"1", "a/IMG_1.MOV"))
    (library.folder / "a").mkdir(exist_ok=True)
    (library.folder / "a/IMG_1.JPG").write_bytes(b"in the way")
    before = library.contents()
    said = recover_records(str(library.folder), dry_run=True)
    assert said == [Recovered("a/IMG_1 (restored).JPG, a/IMG_1 (restored).MOV would be restored.", 2)]
    assert library.contents() == before
    assert recover_records(str(library.folder)) == [Recovered(said[0].message.replace("would be ", ""), 2)]


def test_recovering_from_records_replaces_nothing(library: Library) -> None:
    library.send(library.add("IMG_1.JPG", b"old"))
    (library.folder / "IMG_1.JPG").write_bytes(b"new")
    recover_records(str(library.folder))
    assert (library.folder / "IMG_1.JPG").read_bytes() == b"new"
    assert (library.folder / "IMG_1 (restored).JPG").read_bytes() == b"old"


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(files=[{**r["files"][0], "path": "../outside.jpg"}]),
        lambda r: r.update(files=[{**r["files"][0], "path": "/etc/outside.jpg"}]),
        lambda r: r.update(files=[{**r["files"][0], "trash": "../../x"}]),
        lambda r: r.update(files=[{**r["files"][0], "trash": ".."}]),
        lambda r: r.update(files=[{**r["files"][0], "role": "boss"}]),
        lambda r: r.update(files="no list"),
        lambda r: r.update(version=99),
        lambda r: r.clear(),
    ],
)
def test_a_forged_record_moves_nothing(library: Library, change) -> None:  # type: ignore[no-untyped-def]
    (unit,) = library.send(library.add("IMG_1.JPG", b"x"))
    file = library.folder / TRASH / unit.batch / unit.uid / "record.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    before = contents(library.folder.parent)
    (one,) = recover_records(str(library.folder))
    assert one.left, one
    assert "was left as it is" in one.message
    assert contents(library.folder.parent) == before


def test_a_folder_without_a_trash_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RootError, match="nothing was ever moved"):
        recover_records(str(tmp_path))
    with pytest.raises(RootError, match="cannot be opened"):
        recover_records(str(tmp_path / "absent"))


# --- names -------------------------------------------------------------------------------------------------------------


def test_restored_names_keep_stem_and_suffix_and_fit_the_file_system() -> None:
    assert renamed("IMG_1.JPG", "IMG_1.JPG", 0) == "IMG_1.JPG"
    assert renamed("IMG_1.JPG", "IMG_1.JPG", 1) == "IMG_1 (restored).JPG"
    assert renamed("IMG_1.JPG.xmp", "IMG_1.JPG", 2) == "IMG_1 (restored 2).JPG.xmp"
    assert renamed("other.aae", "IMG_1.JPG", 1) == "other (restored).aae"
    long = "é" * 125 + ".jpg"
    assert len(os.fsencode(renamed(long, long, 1))) <= 255


def test_sentences_are_printable_whatever_a_file_is_called() -> None:
    assert printable(os.fsdecode(b"a\xff\nb")) == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"
