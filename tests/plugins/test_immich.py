"""Immich: against a server that keeps to the published API, and refuses what that does not allow."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Judgement
from precious_daemon.plugins import immich, packet, xmp
from precious_daemon.plugins.sending import NotSent
from precious_daemon.plugins.trial import context, output, photo, suggestion
from tests.plugins import immich_api
from tests.plugins.conftest import Load
from tests.plugins.servers import Answer, Heard, http_server

KEY = "an-api-key"
THEN = "2026-07-01T12:00:00.000Z"
SOMEBODY = str(uuid.UUID(int=1))


@dataclass
class Asset:
    data: bytes
    favourite: bool = False
    archived: bool = False
    trashed: bool = False
    stars: int | None = None
    name: str = "a.jpg"
    people: frozenset[str] = frozenset()  # ids
    tags: set[str] = field(default_factory=set)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def json(self) -> dict[str, Any]:
        checksum = base64.b64encode(hashlib.sha1(self.data).digest()).decode()
        times = dict.fromkeys(["createdAt", "updatedAt", "fileCreatedAt", "fileModifiedAt", "localDateTime"], THEN)
        return times | {
            "id": self.id, "checksum": checksum, "isFavorite": self.favourite,
            "exifInfo": {"fileSizeInByte": len(self.data), "rating": self.stars},
            "duration": None, "hasMetadata": True, "height": 3000, "width": 4000, "isArchived": self.archived, "isEdited": False,
            "isOffline": False, "isTrashed": self.trashed, "originalFileName": self.name, "originalPath": f"/data/{self.name}",
            "ownerId": SOMEBODY, "thumbhash": None, "type": "IMAGE", "visibility": "archive" if self.archived else "timeline",
        }  # fmt: skip


class Immich:
    """Version 3, as published (see `immich_api`): every request and every answer is held against that."""

    def __init__(self) -> None:
        self.url = ""
        self.assets: dict[str, Asset] = {}
        self.albums: dict[str, tuple[str, set[str]]] = {}  # id -> name, assets
        self.tags: dict[str, str] = {}
        self.people: dict[str, str] = {}  # id -> name
        self.page = 2
        self.asked: list[str] = []

    def add(self, data: bytes, **facts: Any) -> Asset:
        asset = Asset(data, **facts)
        self.assets[asset.id] = asset
        return asset

    def album(self, name: str, *assets: Asset) -> str:
        album = str(uuid.uuid4())
        self.albums[album] = name, {asset.id for asset in assets}
        return album

    def answer(self, heard: Heard) -> Answer:
        if heard.headers.get("x-api-key") != KEY:
            return self._json(401, {"message": "Invalid API key", "error": "Unauthorized", "statusCode": 401})
        assert heard.path.startswith("/api/")
        published = immich_api.operation(heard.method, heard.path)
        if published is None:
            return self._json(404, {"message": f"Cannot {heard.method} {heard.path}", "error": "Not Found", "statusCode": 404})
        sent, status, returned = published
        immich_api.check(sent, heard.value, f"{heard.method} {heard.path}")
        self.asked.append(f"{heard.method} {heard.path.removeprefix('/api/')}")
        found = self._found(heard)
        immich_api.check(returned, found, f"the answer to {heard.method} {heard.path}")
        return self._json(status, found) if returned is not None else (status, {}, b"")

    def _found(self, heard: Heard) -> Any:
        value = heard.value
        match heard.method, heard.path.partition("?")[0].removeprefix("/api/").split("/"):
            case "GET", ["users", "me"]:
                return self._me()
            case "GET", ["albums"]:
                return [self._album(album) for album in self.albums]
            case "GET", ["people"]:
                assert "page=1&" in heard.path
                known = {"birthDate": None, "isHidden": False, "thumbnailPath": ""}
                shown = [{"id": person, "name": name} | known for person, name in self.people.items()]
                return {"people": shown, "total": len(shown), "hidden": 0, "hasNextPage": False}
            case "POST", ["albums"]:
                return self._album(self.album(value["albumName"]))
            case "POST", ["search", "metadata"]:
                return self._search(value)
            case "POST", ["assets", "bulk-upload-check"]:
                return {"results": [self._check(one) for one in value["assets"]]}
            case "PUT", ["tags"]:
                for name in value["tags"]:
                    self.tags.setdefault(name, str(uuid.uuid4()))
                times = {"createdAt": THEN, "updatedAt": THEN}
                return [{"id": self.tags[name], "value": name, "name": name.rpartition("/")[2]} | times for name in value["tags"]]
            case (("PUT" | "DELETE"), ["tags" | "albums" as kind, number, "assets"]):
                for asset in self._checked(value):
                    there = self.assets[asset].tags if kind == "tags" else self.albums[number][1]
                    (there.add if heard.method == "PUT" else there.discard)(number if kind == "tags" else asset)
                return [{"id": asset, "success": True} for asset in value["ids"]]
            case "DELETE", ["assets"]:
                assert value.get("force") is False
                for asset in self._checked(value):
                    self.assets[asset].trashed = True
                return None
            case "POST", ["trash", "restore", "assets"]:
                for asset in self._checked(value):
                    self.assets[asset].trashed = False
                return {"count": len(value["ids"])}
        raise AssertionError(f"{heard.method} {heard.path} is published, and not made here")

    def _me(self) -> dict[str, Any]:
        texts = dict.fromkeys(["name", "avatarColor", "clusterGroupId", "oauthId", "profileImagePath"], "")
        nothing = dict.fromkeys(["deletedAt", "license", "quotaSizeInBytes", "quotaUsageInBytes", "storageLabel"])
        times = dict.fromkeys(["createdAt", "updatedAt", "profileChangedAt"], THEN)
        flags = {"isAdmin": False, "shouldChangePassword": False, "status": "active"}
        return {"id": SOMEBODY, "email": "me@example.org"} | texts | nothing | times | flags

    def _album(self, album: str) -> dict[str, Any]:
        name, assets = self.albums[album]
        flags = dict.fromkeys(["hasSharedLink", "isActivityEnabled", "shared"], False)
        times = {"createdAt": THEN, "updatedAt": THEN}
        shown = {"id": album, "albumName": name, "assetCount": len(assets), "description": "", "albumUsers": []}
        return shown | {"albumThumbnailAssetId": None} | flags | times

    def _checked(self, value: dict[str, Any]) -> list[str]:
        assert value["ids"], "an empty list is refused"
        return list(value["ids"])

    def _search(self, value: dict[str, Any]) -> dict[str, Any]:
        assert 1 <= value["size"] <= 1000
        inside = [self.albums[album][1] for album in value.get("albumIds", ())]
        fits = [
            asset for asset in self.assets.values()
            if (value.get("withDeleted", False) or not asset.trashed) and asset.archived == (value["visibility"] == "archive")
            and ("trashedAfter" not in value or asset.trashed) and value.get("rating", asset.stars) == asset.stars
            and (not value.get("isFavorite") or asset.favourite) and all(asset.id in album for album in inside)
            and asset.people >= set(value.get("personIds", ()))
        ]  # fmt: skip
        start = (value["page"] - 1) * self.page
        items = [asset.json() for asset in fits[start : start + self.page]]
        following = str(value["page"] + 1) if len(fits) > start + self.page else None
        found = {
            "items": items,
            "nextPage": following,
            "nextCursor": None,
            "total": len(items),
            "count": len(items),
            "facets": [],
        }
        return {"albums": {}, "assets": found}

    def _check(self, one: dict[str, str]) -> dict[str, Any]:
        for asset in self.assets.values():
            if asset.json()["checksum"] == one["checksum"]:
                found = {"action": "reject", "reason": "duplicate", "assetId": asset.id, "isTrashed": asset.trashed}
                return {"id": one["id"]} | found
        return {"id": one["id"], "action": "accept"}

    def _json(self, status: int, value: Any) -> Answer:
        return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode()


@pytest.fixture
def server() -> Iterator[Immich]:
    fake = Immich()
    with http_server() as running:
        running.answer = fake.answer
        fake.url = running.url
        yield fake


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in "abcdef":
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(f"photo {name}".encode())
    return tmp_path / "photos"


def here(root: Path, name: str, make: Any = photo) -> Any:
    path = root / f"{name}.jpg"
    return make(path.name, folder="", root=root, size=path.stat().st_size)


def own(root: Path, server: Immich, **settings: Any) -> Any:
    return output(root.parent / "own", immich, **{"url": server.url, "api_key": KEY, **settings})


def test_favourites_and_what_is_in_albums_are_held_back(root: Path, server: Immich) -> None:
    for name in "abc":
        server.add(f"photo {name}".encode(), favourite=name != "b", archived=name == "c")
    server.album("Italy", server.add(b"photo d"), server.add(b"other"), server.add(b"third"))
    mine = own(root, server)
    why = {name: immich.veto(here(root, name), mine) for name in "abcde"}
    favourite = "it is a favourite in Immich"
    assert why == {"a": favourite, "b": None, "c": favourite, "d": "it is in the album Italy in Immich", "e": None}
    assert len(server.asked) == 1 + 2 + 3, "the server is asked once, not for every photo"
    mine = own(root, server, favourites=False, albums=False)
    assert immich.veto(here(root, "a"), mine) is None


def test_favourites_stars_and_its_trash_are_answers(root: Path, server: Immich, monkeypatch: pytest.MonkeyPatch) -> None:
    facts: dict[str, dict[str, Any]] = {
        "a": {"favourite": True, "archived": True, "stars": 5}, "b": {"stars": 4}, "c": {"stars": 2}, "d": {"trashed": True},
        "e": {"trashed": True, "favourite": True}, "x": {"favourite": True},
    }  # fmt: skip
    for name, more in facts.items():
        server.add(f"photo {name}".encode(), **more)
    heart, stars, gone = (
        Judgement(True, "a favourite in Immich"), Judgement(True, "4 stars in Immich"),
        Judgement(False, "in the trash of Immich"),
    )  # fmt: skip
    mine = own(root, server)
    said = {name: immich.said(here(root, name), mine) for name in "abcdef"}
    assert said == {"a": heart, "b": stars, "c": None, "d": gone, "e": gone, "f": None}
    assert len(server.asked) == 3 + 2 * 3 + 1, "once for all photos, page by page"
    monkeypatch.setattr(immich, "_checksum", lambda path: pytest.fail(f"{path} is read again"))
    assert immich.said(here(root, "a"), own(root, server)) == heart
    off = own(root, server, favourites_answer=False, stars_answer=0, trash_answers=False)
    assert [immich.said(here(root, name), off) for name in "abde"] == [None] * 4


def test_what_we_did_there_is_not_the_owners_word(root: Path, server: Immich) -> None:
    server.add(b"photo a")
    server.add(b"photo b", stars=4)
    mine = own(root, server, trash=True)
    immich.deliver([here(root, "a", suggestion)], mine)
    immich.trashed([here(root, "a")], mine)
    assert immich.said(here(root, "a"), own(root, server)) is None, "approved here, and moved there by us"
    immich.restored([here(root, "a")], mine)
    next(iter(server.assets.values())).trashed = True
    assert immich.said(here(root, "a"), own(root, server)) == Judgement(False, "in the trash of Immich"), "by the owner, later"
    shot = replace(here(root, "b"), companions=("b.jpg.xmp",))
    assert immich.said(shot, own(root, server)) == Judgement(True, "4 stars in Immich")
    xmp.change(root / "b.jpg.xmp", {}, {(packet.XMP, "Rating"): "4"})
    assert immich.said(shot, own(root, server)) is None, "these stars are ours, read there from the sidecar"


def test_people_are_those_named_there(root: Path, server: Immich) -> None:
    anna, nobody = str(uuid.uuid4()), str(uuid.uuid4())
    server.people = {anna: "Anna", nobody: ""}
    for name, who in (("a", {anna}), ("b", {nobody}), ("c", {anna, nobody})):
        server.add(f"photo {name}".encode(), name=f"{name}.jpg", people=frozenset(who), archived=name == "c")
    server.add(b"photo x", name="d.jpg", people=frozenset({anna}))  # the name and size of another
    mine = own(root, server, people=True)
    assert [immich.people(here(root, name), True, mine) for name in "abcd"] == [["Anna"], [], ["Anna"], []]
    assert immich.people(here(root, "d"), False, mine) == ["Anna"], "where many are asked about, no file is read"
    assert len([asked for asked in server.asked if asked.startswith("GET people")]) == 1
    assert immich.people(here(root, "a"), True, own(root, server)) == (), "off, for it needs one more permission"


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("Ids", {"ids": ["no-uuid"]}), ("Ids", {}), ("Ids", {"ids": [SOMEBODY], "more": 1}), ("Delete", {"ids": [], "force": 1}),
        ("Search", {"visibility": "everything"}), ("Search", {"page": "2"}), ("Check", {"id": "a"}), (["Tag"], {}),
    ],
)  # fmt: skip
def test_what_is_not_published_is_told_apart(shape: Any, value: Any) -> None:
    with pytest.raises((AssertionError, ValueError)):
        immich_api.check(shape, value)


def test_a_server_that_cannot_say_holds_everything_back(root: Path, server: Immich, load: Load) -> None:
    plugins = load("immich", immich={"url": server.url, "api_key": "wrong"})
    assert plugins.vetoes({1: here(root, "a")}) == {1: "the plugin immich could not say whether this photo may go"}
    error = next(info.error for info in plugins.names() if info.name == "immich")
    assert error
    assert "401" in error
    assert "wrong" not in error


def test_suggestions_are_tagged_and_untagged(root: Path, server: Immich) -> None:
    there = {name: server.add(f"photo {name}".encode()) for name in "abc"}
    mine = own(root, server, tag="precious/suggested", album="To go")
    immich.deliver([here(root, name, suggestion) for name in "abf"], mine)
    tag, (album,) = server.tags["precious/suggested"], server.albums
    assert {name for name, asset in there.items() if tag in asset.tags} == {"a", "b"}
    assert server.albums[album] == ("To go", {there["a"].id, there["b"].id})
    immich.deliver([here(root, name, suggestion) for name in "bc"], mine)
    assert {name for name, asset in there.items() if tag in asset.tags} == {"b", "c"}
    assert server.albums[album] == ("To go", {there["b"].id, there["c"].id})
    assert immich.veto(here(root, "b"), own(root, server, album="To go")) is None, "our own album protects nothing"
    immich.deliver([], mine)
    assert server.albums[album] == ("To go", set())
    assert immich.status(mine) == "nothing was shown in Immich yet"


def test_nothing_is_written_there_unless_asked_for(root: Path, server: Immich) -> None:
    server.add(b"photo a")
    immich.deliver([here(root, "a", suggestion)], own(root, server))
    immich.trashed([here(root, "a")], own(root, server))
    assert server.asked == []


def test_what_the_owner_approves_goes_to_its_trash_and_comes_back(root: Path, server: Immich) -> None:
    there = {name: server.add(f"photo {name}".encode()) for name in "ab"}
    mine = own(root, server, trash=True)
    gone, stays, unknown = here(root, "a"), here(root, "b"), here(root, "c")
    immich.deliver([here(root, name, suggestion) for name in "abc"], mine)
    gone.path.unlink()  # it is in our own trash by now
    immich.trashed([gone, unknown], mine)
    assert {name: asset.trashed for name, asset in there.items()} == {"a": True, "b": False}
    immich.deliver([here(root, "b", suggestion)], mine)  # a later night no longer knows it
    immich.restored([gone], mine)
    assert not there["a"].trashed
    assert stays.path.exists()


def test_without_the_setting_its_trash_is_not_touched(root: Path, server: Immich) -> None:
    asset = server.add(b"photo a")
    mine = own(root, server, tag="x")
    immich.deliver([here(root, "a", suggestion)], mine)
    immich.trashed([here(root, "a")], mine)
    assert not asset.trashed


def test_the_check_reaches_the_server_with_the_key(root: Path, server: Immich) -> None:
    for url in (server.url, f"{server.url}/", f"{server.url}/api", f"{server.url}/api/"):
        immich.startup(context(root.parent / "own", immich, url=url, api_key=KEY))
    with pytest.raises(NotSent, match="401 Unauthorized"):
        immich.startup(context(root.parent / "own", immich, url=server.url, api_key="wrong"))
    with pytest.raises(ConfigError, match="https"):
        immich.startup(context(root.parent / "own", immich, url="http://photos.example.org", api_key=KEY))
