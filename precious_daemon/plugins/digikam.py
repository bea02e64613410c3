"""digiKam: holds back what you rated, picked or tagged in digiKam, and what is in its albums that you name; only ever reads.

Ratings, pick flags, tags, albums and the people that you confirmed are read from digiKam's own database, `digikam4.db`, so that
nothing has to be written into your files there. A photo is known by its album, its name and its size. The database is opened
for reading only; a digiKam that runs at the same time is not disturbed. One that keeps its database on a MySQL server is better
told to write sidecars, which the plugin xmp reads. Stars and pick flags there are answers too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Context, Judgement, PluginPhoto, hookimpl
from precious_daemon.plugins import words, xmp
from precious_daemon.plugins.options import setting

PATIENCE = 120.0
INTERNAL = "_Digikam_Internal_Tags_"  # the tag above those that digiKam makes for itself
PICKED, REJECTED = "Pick Label Accepted", "Pick Label Rejected"
PERSON, PEOPLE = "person", "People"  # the property of a tag that is somebody, and the tag above those in most databases
_NOBODY = ("unknownPerson", "unconfirmedPerson", "ignoredPerson")
_VISIBLE = 1  # of Images.status: neither hidden nor gone nor in digiKam's trash
_WAL = 2  # in the header of a database that has a log beside it


@dataclass(frozen=True, slots=True)
class Settings:
    database: str = setting("~/Pictures/digikam4.db", "where digikam4.db is: the folder is named in digiKam's settings")
    keep_rating: int = setting(3, "photos with so many stars are held back; 0 looks at no stars", 0, 5)
    picks: bool = setting(True, "accepted photos are held back, rejected ones suggested")
    stars_answer: int = setting(3, 'so many stars are an answer, "keep"; 0 looks at no stars', 0, 5)
    picks_answer: bool = setting(True, 'an accepted photo is an answer, "keep", a rejected one "delete"')
    keep_tags: tuple[str, ...] = setting((), "photos with one of these tags, or one below it, are held back")
    keep_albums: tuple[str, ...] = setting((), 'photos in these albums are held back, like "2024/Italy", with all below')
    people: bool = setting(True, "people that you named there count for suggest.protect_people and suggest.leave_of_person")


@dataclass(slots=True)
class Known:
    """What digiKam knows of a photo. `tags` are whole paths: "Places/Italy"."""

    album: str  # without slashes at its ends; empty for the top of a collection
    rating: int | None = None
    picked: bool = False
    rejected: bool = False
    tags: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)


Catalogue = Mapping[tuple[str, int], Sequence[Known]]  # by name and size: photos of one name and size in several albums


@hookimpl
def startup(context: Context) -> None:
    with closing(opened(_file(context.settings))):
        pass


@hookimpl
def veto(photo: PluginPhoto, context: Context) -> str | None:
    chosen: Settings = context.settings
    for known in _of(photo, context):
        if known.rating is not None and 0 < chosen.keep_rating <= known.rating:
            return f"you gave it {known.rating} star{'' if known.rating == 1 else 's'} in digiKam"
        if chosen.picks and known.picked:
            return "you picked it in digiKam"
        if tag := _below(known.tags, chosen.keep_tags):
            return f"it has the tag {tag} in digiKam"
        if album := _below([known.album], chosen.keep_albums):
            return f"it is in the album {album} in digiKam"
    return None


@hookimpl
def said(photo: PluginPhoto, context: Context) -> Judgement | None:
    """Nothing where two of its photos could be this one, and are judged differently."""
    found = {judgement.keep: judgement for known in _of(photo, context) if (judgement := _judged(known, photo, context.settings))}
    return found.popitem()[1] if len(found) == 1 else None


def _judged(known: Known, photo: PluginPhoto, chosen: Settings) -> Judgement | None:
    """What was said of a photo; what digiKam read in a sidecar of ours is not the owner's word."""
    flag = "accepted" if known.picked else "rejected" if known.rejected else ""
    if chosen.picks_answer and flag and xmp.ours(photo, "PickLabel") != xmp.PICKS[flag]:
        return Judgement(known.picked, "accepted in digiKam" if known.picked else "rejected in digiKam")
    stars = known.rating or 0
    if 0 < chosen.stars_answer <= stars and xmp.ours(photo, "Rating") != stars:
        return Judgement(True, f"{stars} star{'' if stars == 1 else 's'} in digiKam")
    return None


@hookimpl
def rule(photo: PluginPhoto, context: Context) -> str | None:
    if context.settings.picks and any(known.rejected for known in _of(photo, context)):
        return "you rejected it in digiKam"
    return None


@hookimpl
def people(photo: PluginPhoto, context: Context) -> Sequence[str]:
    if not context.settings.people:
        return ()
    return sorted({name for known in _of(photo, context) for name in known.people})


@hookimpl
def status(context: Context) -> str:
    with closing(opened(_file(context.settings))) as db:
        (count,) = db.execute("SELECT count(*) FROM Images WHERE status = ?", [_VISIBLE]).fetchone()
    return f"{words.photos(count)} in its database"


def _below(names: Iterable[str], wanted: Iterable[str]) -> str | None:
    """The first of the names that is one of those wanted, or lies below it."""
    for one in wanted:
        start = one.strip("/").casefold()
        for name in sorted(names):
            if start and f"{name.casefold()}/".startswith(f"{start}/"):
                return name
    return None


def _of(photo: PluginPhoto, context: Context) -> list[Known]:
    if "digikam" not in context.memo:
        context.memo["digikam"] = read(_file(context.settings))
    catalogue: Catalogue = context.memo["digikam"]
    place = f"/{photo.path.parent}/"
    return [
        known for known in catalogue.get((photo.name, photo.size), ()) if place.endswith(f"/{known.album}/".replace("//", "/"))
    ]


# --- the database ------------------------------------------------------------------------------------------------------


def _file(chosen: Settings) -> Path:
    return Path(chosen.database).expanduser()


def opened(file: Path) -> sqlite3.Connection:
    """For reading only, and so that nothing is made beside it either. ConfigError where that cannot be."""
    log, index = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    try:
        with open(file, "rb") as database:
            head = database.read(20)
    except OSError as exc:
        raise ConfigError(f"digiKam's database {file} cannot be read ({exc.strerror}). Set plugin.digikam.database.") from exc
    has_log = head[18:20] == bytes([_WAL, _WAL])
    alone = has_log and (not log.exists() or not log.stat().st_size)  # nobody has it open, so nobody changes it
    if has_log and not alone and not index.exists():
        raise ConfigError(f"digiKam did not close its database {file}. Start digiKam once and end it.")
    address = f"file:{quote(os.fspath(file.absolute()))}?mode=ro" + ("&immutable=1" if alone else "")
    db = sqlite3.connect(address, uri=True, timeout=5)
    try:
        db.text_factory = os.fsdecode  # names of files are bytes
        db.execute("SELECT id, albumRoot, relativePath FROM Albums LIMIT 1")
        db.execute("SELECT id, album, name, status, fileSize FROM Images LIMIT 1")
    except sqlite3.Error as exc:
        db.close()
        raise ConfigError(f"{file} is not digiKam's database, or cannot be read just now ({exc}).") from exc
    return db


def read(file: Path) -> Catalogue:
    """Everything that digiKam knows of photos that are there."""
    with closing(opened(file)) as db:
        paths, people = _tags(db)
        by_id: dict[int, Known] = {}
        found: dict[tuple[str, int], list[Known]] = {}
        sql = """
            SELECT Images.id, name, fileSize, relativePath, rating FROM Images JOIN Albums ON Albums.id = Images.album
            LEFT JOIN ImageInformation ON imageid = Images.id WHERE status = ? AND fileSize IS NOT NULL
        """
        for image, name, size, album, rating in db.execute(sql, [_VISIBLE]):
            known = by_id[image] = Known(str(album).strip("/"), rating if rating is not None and rating >= 0 else None)
            found.setdefault((name, size), []).append(known)
        for image, tag in db.execute("SELECT imageid, tagid FROM ImageTags"):
            if image not in by_id or tag not in paths:
                continue
            known, path = by_id[image], paths[tag]
            if path == f"{INTERNAL}/{PICKED}":
                known.picked = True
            elif path == f"{INTERNAL}/{REJECTED}":
                known.rejected = True
            elif tag in people:
                known.people.add(people[tag])
            elif not path.startswith(INTERNAL):
                known.tags.add(path)
    return found


def _tags(db: sqlite3.Connection) -> tuple[dict[int, str], dict[int, str]]:
    """(whole path of each tag, name of those that are somebody)."""
    rows = {tag: (parent, name) for tag, parent, name in db.execute("SELECT id, pid, name FROM Tags")}

    def above(tag: int) -> Iterator[str]:
        for _ in range(len(rows)):  # a circle of tags would never end
            if tag not in rows:
                return
            tag, name = rows[tag]
            yield name

    paths = {tag: "/".join(reversed(list(above(tag)))) for tag in rows}
    said: dict[int, set[str]] = {}
    for tag, what in db.execute("SELECT tagid, property FROM TagProperties"):
        said.setdefault(tag, set()).add(what)
    nobody = {tag for tag, what in said.items() if what & set(_NOBODY)}
    somebody = {tag for tag, what in said.items() if PERSON in what}
    somebody |= {tag for tag, path in paths.items() if path.startswith(f"{PEOPLE}/")}
    return paths, {tag: rows[tag][1] for tag in somebody - nobody if tag in rows}
