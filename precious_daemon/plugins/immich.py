"""Immich: holds back favourites and what is in albums there; on request tags suggestions there, and follows to its trash.

Favourites, stars and what you put into its trash are answers too, from which models learn. It speaks to your own server with an
API key, which needs the permissions asset.read and album.read, and for what is switched on person.read, tag.create, tag.asset,
album.create, albumAsset.create, albumAsset.delete and asset.delete. A photo is known there by the SHA-1 of its bytes, whatever
it is called. Immich's own trash is used, never its deletion: what goes there can be restored.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from precious_daemon.hookspecs import Context, Judgement, Output, PluginPhoto, SuggestedPhoto, hookimpl
from precious_daemon.machine import whole
from precious_daemon.plugins import words, xmp
from precious_daemon.plugins.options import setting
from precious_daemon.plugins.sending import NotSent, Server, checked, recorded, secret

PATIENCE = 3600.0  # suggested photos are read as a whole
A_PAGE = 1000
AT_ONCE = 500  # assets in one request
LONG_AGO = "1970-01-01T00:00:00.000Z"
CHECKSUM_LENGTH = 28  # of a SHA-1 in base64: a line that was cut short is none
CHECKSUMS = "checksums.txt"  # lines of uid, size, time of change, checksum: none is computed twice
LEDGER = "assets.json"  # {"known": {uid: asset id}, "shown": [asset ids that have our tag or are in our album]}


@dataclass(frozen=True, slots=True)
class Settings:
    url: str = setting("", "of the server, like https://photos.example.org: https, or http in your own network")
    api_key: str = setting("", "file:/path and env:NAME say where it is")
    favourites: bool = setting(True, "favourites are held back")
    albums: bool = setting(True, "photos in albums are held back")
    favourites_answer: bool = setting(True, 'a favourite there is an answer, "keep"')
    stars_answer: int = setting(3, 'so many stars there are an answer, "keep"; 0 looks at no stars', 0, 5)
    trash_answers: bool = setting(True, 'what you put into the trash there is an answer, "delete"')
    people: bool = setting(False, "people named there count for suggest.protect_people and suggest.leave_of_person")
    tag: str = setting("", 'suggestions get this tag there, like "precious/suggested"; empty tags none')
    album: str = setting("", "suggestions are put into an album of this name there; empty makes none")
    trash: bool = setting(False, "what you approve goes to the trash there too, and comes back with an undo")
    most: int = setting(1000, "suggestions at most, the surest ones", 1, 100000)


@hookimpl
def startup(context: Context) -> None:
    checked(context.settings.url, name="plugin.immich.url")
    _server(context.settings).ask("GET", "/users/me")


# --- holding back ------------------------------------------------------------------------------------------------------


@hookimpl
def veto(photo: PluginPhoto, context: Context) -> str | None:
    if "by size" not in context.memo:
        context.memo["by size"] = _protected(context.settings)
    same_size: Mapping[str, str] = context.memo["by size"].get(photo.size, {})
    return same_size.get(_remembered(photo, context)) if same_size else None


def _protected(chosen: Settings) -> dict[int, dict[str, str]]:
    """Why assets are held back, by their checksum, under their size: only files of such a size have to be read."""
    server, found = _server(chosen), dict[int, dict[str, str]]()
    asked: list[tuple[dict[str, Any], str]] = [({"isFavorite": True}, "it is a favourite in Immich")] if chosen.favourites else []
    for album in server.ask("GET", "/albums") if chosen.albums else ():
        if album["albumName"] != chosen.album:
            asked.append(({"albumIds": [album["id"]]}, f"it is in the album {album['albumName']} in Immich"))
    for query, why in asked:
        for asset in _search(server, query):
            size = (asset.get("exifInfo") or {}).get("fileSizeInByte")
            if size is not None:
                found.setdefault(size, {}).setdefault(asset["checksum"], why)
    return found


# --- listening ---------------------------------------------------------------------------------------------------------


@hookimpl
def said(photo: PluginPhoto, context: Context) -> Judgement | None:
    if "said" not in context.memo:
        context.memo["said"] = _said(context)
    same_size: Mapping[str, tuple[Judgement, int | None]] = context.memo["said"].get(photo.size, {})
    try:
        judgement, stars = same_size.get(_remembered(photo, context), (None, None)) if same_size else (None, None)
    except FileNotFoundError:
        return None
    return None if stars is not None and stars == xmp.ours(photo, "Rating") else judgement  # read there from our sidecar


def _said(context: Context) -> dict[int, dict[str, tuple[Judgement, int | None]]]:
    """(judgement, stars that it rests on) of assets, by their checksum, under their size."""
    chosen: Settings = context.settings
    server, ours = _server(chosen), set(_gone(context).values())
    found = dict[int, dict[str, tuple[Judgement, int | None]]]()
    asked: list[tuple[dict[str, Any], Judgement, int | None]] = []
    if chosen.favourites_answer:
        asked.append(({"isFavorite": True}, Judgement(True, "a favourite in Immich"), None))
    for stars in range(5, chosen.stars_answer - 1, -1) if chosen.stars_answer else ():
        how = f"{stars} star{'' if stars == 1 else 's'} in Immich"
        asked.append(({"rating": stars}, Judgement(True, how), stars))
    if chosen.trash_answers:
        asked.append(({"withDeleted": True, "trashedAfter": LONG_AGO}, Judgement(False, "in the trash of Immich"), None))
    for query, judgement, rests_on in asked:
        for asset in _search(server, query):
            size = (asset.get("exifInfo") or {}).get("fileSizeInByte")
            if size is not None and asset["isTrashed"] is not judgement.keep and asset["id"] not in ours:
                found.setdefault(size, {}).setdefault(asset["checksum"], (judgement, rests_on))
    return found


# --- what both have to know --------------------------------------------------------------------------------------------


def _search(server: Server, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that fits, archived or not, page by page."""
    for visibility in ("timeline", "archive"):
        page: Any = 1
        while page:
            sent = query | {"visibility": visibility, "withExif": True, "size": A_PAGE, "page": int(page)}
            found = server.ask("POST", "/search/metadata", sent)["assets"]
            yield from found["items"]
            page = found["nextPage"]


@hookimpl
def people(photo: PluginPhoto, closely: bool, context: Context) -> Sequence[str]:
    """By its name and size where many are asked about, and by its bytes where it matters."""
    if not context.settings.people:
        return ()
    if "faces" not in context.memo:
        context.memo["faces"] = _faces(context.settings)
    there: Sequence[tuple[str, str, str]] = context.memo["faces"].get(photo.size, ())
    if closely and there:
        checksum = _checksum(photo.path)
        return sorted({name for name, found, _ in there if found == checksum})
    return sorted({name for name, _, file in there if file == photo.name})


def _faces(chosen: Settings) -> dict[int, list[tuple[str, str, str]]]:
    """(name of somebody, checksum, name of the file) of each asset that they are in, under its size."""
    server, found = _server(chosen), dict[int, list[tuple[str, str, str]]]()
    page, more = 1, True
    while more:
        answer = server.ask("GET", f"/people?page={page}&size={A_PAGE}&withHidden=true")
        for person in answer["people"]:
            for asset in _search(server, {"personIds": [person["id"]]}) if person["name"] else ():
                size = (asset.get("exifInfo") or {}).get("fileSizeInByte")
                if size is not None:
                    found.setdefault(size, []).append((person["name"], asset["checksum"], asset["originalFileName"]))
        page, more = page + 1, bool(answer.get("hasNextPage"))
    return found


# --- showing -----------------------------------------------------------------------------------------------------------


@hookimpl
def deliver(suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    chosen: Settings = output.settings
    if not (chosen.tag or chosen.album or chosen.trash):
        return
    server, ledger = _server(chosen), _ledger(output)
    known = _known_there(server, suggestions[: chosen.most])
    wanted = list(known.values())
    _keep(output, ledger["known"] | known, [*ledger["shown"], *wanted])  # before it is done: none is ever forgotten
    stale = [asset for asset in ledger["shown"] if asset not in set(wanted)]
    shown = [photo for photo in suggestions if photo.uid in known]
    with recorded(output, chosen.url, _deed(chosen, stale), shown):
        _show(server, chosen, wanted, stale)
    _keep(output, known, wanted)


def _deed(chosen: Settings, stale: Sequence[str]) -> str:
    """What is done there, for the owner's log."""
    return json.dumps({"tag": chosen.tag, "album": chosen.album, "no longer": list(stale)})


def _show(server: Server, chosen: Settings, wanted: Sequence[str], stale: Sequence[str]) -> None:
    if chosen.tag:
        (tag,) = server.ask("PUT", "/tags", {"tags": [chosen.tag]})
        _in_parts(server, "DELETE", f"/tags/{tag['id']}/assets", stale)
        _in_parts(server, "PUT", f"/tags/{tag['id']}/assets", wanted)
    if chosen.album:
        album = _album(server, chosen.album)
        _in_parts(server, "DELETE", f"/albums/{album}/assets", stale)
        _in_parts(server, "PUT", f"/albums/{album}/assets", wanted)


def _known_there(server: Server, photos: Sequence[PluginPhoto]) -> dict[str, str]:
    """The ids that photos have there, by uid; photos that are not there are absent."""
    checksums = {}
    for photo in photos:
        try:
            checksums[photo.uid] = _checksum(photo.path)
        except OSError:
            continue  # gone since
    found: dict[str, str] = {}
    rows = [{"id": uid, "checksum": checksum} for uid, checksum in checksums.items()]
    for start in range(0, len(rows), AT_ONCE):
        answer = server.ask("POST", "/assets/bulk-upload-check", {"assets": rows[start : start + AT_ONCE]})
        for one in answer["results"]:
            if one.get("assetId") and not one.get("isTrashed"):
                found[one["id"]] = one["assetId"]
    return found


def _album(server: Server, name: str) -> str:
    for album in server.ask("GET", "/albums"):
        if album["albumName"] == name:
            return str(album["id"])
    about = "What precious-daemon suggests to throw away. Look at it there."
    return str(server.ask("POST", "/albums", {"albumName": name, "description": about})["id"])


def _in_parts(server: Server, method: str, path: str, assets: Sequence[str]) -> None:
    for start in range(0, len(assets), AT_ONCE):
        server.ask(method, path, {"ids": list(assets[start : start + AT_ONCE])})


# --- following ---------------------------------------------------------------------------------------------------------


@hookimpl
def trashed(photos: Sequence[PluginPhoto], context: Context) -> None:
    """The owner approved these: they go to the trash there, where they were known when they were suggested."""
    if ids := _of(photos, context):
        with recorded(context, context.settings.url, json.dumps({"trash": ids}), photos):
            _server(context.settings).ask("DELETE", "/assets", {"ids": ids, "force": False})


@hookimpl
def restored(photos: Sequence[PluginPhoto], context: Context) -> None:
    if ids := _of(photos, context):
        with recorded(context, context.settings.url, json.dumps({"restore": ids}), photos):
            _server(context.settings).ask("POST", "/trash/restore/assets", {"ids": ids})
        back = {photo.uid for photo in photos}
        _write(context.folder / "gone.json", {uid: asset for uid, asset in _gone(context).items() if uid not in back})


def _of(photos: Sequence[PluginPhoto], context: Context) -> list[str]:
    known = _ledger(context)["known"] | _gone(context)
    ids = {photo.uid: known[photo.uid] for photo in photos if photo.uid in known} if context.settings.trash else {}
    if ids:
        _write(context.folder / "gone.json", _gone(context) | ids)  # a later run no longer knows them, an undo has to
    return list(ids.values())


@hookimpl
def status(context: Context) -> str:
    known = len(_ledger(context)["known"])
    return f"{words.photos(known)} of the last suggestions are in Immich" if known else "nothing was shown in Immich yet"


# --- the server and what we know of it ---------------------------------------------------------------------------------


def _server(chosen: Settings) -> Server:
    address = chosen.url.rstrip("/").removesuffix("/api") + "/api"
    return Server(address, {"x-api-key": secret(chosen.api_key, "plugin.immich.api_key")})


def _checksum(path: Path) -> str:
    """As Immich has it: base64 of SHA-1."""
    with open(path, "rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha1").digest()).decode("ascii")


def _remembered(photo: PluginPhoto, context: Context) -> str:
    """The checksum of a photo, computed once for as long as its file stays as it is."""
    if "checksums" not in context.memo:
        context.memo["checksums"] = _checksums(context.folder / CHECKSUMS)
    now = os.stat(photo.path)
    file = f"{photo.uid} {now.st_size} {now.st_mtime_ns}"
    if file not in context.memo["checksums"]:
        context.memo["checksums"][file] = made = _checksum(photo.path)
        with suppress(OSError), open(context.folder / CHECKSUMS, "a", encoding="ascii") as kept:
            kept.write(f"{file} {made}\n")
    return str(context.memo["checksums"][file])


def _checksums(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("ascii", "replace").splitlines()
    except FileNotFoundError:
        return {}
    known = (line.rpartition(" ") for line in lines)
    return {name: checksum for name, _, checksum in known if len(checksum) == CHECKSUM_LENGTH}


def _ledger(context: Context) -> dict[str, Any]:
    return {"known": {}, "shown": []} | _read(context.folder / LEDGER)


def _keep(context: Context, known: Mapping[str, str], shown: Sequence[str]) -> None:
    _write(context.folder / LEDGER, {"known": dict(known), "shown": list(dict.fromkeys(shown))})


def _gone(context: Context) -> dict[str, str]:
    return _read(context.folder / "gone.json")


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValueError as exc:
        raise NotSent(f"{file} is damaged. Remove it; what is tagged in Immich then stays so.") from exc


def _write(file: Path, value: Mapping[str, Any]) -> None:
    whole.write(file, json.dumps(value))
