"""The page of blind questions about groups. Which of two photos would go is not on it, and not to be had from it."""

from __future__ import annotations

import posixpath
import secrets
from typing import Any

from aiohttp import web

from precious_daemon.asking import blind
from precious_daemon.asking.blind import Asked
from precious_daemon.models import Choice
from precious_daemon.pure import certify
from precious_daemon.store import roots, scores
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import MOST, photo_json, reply, said

routes = web.RouteTableDef()


@routes.get("/blind")
async def show(request: web.Request) -> web.Response:
    """Two photos of one group: of `?kind=copy|same|burst`, or of the kind that fewest answers are missing for."""
    kind, store = _kind(request), request.app[SERVICE].store
    asked = await blind.next_question(request.app[SERVICE], request[VOTER], kind)
    sentence = (await store.aread(scores.certificate, request[VOTER], kind))[1] if kind and asked is None else ""
    folders = {root.id: root.path for root in await store.aread(roots.all_roots)}
    places = [posixpath.join(folders[photo.root_id], photo.path) for photo in asked.photos] if asked else []
    return await page(
        request, "blind.html", asked=asked, kind=kind, places=places, sentence=sentence, request_name=secrets.token_hex(16)
    )


@routes.get("/api/blind")
async def question(request: web.Request) -> web.Response:
    """The next two photos, without those of `&exclude=UID,UID`; null where no more answers are of use."""
    exclude = [uid for uid in request.query.get("exclude", "").split(",") if uid]
    if len(exclude) > MOST:
        raise BadRequest(f'"exclude" may hold at most {MOST} photos.')
    asked = await blind.next_question(request.app[SERVICE], request[VOTER], _kind(request), exclude)
    return web.json_response({"next": _json(asked)})


@routes.post("/api/blind")
async def answer(request: web.Request) -> web.Response:
    """Say of two `photos` which is enough: `choice` first, second, draw (either), both_keep, both_delete or skip."""
    fields, service = await said(request), request.app[SERVICE]
    try:
        choice = Choice(fields.text("choice"))
    except ValueError as exc:
        raise BadRequest('"choice" has to be first, second, draw, both_keep, both_delete or skip.') from exc
    name, kind = fields.text("request", "") or None, fields.text("kind", "")
    stored = await blind.answer(service, request[VOTER], choice, fields.names("photos"), name)
    following = await blind.next_question(service, request[VOTER], kind or None)
    return reply(request, {"answer": stored.id, "next": _json(following)}, f"/blind?kind={kind}" if kind else "/blind")


@routes.post("/api/blind/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back the newest of these answers; it is asked again in its turn."""
    kind = (await said(request)).text("kind", "")
    undone = await blind.take_back(request.app[SERVICE], request[VOTER])
    value = {"answer": undone.answer.id, "photos": [photo_json(photo) for photo in undone.photos]}
    return reply(request, value, f"/blind?kind={kind}" if kind else "/blind")


def _kind(request: web.Request) -> str | None:
    kind = request.query.get("kind", "")
    if kind and (kind not in certify.SUBJECTS or kind == certify.TASTE):
        raise BadRequest('"kind" has to be copy, same or burst.')
    return kind or None


def _json(asked: Asked | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    return {"kind": asked.kind, "needed": asked.needed, "photos": [photo_json(photo) for photo in asked.photos]}
