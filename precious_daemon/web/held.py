"""What was held back from the suggestions, and what spoke for it."""

from __future__ import annotations

from aiohttp import web

from precious_daemon.store import held
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.render import page
from precious_daemon.web.talk import photo_json, whole

routes = web.RouteTableDef()

A_PAGE = 60
FOR_SCRIPTS = 200
MOST_FOR_SCRIPTS = 1000


@routes.get("/suggestions/held")
async def show_held(request: web.Request) -> web.Response:
    store, after = request.app[SERVICE].store, request.query.get("after")
    rows = await store.aread(held.page, request[VOTER], whole(after, "after") if after else -1, A_PAGE)
    return await page(
        request, "held.html", rows=rows, count_all=await store.aread(held.count, request[VOTER]), first=after is None,
        after=rows[-1].place if len(rows) == A_PAGE else None,
    )  # fmt: skip


@routes.get("/api/suggestions/held")
async def list_held(request: web.Request) -> web.Response:
    store = request.app[SERVICE].store
    limit = min(MOST_FOR_SCRIPTS, max(1, whole(request.query.get("limit", str(FOR_SCRIPTS)), "limit")))
    after = whole(request.query.get("after", "-1"), "after")
    rows = await store.aread(held.page, request[VOTER], after, limit)
    shown = [
        {"photo": photo_json(r.photo), "kind": r.kind, "why": words.shown(r.why), "reasons": list(r.reasons), "place": r.place}
        for r in rows
    ]
    count = await store.aread(held.count, request[VOTER])
    return web.json_response({"held": shown, "count": count, "after": rows[-1].place if len(rows) == limit else None})
