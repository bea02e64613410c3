"""What is suggested in a real library: rules, what speaks for a photo, what is the last of its day, what was kept before."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from precious_daemon.config import Places, PluginSettings, Settings, SuggestSettings, parse
from precious_daemon.errors import ConfigError
from precious_daemon.models import Group, GroupKind, GroupMember, Photo, Score
from precious_daemon.plugins import Plugins
from precious_daemon.service import Service
from precious_daemon.store import Database, groups, held, named, photos, scores, suggestions
from precious_daemon.suggesting import review
from tests.pictures import save
from tests.web.conftest import browser, service, site, stranger
from tests.web.library import Browser, choose_here, fill, read, root_of

__all__ = ["browser", "service", "site", "stranger"]
DAY = 86400.0


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    return fill(service, tmp_path / "photos", 6)


def expect(service: Service, *unloved: Photo) -> None:
    """The model would throw these away, the first one surest."""
    found = [Score(photo.id, 0.01 * number, 0.0) for number, photo in enumerate(unloved, 1)]
    service.store.write(scores.replace_scores, 1, found)


async def proposed(service: Service) -> tuple[dict[int, tuple[str, ...]], dict[int, str]]:
    """(reasons of what is suggested, why of what is held back), by photo."""
    await choose_here(service, 1, "run")
    rows, back = service.store.read(suggestions.page, 1), service.store.read(held.page, 1)
    return {row.photo.id: row.suggestion.reasons for row in rows}, {row.photo.id: row.why for row in back}


def settings(service: Service, **changes: Any) -> None:
    service.settings = replace(service.settings, suggest=SuggestSettings(**changes))


def taken(service: Service, photo: Photo, at: float, taken_from: str = "exif") -> None:
    sql = "UPDATE photos SET taken_at = ?, taken_from = ? WHERE id = ?"
    service.store.write(lambda db: db.execute(sql, [at, taken_from, photo.id]))


def put(file: Path, content: bytes | str) -> None:
    """A file that has not changed for a while, so that a scan takes it as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(file, (1.6e9, 1.6e9))


@pytest.mark.parametrize("folder", ["2024/Family", "2024/Family/", "2024", "{root}/2024", "{root}/"])
async def test_nothing_is_suggested_from_a_protected_folder(service: Service, tmp_path: Path, folder: str) -> None:
    root = tmp_path / "photos"
    save(root / "2024" / "Family" / "a.jpg", 1, (96, 72), age=3600)
    save(root / "2024" / "Family 2" / "b.jpg", 2, (96, 72), age=3600)
    found = {photo.path: photo for photo in read(service, root)}
    expect(service, *found.values())
    folder = folder.format(root=root)
    settings(service, never_from=(folder,))
    going, back = await proposed(service)
    protected = [photo.id for path, photo in found.items() if path.startswith("2024/Family/") or "Family" not in folder]
    assert back == dict.fromkeys(protected, f"nothing in {folder} is suggested (suggest.never_from in the settings)")
    assert going.keys() == {photo.id for photo in found.values()} - back.keys()


async def test_the_last_photo_of_a_day_and_of_an_event_stays(service: Service, library: list[Photo]) -> None:
    noon = datetime(2024, 5, 5, 12, tzinfo=UTC).timestamp()
    times = [noon, noon + 60, noon + 8 * 3600, noon + DAY, noon + DAY + 60, noon + DAY + 120]
    for photo, at in zip(library, times, strict=True):
        taken(service, photo, at)
    a, b, c, *rest = library
    expect(service, a, b, c, *rest[:2])
    going, back = await proposed(service)
    assert going.keys() == {a.id, *(p.id for p in rest[:2])}
    assert back == {b.id: "the last photo of what happened on 5 May 2024 at 12:00",
                    c.id: "the last photo of what happened on 5 May 2024 at 20:00"}  # fmt: skip
    settings(service, leave_of_event=0)
    assert (await proposed(service))[1] == {c.id: "the last photo of 5 May 2024"}
    settings(service, leave_of_event=0, leave_of_day=0)
    assert (await proposed(service))[1] == {}


async def test_the_time_of_a_file_makes_no_day(service: Service, library: list[Photo]) -> None:
    taken(service, library[0], 1e9, "file")
    expect(service, library[0])
    assert (await proposed(service))[0].keys() == {library[0].id}


async def test_stars_and_edits_hold_back_and_the_page_says_why(
    service: Service, library: list[Photo], browser: Browser, here: Places
) -> None:
    rated, edited, plain, rejected = library[:4]
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    packet = f'<r:RDF xmlns:r="{rdf}"><r:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="%d"/></r:RDF>'
    root = root_of(service)
    put(root / f"{rated.path}.xmp", packet % 4)
    put(root / f"{rejected.path}.xmp", packet % -1)
    put((root / edited.path).with_suffix(".AAE"), "edits")
    read(service, root)
    expect(service, rated, edited, plain)
    going, back = await proposed(service)
    assert back == {rated.id: "you gave it 4 stars", edited.id: "you edited it (it has an AAE file)"}
    assert going.keys() == {plain.id, rejected.id}
    assert going[rejected.id] == ("you rejected it in another program",)
    page = await (await browser.get("/suggestions/held")).text()
    assert "you gave it 4 stars" in page
    assert "2 photos held back" in await (await browser.get("/suggestions")).text()
    told = await (await browser.get("/api/suggestions/held")).json()
    assert next((h["photo"]["path"], h["why"]) for h in told["held"]) == (rated.path, "you gave it 4 stars")
    assert told["count"] == 2


async def test_old_screenshots_are_suggested_whatever_the_model_says(service: Service, tmp_path: Path) -> None:
    fill(service, tmp_path / "photos", 1)
    file = next((tmp_path / "photos").glob("*.jpg"))
    for name in ("Screenshot_1.png.jpg", "Screenshot_2.jpg"):
        put(file.with_name(name), file.read_bytes())
    found = {photo.path: photo for photo in read(service, tmp_path / "photos")}
    taken(service, found["Screenshot_1.png.jpg"], service.clock() - 400 * DAY)
    taken(service, found["Screenshot_2.jpg"], service.clock() - 300 * DAY)
    going, _ = await proposed(service)
    assert going == {found["Screenshot_1.png.jpg"].id: ("a screenshot from 13 months ago",)}


# --- what was kept before ----------------------------------------------------------------------------------------------


async def dismissed(service: Service, photo: Photo) -> None:
    expect(service, photo)
    await proposed(service)
    (row,) = service.store.read(suggestions.page, 1)
    await review.dismiss(service, 1, [row.uid])
    assert await proposed(service) == ({}, {})


async def test_a_dismissed_photo_stays_dismissed_unless_its_file_changed(service: Service, library: list[Photo]) -> None:
    await dismissed(service, library[0])
    service.store.write(lambda db: db.execute("UPDATE photos SET content_hash = ? WHERE id = ?", [b"x" * 32, library[0].id]))
    going, _ = await proposed(service)
    assert going[library[0].id][0] == "you kept it once, and its file has changed since"
    (row,) = service.store.read(suggestions.page, 1)
    await review.dismiss(service, 1, [row.uid])
    assert await proposed(service) == ({}, {}), "kept again, it stays"


async def test_a_dismissed_photo_comes_back_when_a_copy_turns_up(service: Service, library: list[Photo]) -> None:
    await dismissed(service, library[0])

    def copies(db: Database) -> None:
        best = GroupMember(library[1].id, True, "best")
        groups.replace_groups(db, [Group(GroupKind.COPY, (best, GroupMember(library[0].id, False, "")))])

    service.store.write(copies)
    going, _ = await proposed(service)
    assert going[library[0].id][:2] == (
        "you kept it once, and there is an exact copy of it since",
        f"an exact copy of {library[1].path}",
    )
    assert service.store.read(photos.get, library[0].id)
    (row,) = service.store.read(suggestions.page, 1)
    await review.dismiss(service, 1, [row.uid])
    assert await proposed(service) == ({}, {})


def test_by_default_rules_and_stars_are_looked_at(here: Places) -> None:
    plugins = Plugins.load(here, Settings())
    assert (plugins.having("rule"), plugins.having("veto")) == (["rules", "xmp"], ["xmp"])


# --- people and places -------------------------------------------------------------------------------------------------

FACES = """
    from precious_daemon.hookspecs import hookimpl

    @hookimpl
    def people(photo, closely):
        if photo.name == "IMG_0005.jpg" and closely and (photo.root / "broken").exists():
            raise OSError("cannot be read")
        return {"IMG_0000.jpg": ["Anna", "Ben"], "IMG_0001.jpg": ["Ben"], "IMG_0002.jpg": ["Ben"]}.get(photo.name)
"""


@pytest.fixture
def faces(service: Service, here: Places) -> None:
    put(here.plugins / "faces.py", dedent(FACES))
    service.plugins = Plugins.load(here, Settings(plugins=PluginSettings(("faces",))))


@pytest.mark.usefixtures("faces")
async def test_nothing_with_a_protected_person_is_suggested(service: Service, library: list[Photo]) -> None:
    by_name = {photo.path: photo for photo in library}
    expect(service, *library)
    settings(service, protect_people=("ANNA ", "Nobody"), leave_of_person=0, leave_of_day=0, leave_of_event=0)
    going, back = await proposed(service)
    assert back == {by_name["IMG_0000.jpg"].id: "Anna is in it"}
    assert len(going) == 5
    (root_of(service) / "broken").touch()
    _, back = await proposed(service)
    assert back[by_name["IMG_0005.jpg"].id] == "the plugin faces could not say who is in it"


async def test_who_was_named_inside_of_a_photo_protects_it_without_any_plugin(service: Service, library: list[Photo]) -> None:
    for photo, name in zip(library, ("Anna", "Ben", "Ben"), strict=False):
        assert photo.content_hash
        service.store.write(named.put, photo.content_hash, [name])
    expect(service, *library)
    settings(service, protect_people=("anna",), leave_of_person=1, leave_of_day=0, leave_of_event=0)
    _, back = await proposed(service)
    assert back.pop(library[0].id) == "Anna is in it"
    assert list(back.values()) == ["the last photo of Ben"]
    service.store.write(named.put, library[0].content_hash, [])
    _, back = await proposed(service)
    assert library[0].id not in back, "its file was written anew, and names nobody"


@pytest.mark.usefixtures("faces")
@pytest.mark.parametrize(
    ("leave", "kept"), [(0, {}), (1, {"Anna": 1, "Ben": 1}), (2, {"Anna": 1, "Ben": 2}), (5, {"Anna": 1, "Ben": 3})]
)
async def test_accepting_everything_leaves_some_of_each_person(
    service: Service, library: list[Photo], leave: int, kept: dict[str, int]
) -> None:
    expect(service, *library)
    settings(service, leave_of_person=leave, leave_of_day=0, leave_of_event=0)
    going, back = await proposed(service)
    names = {
        photo.id: {"IMG_0000.jpg": "Anna Ben", "IMG_0001.jpg": "Ben", "IMG_0002.jpg": "Ben"}.get(photo.path, "")
        for photo in library
    }
    left = [name for photo in library if photo.id not in going for name in names[photo.id].split()]
    assert {name: left.count(name) for name in set(left)} == kept
    assert all("the last photo" in why for why in back.values())


async def test_nothing_from_a_protected_place_is_suggested(service: Service, library: list[Photo]) -> None:
    expect(service, *library)
    sql = "UPDATE photos SET latitude = ?, longitude = ? WHERE id = ?"
    for photo, where in zip(library, [(52.5163, 13.3777), (52.5200, 13.3777), (52.5300, 13.3777)], strict=False):
        service.store.write(lambda db, photo=photo, where=where: db.execute(sql, [*where, photo.id]))
    settings(
        service, protect_places=("Rome: 41.9 12.5 5 km", "the gate: 52.5163 13.3777 500 m"), leave_of_day=0, leave_of_event=0
    )
    going, back = await proposed(service)
    assert back == dict.fromkeys([library[0].id, library[1].id], "it was taken in a place that you protect (the gate)")
    assert len(going) == 4
    with pytest.raises(ConfigError, match="a latitude goes from -90 to 90"):
        parse({"suggest": {"protect_places": ["Mars: 100 0 1 km"]}})
