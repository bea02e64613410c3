"""digiKam's own database: one that has the tables and tags that digiKam makes, read and never touched."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Judgement, PluginPhoto
from precious_daemon.plugins import digikam, packet, xmp
from precious_daemon.plugins.trial import context, photo
from tests.plugins.conftest import Load

ROOT_TAGS = {"People": 4, "Places": 5, digikam.INTERNAL: 1}


class DigiKam:
    """Schema version 16, as far as photos, albums and tags go."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.db = sqlite3.connect(file)
        self.db.executescript("""
            CREATE TABLE AlbumRoots (id INTEGER PRIMARY KEY, label TEXT, status INTEGER NOT NULL, type INTEGER NOT NULL,
                identifier TEXT, specificPath TEXT, caseSensitivity INTEGER, UNIQUE(identifier, specificPath));
            CREATE TABLE Albums (id INTEGER PRIMARY KEY, albumRoot INTEGER NOT NULL, relativePath TEXT NOT NULL, date DATE,
                caption TEXT, collection TEXT, icon INTEGER, modificationDate DATETIME, UNIQUE(albumRoot, relativePath));
            CREATE TABLE Images (id INTEGER PRIMARY KEY, album INTEGER, name TEXT NOT NULL, status INTEGER NOT NULL,
                category INTEGER NOT NULL, modificationDate DATETIME, fileSize INTEGER, uniqueHash TEXT, manualOrder INTEGER,
                UNIQUE(album, name));
            CREATE TABLE ImageInformation (imageid INTEGER PRIMARY KEY, rating INTEGER, creationDate DATETIME,
                digitizationDate DATETIME, orientation INTEGER, width INTEGER, height INTEGER, format TEXT,
                colorDepth INTEGER, colorModel INTEGER);
            CREATE TABLE Tags (id INTEGER PRIMARY KEY, pid INTEGER, name TEXT NOT NULL, icon INTEGER, iconkde TEXT,
                UNIQUE(name, pid));
            CREATE TABLE ImageTags (imageid INTEGER NOT NULL, tagid INTEGER NOT NULL, UNIQUE(imageid, tagid));
            CREATE TABLE TagProperties (tagid INTEGER, property TEXT, value TEXT);
            INSERT INTO AlbumRoots VALUES (1, 'Pictures', 0, 1, 'volumeid:?uuid=800b21c2', '/home/me/Pictures', 2);
        """)
        for name, tag in ROOT_TAGS.items():
            self.db.execute("INSERT INTO Tags VALUES (?, 0, ?, NULL, NULL)", [tag, name])
        for name in ("Pick Label None", digikam.REJECTED, "Pick Label Pending", digikam.PICKED):
            self.tag(digikam.INTERNAL, name)
        self.db.commit()

    def tag(self, above: str, name: str, *properties: str) -> int:
        parent = ROOT_TAGS.get(above, 0)
        self.db.execute("INSERT OR IGNORE INTO Tags(pid, name) VALUES (?, ?)", [parent, name])
        (tag,) = self.db.execute("SELECT id FROM Tags WHERE pid = ? AND name = ?", [parent, name]).fetchone()
        self.db.executemany("INSERT INTO TagProperties VALUES (?, ?, NULL)", [(tag, p) for p in properties])
        return int(tag)

    def add(self, shot: PluginPhoto, rating: int | None = -1, *tags: int, status: int = 1, album: str | None = None) -> None:
        album = f"/{shot.folder}" if album is None else album
        self.db.execute("INSERT OR IGNORE INTO Albums(albumRoot, relativePath) VALUES (1, ?)", [album])
        (place,) = self.db.execute("SELECT id FROM Albums WHERE relativePath = ?", [album]).fetchone()
        sql = "INSERT INTO Images(album, name, status, category, fileSize) VALUES (?, ?, ?, 1, ?)"
        image = self.db.execute(sql, [place, shot.name, status, shot.size]).lastrowid
        self.db.execute("INSERT INTO ImageInformation(imageid, rating) VALUES (?, ?)", [image, rating])
        self.db.executemany("INSERT INTO ImageTags VALUES (?, ?)", [(image, tag) for tag in tags])
        self.db.commit()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[DigiKam]:
    made = DigiKam(tmp_path / "pictures" / "digikam4.db") if (tmp_path / "pictures").mkdir() is None else None
    assert made
    yield made
    made.db.close()


def own(there: DigiKam, **settings: Any) -> Any:
    return context(there.file.parent.parent / "own", digikam, database=str(there.file), **settings)


def test_stars_picks_tags_and_albums_hold_back(there: DigiKam) -> None:
    italy = there.tag("Places", "Italy")
    shots = {name: photo(f"{name}.jpg", size=number) for number, name in enumerate(["two", "three", "picked", "italy", "plain"])}
    there.add(shots["two"], 2)
    there.add(shots["three"], 3)
    there.add(shots["picked"], -1, there.tag(digikam.INTERNAL, digikam.PICKED))
    there.add(shots["italy"], None, italy)
    there.add(shots["plain"], 0, there.tag("Places", "Spain"))
    mine = own(there, keep_tags=["places/italy"])
    assert {name: digikam.veto(shot, mine) for name, shot in shots.items()} == {
        "two": None,
        "three": "you gave it 3 stars in digiKam",
        "picked": "you picked it in digiKam",
        "italy": "it has the tag Places/Italy in digiKam",
        "plain": None,
    }
    assert digikam.veto(shots["plain"], own(there, keep_tags=["Places"])) == "it has the tag Places/Spain in digiKam"
    assert digikam.veto(shots["plain"], own(there, keep_albums=["2024"])) == "it is in the album 2024/03 in digiKam"
    assert digikam.veto(shots["plain"], own(there, keep_albums=["20"])) is None
    assert digikam.veto(shots["three"], own(there, keep_rating=0)) is None


def test_rejected_is_suggested_and_people_are_named(there: DigiKam) -> None:
    shot, other = photo("a.jpg"), photo("b.jpg")
    anna, unknown = there.tag("People", "Anna", "person"), there.tag("People", "Unknown", "person", "unknownPerson")
    elsewhere = there.tag("Friends", "Ben", "person")
    there.add(shot, -1, there.tag(digikam.INTERNAL, digikam.REJECTED), anna, unknown, elsewhere)
    there.add(other, -1, there.tag("Places", "Italy"))
    mine = own(there)
    assert digikam.rule(shot, mine) == "you rejected it in digiKam"
    assert digikam.rule(shot, own(there, picks=False)) is None
    assert digikam.rule(other, mine) is None
    assert digikam.people(shot, mine) == ["Anna", "Ben"]
    assert digikam.people(other, mine) == []
    assert digikam.people(shot, own(there, people=False)) == ()
    assert digikam.status(mine) == "2 photos in its database"


def test_stars_and_picks_are_answers(there: DigiKam, tmp_path: Path) -> None:
    picked, rejected = there.tag(digikam.INTERNAL, digikam.PICKED), there.tag(digikam.INTERNAL, digikam.REJECTED)
    names = ["two", "three", "one", "picked", "rejected", "ours", "both"]
    shots = {name: photo(f"{name}.jpg", size=number) for number, name in enumerate(names)}
    shots["ours"] = replace(shots["ours"], root=tmp_path, companions=("ours.jpg.xmp",))
    for name, stars, tags in (("two", 2, []), ("three", 3, []), ("picked", -1, [picked]), ("rejected", 5, [rejected])):
        there.add(shots[name], stars, *tags)
    there.add(shots["ours"], 5, rejected)
    there.add(shots["both"], -1, picked)
    there.add(shots["both"], -1, rejected, album="/03")
    (tmp_path / "2024" / "03").mkdir(parents=True)
    wanted = {(packet.XMP, "Rating"): "5", (packet.DIGIKAM, "PickLabel"): "1"}
    xmp.change(tmp_path / "2024" / "03" / "ours.jpg.xmp", {}, wanted)
    mine = own(there)
    assert {name: judgement for name, shot in shots.items() if (judgement := digikam.said(shot, mine))} == {
        "three": Judgement(True, "3 stars in digiKam"),
        "picked": Judgement(True, "accepted in digiKam"),
        "rejected": Judgement(False, "rejected in digiKam"),
    }, "neither what digiKam read in a sidecar of ours, nor where two photos of that name and size are judged differently"
    assert digikam.said(shots["three"], own(there, stars_answer=0)) is None
    assert digikam.said(shots["picked"], own(there, picks_answer=False)) is None


def test_photo_is_known_by_album_name_and_size_wherever_the_collection_is_mounted(there: DigiKam) -> None:
    there.add(photo("a.jpg", size=10), 5)
    there.add(photo("top.jpg", size=10), 5, album="/")
    there.add(photo("hidden.jpg", size=10), 5, status=3)
    mine = own(there)
    assert digikam.veto(photo("a.jpg", size=10, root=Path("/mnt/other/2024"), folder="03"), mine)
    assert digikam.veto(photo("top.jpg", size=10), mine), "the top of a collection may be anywhere"
    for strange in (
        photo("a.jpg", size=11),
        photo("b.jpg", size=10),
        photo("a.jpg", size=10, folder="2025/03"),
        photo("hidden.jpg", size=10),
    ):
        assert digikam.veto(strange, mine) is None


def state(folder: Path) -> dict[str, tuple[str, int]]:
    return {f.name: (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_mtime_ns) for f in folder.iterdir()}


@pytest.mark.parametrize("journal", ["delete", "wal, digiKam is closed", "wal, digiKam runs"])
def test_it_is_never_written_nor_is_anything_beside_it(there: DigiKam, journal: str) -> None:
    there.db.execute(f"PRAGMA journal_mode={journal.partition(',')[0]}")
    there.add(photo("a.jpg"), 5)
    if "runs" not in journal:
        there.db.close()
    before = state(there.file.parent)
    assert ("digikam4.db-wal" in before) is ("runs" in journal)
    assert digikam.veto(photo("a.jpg"), own(there)) == "you gave it 5 stars in digiKam"
    after = state(there.file.parent)
    assert {name: of for name, of in after.items() if not name.endswith("-shm")} == {
        name: of for name, of in before.items() if not name.endswith("-shm")
    }, "but for the marks of who reads, which digiKam keeps itself"
    assert after.keys() == before.keys()
    with closing(digikam.opened(there.file)) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM Images")


def test_what_cannot_be_read_holds_everything_back_and_says_what_to_do(there: DigiKam, load: Load, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, however long this text may be")
    for file, words in ((tmp_path / "none.db", "No such file"), (tmp_path / "text.db", "is not digiKam's database")):
        with pytest.raises(ConfigError, match=words):
            digikam.startup(context(tmp_path / "own", digikam, database=str(file)))
        plugins = load("digikam", digikam={"database": str(file)})
        assert plugins.vetoes({1: photo("a.jpg")}) == {1: "the plugin digikam could not say whether this photo may go"}
    there.db.execute("PRAGMA journal_mode=WAL")
    there.add(photo("a.jpg"), 5)
    for name in ("digikam4.db", "digikam4.db-wal"):  # as after a crash
        (tmp_path / name).write_bytes((there.file.parent / name).read_bytes())
    with pytest.raises(ConfigError, match="Start digiKam once and end it"):
        digikam.opened(tmp_path / "digikam4.db")


def test_names_that_are_no_text_and_tags_in_a_circle_do_no_harm(there: DigiKam) -> None:
    shot = photo(os.fsdecode(b"\xff.jpg"))
    there.db.execute("INSERT INTO Tags(id, pid, name) VALUES (100, 101, 'a'), (101, 100, 'b')")
    there.add(photo("plain.jpg"), 5, 100)
    there.db.execute("UPDATE Images SET name = CAST(? AS TEXT)", [b"\xff.jpg"])
    there.db.commit()
    assert digikam.veto(shot, own(there)) == "you gave it 5 stars in digiKam"
