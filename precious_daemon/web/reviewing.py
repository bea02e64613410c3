"""Suggestions and the trash: what might go, what went, and the way back."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from precious_daemon.config import AskSettings
from precious_daemon.models import Certificate, Photo, Root, SuggestionState, Unit, UnitState
from precious_daemon.service import Service
from precious_daemon.store import Database, held, photos, pictures, roots, suggestions, units, voters
from precious_daemon.store.suggestions import SuggestionRow
from precious_daemon.suggesting import review, verdict
from precious_daemon.trash import Outcome
from precious_daemon.web import language, words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import _, _n
from precious_daemon.web.render import page
from precious_daemon.web.talk import keyset, photo_json, reply, said, whole

routes = web.RouteTableDef()

A_PAGE = 48
MEASURES = ("sharpness", "brightness", "contrast")
UNITS_A_PAGE = 60
UNITS_FOR_SCRIPTS = 200
LATELY = 30 * 86400.0  # seconds for which the page says what was removed with other programs
JUST_NOW = 15 * 60
"""Seconds after a move in which the page still offers to undo it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A suggestion as the page shows it: with what stays in its place and where, what it would free, and what speaks for it."""

    row: SuggestionRow
    keeper: Photo | None
    keeper_place: str | None
    size: int
    deleted_alike: list[Photo]
    kept_alike: list[Photo]
    measures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Listing:
    candidates: list[Candidate]
    certified: int
    open: int
    open_bytes: int
    certificate: Certificate | None
    sentence: str
    needed: int | None
    names: dict[int, str]  # of everybody else
    of_groups: list[dict[str, Any]]  # the verdict on each kind of group that is suggested

    @property
    def any_certified(self) -> bool:
        """Whether something of this page may be approved in bulk."""
        return any(candidate.row.suggestion.certified for candidate in self.candidates)

    @property
    def after(self) -> str | None:
        if len(self.candidates) < A_PAGE:
            return None
        last = self.candidates[-1].row
        return f"{last.place},{last.id}"


def _listing(
    db: Database, voter_id: int, asking: AskSettings, after: tuple[float, int] | None, shared: bool, certified: bool
) -> Listing:
    """The open suggestions of one voter, or with `shared` those of everybody; of those `certified` alone."""
    rows = suggestions.page(db, None if shared else voter_id, after=after, limit=A_PAGE, certified=certified)
    keepers = photos.many(db, (r.suggestion.keeper_id for r in rows if r.suggestion.keeper_id is not None))
    sizes = photos.sizes(db, [r.photo.id for r in rows])
    folders = {root.id: root.path for root in roots.all_roots(db)}
    alike = photos.many(
        db, {photo for r in rows for side in ("deleted", "kept") for photo in r.suggestion.evidence.get(side, ())}
    )
    measured = pictures.qualities(db, {r.photo.content_hash for r in rows if r.photo.content_hash})

    def shown(row: SuggestionRow) -> Candidate:
        keeper = keepers.get(row.suggestion.keeper_id or 0)
        quality = measured.get(row.photo.content_hash or b"")
        deleted, kept = ([alike[i] for i in row.suggestion.evidence.get(side, ()) if i in alike] for side in ("deleted", "kept"))
        place = posixpath.join(folders[keeper.root_id], keeper.path) if keeper else None
        measures = {name: float(getattr(quality, name)) for name in MEASURES} if quality else {}
        return Candidate(row, keeper, place, sizes.get(row.photo.id, 0), deleted, kept, measures)

    found = [shown(row) for row in rows]
    count, size = suggestions.counts(db, voter_id)[SuggestionState.OPEN], suggestions.open_bytes(db, voter_id)
    if shared:
        count, size = suggestions.everybodys(db)
    names = {voter.id: voter.name for voter in voters.everybody(db) if voter.id != voter_id}
    of_taste, of_groups = verdict.of_taste(db, voter_id, asking), verdict.of_groups(db, voter_id)
    promised = of_taste[0] is not None or any(one["certified"] for one in of_groups)
    sure = suggestions.certified(db, voter_id) if promised else 0
    return Listing(found, sure, count, size, *of_taste, names, of_groups)


def _shared(request: web.Request) -> bool:
    """`?whose=all`: what is suggested to anybody."""
    return request.query.get("whose") == "all"


def _certified(request: web.Request) -> bool:
    """`?only=certified`: what may be approved all at once."""
    return request.query.get("only") == "certified"


async def _asked_for(request: web.Request) -> Listing:
    service = request.app[SERVICE]
    return await service.store.aread(
        _listing, request[VOTER], service.settings.ask, keyset(request), _shared(request), _certified(request)
    )


@routes.get("/suggestions")
async def show_suggestions(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    listing, shared, only = await _asked_for(request), _shared(request), _certified(request)
    query = {name: value for name, value in (("whose", "all" if shared else ""), ("only", "certified" if only else "")) if value}
    return await page(
        request, "suggestions.html", listing=listing, shared=shared, only=only, query=query, first="after" not in request.query,
        last_moved=await _last_moved(request),
        held=await service.store.aread(held.count, request[VOTER]),
        batch=service.settings.trash.batch,
    )  # fmt: skip


async def _last_moved(request: web.Request) -> list[Unit]:
    """The newest batch in the trash, while it is fresh."""
    service = request.app[SERVICE]
    newest = await service.trash.listing(1)
    if not newest or service.clock() - newest[0].changed_at > JUST_NOW:
        return []
    return [unit for unit in await service.trash.listing(UNITS_A_PAGE) if unit.batch == newest[0].batch]


@routes.get("/api/suggestions")
async def list_suggestions(request: web.Request) -> web.Response:
    listing = await _asked_for(request)
    return web.json_response(
        {
            "suggestions": [
                {
                    "uid": c.row.uid, "photo": photo_json(c.row.photo), "kind": c.row.suggestion.kind,
                    "keep": c.row.suggestion.keep, "certified": c.row.suggestion.certified,
                    "reasons": list(c.row.suggestion.reasons), "bytes": c.size,
                    "voter": listing.names.get(c.row.voter_id),
                    "keeper": photo_json(c.keeper) if c.keeper else None,
                    "keeper_place": words.shown(c.keeper_place) if c.keeper_place else None,
                    "evidence": {
                        "deleted": [photo_json(photo) for photo in c.deleted_alike],
                        "kept": [photo_json(photo) for photo in c.kept_alike],
                        "measures": c.measures,
                    },
                }
                for c in listing.candidates
            ],
            "open": listing.open, "bytes": listing.open_bytes, "after": listing.after,
            "certificate": {
                "certified": listing.certificate is not None, "sentence": listing.sentence, "needed": listing.needed
            },
            "group_certificates": listing.of_groups,
        }
    )  # fmt: skip


@routes.post("/api/suggestions/approve")
async def approve(request: web.Request) -> web.Response:
    """Move to the trash what the owner names. More than the cap only with the number typed; `dry_run` only looks."""
    fields, service = await said(request), request.app[SERVICE]
    uids, typed_count = fields.chosen(), fields.number("typed_count")
    if fields.flag("dry_run"):
        messages = await _rehearsed(service, request[VOTER], uids)
        return web.json_response({"moved": [], "refused": [], "sentence": "\n".join([_("Nothing was moved."), *messages])})
    outcomes = await review.approve_and_apply(service, request[VOTER], uids, typed_count)
    return await told(request, outcomes, "/suggestions")


async def _rehearsed(service: Service, voter_id: int, uids: list[str]) -> list[str]:
    """What an approval would do to each, in words: every check is made, and the suggestions stay open."""
    await review.check_wishes(service, voter_id, uids, hold=False)
    batch = await service.trash.approve(voter_id, uids)
    try:
        return [words.shown(language.told(o.message)) for o in await service.trash.apply(batch, dry_run=True)]
    finally:
        await service.trash.cancel(batch, "It was only a rehearsal.")


@routes.post("/api/suggestions/dismiss")
async def dismiss(request: web.Request) -> web.Response:
    fields = await said(request)
    dismissed = await review.dismiss(request.app[SERVICE], request[VOTER], fields.chosen())
    return reply(request, {"dismissed": dismissed}, "/suggestions")


@routes.post("/api/suggestions/reopen")
async def reopen(request: web.Request) -> web.Response:
    """Undo a dismissal: the suggestion is open again, and its "keep" is taken back."""
    fields = await said(request)
    service = request.app[SERVICE]
    reopened = await service.store.awrite(suggestions.reopen, request[VOTER], fields.chosen(), service.clock())
    return reply(request, {"reopened": reopened}, "/suggestions")


async def told(
    request: web.Request, outcomes: Sequence[Outcome], back: str, deed: Callable[[int], str] | None = None, **more: Any
) -> web.Response:
    """What became of each unit, with `more` for scripts. Without these, a page says so where anything was refused."""
    refused = [outcome for outcome in outcomes if not outcome.moved]
    sentence = _sentence(len(outcomes) - len(refused), len(refused), deed or (_put_back if back == "/trash" else _let_go))
    beside = [o for o in outcomes if o.moved and o.unit.state is UnitState.DONE and not o.unit.place]
    if beside and "trash" in request.app[SERVICE].settings.plugins.enabled:
        sentence += " " + _n(
            "{n} went to the trash of its folder, for the one of your desktop cannot be used there.",
            "{n} went to the trash of their folder, for the one of your desktop cannot be used there.", len(beside),
        )  # fmt: skip
    value = {
        "moved": [o.unit.uid for o in outcomes if o.moved],
        "refused": [{"unit": o.unit.uid, "message": language.told(o.message)} for o in refused],
        "sentence": sentence,
    } | more
    response = reply(request, value, back)
    if refused and response.status == 303:
        return await page(request, "outcomes.html", sentence=sentence, refused=refused, back=back)
    return response


def _sentence(done: int, refused: int, deed: Callable[[int], str]) -> str:
    if not done:
        return _("Nothing was moved.")
    return deed(done) + (" " + _n("{n} photo could not be.", "{n} photos could not be.", refused) if refused else "")


def _let_go(photos: int) -> str:
    return _n("{n} photo is in the trash.", "{n} photos are in the trash.", photos)


def _put_back(photos: int) -> str:
    return _n("{n} photo is back in its place.", "{n} photos are back in their places.", photos)


# --- trash -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Thrown:
    """A unit in the trash with its photo, the folder it was in, and its bytes."""

    unit: Unit
    photo: Photo
    root: Root
    size: int


def _thrown(db: Database, found: list[Unit]) -> list[Thrown]:
    known = photos.many(db, (unit.photo_id for unit in found))
    folders = {root.id: root for root in roots.all_roots(db)}
    return [Thrown(u, known[u.photo_id], folders[u.root_id], sum(f.stamp.size for f in u.files)) for u in found]


async def _trash(request: web.Request, limit: int) -> list[Thrown]:
    service, after = request.app[SERVICE], request.query.get("after")
    found = await service.trash.listing(limit, whole(after, "after") if after else None)
    return await service.store.aread(_thrown, found)


@routes.get("/trash")
async def show_trash(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    thrown = await _trash(request, UNITS_A_PAGE)
    older = thrown[-1].unit.id if len(thrown) == UNITS_A_PAGE else None
    ripe = await service.trash.ripe()
    count, size = await service.store.aread(units.totals)
    emptied = await service.store.aread(units.emptied_since, service.clock() - LATELY)
    return await page(
        request, "trash.html", emptied=emptied, thrown=thrown, older=older, first="after" not in request.query,
        count=count, size=size,
        ripe=len(ripe), ripe_size=sum(f.stamp.size for unit in ripe for f in unit.files), days=service.settings.trash.purge_days,
    )  # fmt: skip


@routes.get("/api/trash")
async def list_trash(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "units": [
                {
                    "uid": t.unit.uid, "id": t.unit.id, "batch": t.unit.batch, "photo": photo_json(t.photo),
                    "at": t.unit.changed_at,
                    "reason": t.unit.reason, "root": words.shown(t.root.path), "path": words.shown(t.photo.path), "bytes": t.size,
                    "trash": t.unit.place and words.shown(t.unit.place),
                }
                for t in await _trash(request, UNITS_FOR_SCRIPTS)
            ]
        }
    )  # fmt: skip


@routes.post("/api/trash/purge")
async def purge(request: web.Request) -> web.Response:
    """Remove for good what has been in the trash long enough, with the number of photos typed; `dry_run` only looks."""
    fields, service = await said(request), request.app[SERVICE]
    typed_count = fields.number("typed_count")
    if fields.flag("dry_run"):
        outcomes = await service.trash.purge(dry_run=True)
        messages = [words.shown(language.told(outcome.message)) for outcome in outcomes]
        return web.json_response({"moved": [], "refused": [], "sentence": "\n".join([_("Nothing was removed."), *messages])})
    outcomes = await service.trash.purge(typed_count, by=request[VOTER])
    gone = words.size(sum(f.stamp.size for outcome in outcomes if outcome.moved for f in outcome.unit.files))

    def removed(photos: int) -> str:
        return _n(
            "{n} photo is removed for good, and {size} are free again.",
            "{n} photos are removed for good, and {size} are free again.", photos, size=gone,
        )  # fmt: skip

    return await told(request, outcomes, "/trash", removed)


@routes.post("/api/trash/restore")
async def restore(request: web.Request) -> web.Response:
    """Put photos back in their places; the page of that `photo` is shown then, or else the trash."""
    fields = await said(request)
    outcomes = await review.undo(request.app[SERVICE], request[VOTER], fields.chosen())
    return await told(request, outcomes, _page_of(fields.text("photo", "")) or "/trash", _put_back)


@routes.post("/api/photos/trash")
async def let_go(request: web.Request) -> web.Response:
    """Move photos to the trash that the owner chose, suggested or not. More than the cap only with the number typed."""
    fields = await said(request)
    uids = fields.chosen()
    outcomes = await review.let_go(request.app[SERVICE], request[VOTER], uids, fields.number("typed_count"))
    return await told(request, outcomes, _page_of(uids[0]) if len(uids) == 1 else "/photos", _let_go)


def _page_of(photo_uid: str) -> str:
    return f"/photo/{photo_uid}" if re.fullmatch("[0-9a-f]{32}", photo_uid) else ""
