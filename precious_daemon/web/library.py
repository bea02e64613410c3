"""Looking around: the photos, one photo, the ranking with its files in and out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aiohttp import hdrs, web

from precious_daemon.asking import answering, trade
from precious_daemon.models import Group, GroupKind, Photo, PhotoState, Rating, Root, Score, Unit
from precious_daemon.store import Database, answers, files, groups, photos, prompts, ratings, roots, scores, units
from precious_daemon.web import facts, within, words
from precious_daemon.web.facts import Fact
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_, _n
from precious_daemon.web.problems import BadRequest, form, wants_page
from precious_daemon.web.render import page
from precious_daemon.web.talk import keyset, photo_json, reply, said, whole

routes = web.RouteTableDef()

PHOTOS_A_PAGE = 96
RANKS_A_PAGE = 100
APART_SHOWN = 500  # photos with unclear companions that their page lists
SORTS = N_({"best": "Best first", "last": "Last first", "unsure": "Least sure first"})
OUT_SHOWN = 200  # photos out of the ranking that its page lists
FOLDERS_SHOWN = 300  # of each watched folder, to choose a part by
STATES = N_(
    {
        PhotoState.PRESENT: "Present",
        PhotoState.NEW: "Waiting to be read",
        PhotoState.BROKEN: "Cannot be read",
        PhotoState.MISSING: "Missing",
        PhotoState.TRASHED: "In the trash",
        PhotoState.PURGED: "Removed for good",
    }
)
KINDS = N_({
    GroupKind.COPY: "Copies, byte for byte", GroupKind.SAME: "The same picture", GroupKind.BURST: "Frames of one moment",
    GroupKind.EDIT: "Edits, and what they were made of", GroupKind.SERIES: "A set, kept whole", GroupKind.SCENE: "The same view",
})  # fmt: skip


@routes.get("/photos")
async def show_photos(request: web.Request) -> web.Response:
    store = request.app[SERVICE].store
    try:
        state = PhotoState(request.query.get("state", PhotoState.PRESENT))
    except ValueError as exc:
        raise BadRequest(f'"state" has to be one of {words.listed(PhotoState)}.') from exc
    newer = "before" in request.query
    place = keyset(request, "before" if newer else "after")

    def look(db: Database) -> tuple[list[Photo], bool, bool]:
        """The page, and whether there are newer and older ones."""
        # those that wait are on the grid as well: as a tile, until there is a picture
        find = photos.newest if state is PhotoState.PRESENT else partial(photos.page, state=state)
        found = find(db, after=place, limit=PHOTOS_A_PAGE, newer=newer)
        ends = [find(db, after=_place(found[end]), limit=1, newer=end == 0) for end in (0, -1)] if found else [[], []]
        return found, bool(ends[0]), bool(ends[1])

    found, has_newer, has_older = await store.aread(look)
    return await page(
        request, "photos.html", state=state, states=STATES, counts=await store.aread(photos.counts), months=by_month(found),
        newer=_said(found[0]) if has_newer else None, older=_said(found[-1]) if has_older else None, address=str(request.rel_url),
        years=_years(await store.aread(photos.months, state)),
    )  # fmt: skip


def _place(photo: Photo) -> tuple[float, int]:
    return photo.taken_at or 0.0, photo.id


def _said(photo: Photo) -> str:
    at, number = _place(photo)
    return f"{at!r},{number}"


def _years(months: Iterable[datetime]) -> dict[int, list[tuple[str, str]]]:
    """By year: the names of its months, newest first, each with where its photos begin."""
    found: dict[int, list[tuple[str, str]]] = {}
    for month in months:
        following = (month + timedelta(days=31)).replace(day=1)
        found.setdefault(month.year, []).append((words.MONTHS[month.month - 1], f"{following.timestamp()!r},0"))
    return found


@routes.get("/photos/apart")
async def show_apart(request: web.Request) -> web.Response:
    """Photos of which it cannot be told which files are theirs, with the reason."""
    found = await request.app[SERVICE].store.aread(photos.all_ambiguous, APART_SHOWN)
    return await page(request, "apart.html", found=found)


def by_month(found: Iterable[Photo]) -> list[tuple[str, list[Photo]]]:
    """Photos under the month they were taken in, in the order given."""
    months: list[tuple[str, list[Photo]]] = []
    for photo in found:
        month = words.month(photo.taken_at)
        if not months or months[-1][0] != month:
            months.append((month, []))
        months[-1][1].append(photo)
    return months


@dataclass(frozen=True, slots=True)
class Whole:
    """All that is known of one photo."""

    photo: Photo
    root: Root
    facts: list[Fact]
    score: Score | None
    rating: Rating | None
    guess: Rating | None  # the model's
    from_guess: bool  # the rating began with one
    out: bool  # of the ranking
    groups: list[tuple[Group, dict[int, Photo]]]
    newer: Photo | None  # its neighbours on the grid
    older: Photo | None
    unit: Unit | None  # that it is in the trash with


def _whole(db: Database, uid: str, voter_id: int) -> Whole:
    photo = photos.by_uid(db, uid)
    found = groups.of_photo(db, voter_id, photo.id)
    find = photos.newest if photo.state in (PhotoState.PRESENT, PhotoState.NEW) else partial(photos.page, state=photo.state)
    newer, older = (next(iter(find(db, after=_place(photo), limit=1, newer=way)), None) for way in (True, False))
    return Whole(
        photo,
        roots.get(db, photo.root_id),
        facts.of(db, photo),
        scores.of(db, voter_id, [photo.id]).get(photo.id),
        ratings.many(db, voter_id, [photo.id]).get(photo.id),
        ratings.guesses(db, voter_id, [photo.id]).get(photo.id),
        ratings.starts_from_guess(db, voter_id, photo.id),
        answers.out_of_ranking(db, voter_id, photo.id) is not None,
        [(group, photos.many(db, (m.photo_id for m in group.members))) for group in found],
        newer,
        older,
        units.of_photo(db, photo.id) if photo.state is PhotoState.TRASHED else None,
    )


@routes.get("/photo/{uid}")
async def show_photo(request: web.Request) -> web.Response:
    whole_photo = await request.app[SERVICE].store.aread(_whole, request.match_info["uid"], request[VOTER])
    folder = posixpath.dirname(posixpath.join(whole_photo.root.path, whole_photo.photo.path))
    alone = within.Within(folder=folder)
    asked_for = [whole_photo.photo.id] if _may_have_prompt(whole_photo.photo) else []
    prompt = (await trade.prompts_of(request.app[SERVICE], asked_for)).get(whole_photo.photo.id)
    return await page(request, "photo.html", it=whole_photo, prompt=prompt, states=STATES, kinds=KINDS, alone=alone)


def _may_have_prompt(photo: Photo) -> bool:
    """Cameras write none: pictures with a camera's name are not looked into."""
    return photo.state is PhotoState.PRESENT and not photo.camera


# --- ranking -----------------------------------------------------------------------------------------------------------


@routes.get("/ranking")
async def show_ranking(request: web.Request) -> web.Response:
    start = whole(request.query.get("start", "1"), "start")
    store = request.app[SERVICE].store
    part = await store.aread(within.read, request.rel_url.raw_query_string, request[VOTER])
    sort, guessed = request.query.get("sort", "best"), request.query.get("of") == "guesses"
    if sort not in SORTS or (guessed and sort == "unsure"):
        raise BadRequest(f'"sort" has to be one of {words.listed(SORTS)}.')
    wanted = keyset(request), RANKS_A_PAGE, part.scope, sort, guessed
    found, last = await store.aread(ratings.ranking_page, request[VOTER], *wanted)
    chosen = "".join([f"&sort={sort}" if sort != "best" else "", "&of=guesses" if guessed else ""])
    following = None
    if last:
        following = part.part.after(f"/ranking?after={last[0]!r},{last[1]}&start={start + len(found)}{chosen}")
    imported = request.query.get("imported")
    news = None
    if imported is not None:
        news = _n("{n} line taken over.", "{n} lines taken over.", whole(imported))
        if known := whole(request.query.get("known", "0")):
            news += " " + _n("{n} was here already.", "{n} were here already.", known)
        if out := whole(request.query.get("out", "0")):
            news += " " + _n("{n} photo taken out of the ranking.", "{n} photos taken out of the ranking.", out)
        if unknown := whole(request.query.get("unknown", "0")):
            news += " " + _n("{n} name is not in this library.", "{n} names are not in this library.", unknown)
    return await page(
        request, "ranking.html", ranks=list(enumerate(found, start)), following=following, first=start == 1, news=news,
        out=await store.aread(_taken_out, request[VOTER]), within=part.part, sort=sort, guessed=guessed, sorts=SORTS,
        chosen=chosen, folders=await store.aread(_folders),
    )  # fmt: skip


def _folders(db: Database) -> list[str]:
    """Names of some folders that hold photos, to choose from."""
    watched = [root.id for root in roots.all_roots(db) if root.reason != roots.NO_LONGER_WATCHED]
    found = [name for root_id in watched for name in files.folders(db, root_id, limit=FOLDERS_SHOWN)]
    return [name for name in dict.fromkeys(found) if name and name.isprintable()]


def _taken_out(db: Database, voter_id: int) -> list[Photo]:
    """Photos that are there and out of the ranking, the last one taken out first."""
    ids = answers.all_out_of_ranking(db, voter_id)[::-1]
    found = photos.many(db, ids)
    return [found[i] for i in ids if i in found and found[i].state is PhotoState.PRESENT][:OUT_SHOWN]


@routes.post("/api/ranking/out")
async def take_out(request: web.Request) -> web.Response:
    """Ask about these photos in no pair any more. Their votes stay."""
    fields = await said(request)
    uids = fields.chosen()
    done = await answering.take_out(request.app[SERVICE], request[VOTER], uids)
    return reply(request, {"out": done}, f"/photo/{uids[0]}")


@routes.post("/api/ranking/back")
async def bring_back(request: web.Request) -> web.Response:
    """Undo that."""
    fields = await said(request)
    uids = fields.chosen()
    done = await answering.bring_back(request.app[SERVICE], request[VOTER], uids)
    return reply(request, {"back": done}, f"/photo/{uids[0]}")


@routes.get("/api/votes.csv")
async def votes_csv(request: web.Request) -> web.Response:
    return _csv("votes.csv", await trade.export_votes(request.app[SERVICE], request[VOTER]))


@routes.get("/api/ranking.csv")
async def ranking_csv(request: web.Request) -> web.Response:
    return _csv("ranking.csv", await trade.export_ranking(request.app[SERVICE], request[VOTER]))


@routes.get("/api/preferences.jsonl")
async def preferences(request: web.Request) -> web.StreamResponse:
    """Pairs to train a reward model on, {"prompt", "chosen", "rejected"} a line; `?hashes=1` names photos by their content."""
    response = web.StreamResponse(headers={hdrs.CONTENT_DISPOSITION: 'attachment; filename="preferences.jsonl"'})
    response.content_type, response.charset = "application/jsonl", "utf-8"
    await response.prepare(request)
    lines = trade.export_preferences(request.app[SERVICE], request[VOTER], hashes=request.query.get("hashes") == "1")
    async for line in lines:
        await response.write(line.encode("utf-8", "replace"))
    await response.write_eof()
    return response


@routes.get("/highlights")
async def show_highlights(request: web.Request) -> web.Response:
    top, hours = _highlights(request)
    before = _before(request)
    found, older = await trade.best_of_events(request.app[SERVICE], request[VOTER], top, hours * 3600, before)
    return await page(request, "highlights.html", events=found, older=older, first=before is None, top=top, hours=hours)


@routes.get("/api/highlights")
async def list_highlights(request: web.Request) -> web.Response:
    """The best `?top=5` of each event, one after `&hours=6` without a photo, newest first; older ones by `&before=`."""
    top, hours = _highlights(request)
    service = request.app[SERVICE]
    watched = {root.id: root.path for root in await service.store.aread(roots.all_roots)}
    found, older = await trade.best_of_events(service, request[VOTER], top, hours * 3600, _before(request))

    def named(photo: Photo) -> dict[str, Any]:
        file = posixpath.join(words.shown(watched[photo.root_id]), words.shown(photo.path))
        return photo_json(photo) | {"file": file}

    events = [
        {"begins": event.begins, "ends": event.ends, "photos": event.photos, "chosen": [named(photo) for photo in chosen]}
        for event, chosen in found
    ]
    return web.json_response({"events": events, "before": older})


def _before(request: web.Request) -> float | None:
    text = request.query.get("before", "")
    try:
        return float(text) if text else None
    except ValueError:
        raise BadRequest('"before" has to be a time in seconds since 1970.') from None


def _highlights(request: web.Request) -> tuple[int, int]:
    top, hours = whole(request.query.get("top", "5"), "top"), whole(request.query.get("hours", "6"), "hours")
    if not (1 <= top <= 100 and 1 <= hours <= 1000):
        raise BadRequest('"top" has to be from 1 to 100, and "hours" from 1 to 1000.')
    return top, hours


@routes.post("/api/photos/{uid}/prompt")
async def set_prompt(request: web.Request) -> web.Response:
    """What a generated picture was asked for, in the owner's words; it goes along with the preferences."""
    fields, uid = await said(request), request.match_info["uid"]
    prompt, service = fields.text("prompt", longest=100_000).strip(), request.app[SERVICE]
    photo = await service.store.aread(photos.by_uid, uid)
    await service.store.awrite(prompts.put, photo.id, prompt, "owner", service.clock())
    return reply(request, {"prompt": prompt}, f"/photo/{uid}")


def _csv(name: str, text: str) -> web.Response:
    """File names that are not UTF-8 come out as the bytes they are."""
    return web.Response(
        body=text.encode("utf-8", "surrogateescape"), content_type="text/csv", charset="utf-8",
        headers={hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'},
    )  # fmt: skip


@routes.post("/api/votes/import")
async def import_votes(request: web.Request) -> web.Response:
    """One of image-ranker's two files, as the body or as the field `file` of a form."""
    text = (await _uploaded(request)).decode("utf-8-sig", "surrogateescape")
    report = await trade.import_csv(request.app[SERVICE], request[VOTER], text)
    value: dict[str, Any] = {
        "kind": report.kind, "imported": report.imported, "unknown": list(report.unknown), "taken_out": report.taken_out,
        "known": report.known,
    }  # fmt: skip
    back = f"/ranking?imported={report.imported}&unknown={len(report.unknown)}"
    more = {"out": report.taken_out, "known": report.known}
    return reply(request, value, back + "".join(f"&{name}={count}" for name, count in more.items() if count))


async def _uploaded(request: web.Request) -> bytes:
    if not wants_page(request):
        return await request.read()
    field = (await form(request)).get("file")
    if not isinstance(field, web.FileField) or not field.filename:
        raise BadRequest("Choose a CSV file first; nothing was changed.")
    return field.file.read()
