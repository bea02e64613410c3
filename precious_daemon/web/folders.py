"""The watched folders: watch one more, stop watching one, confirm what vanished."""

from __future__ import annotations

import asyncio

from aiohttp import web

from precious_daemon.folders import watched
from precious_daemon.models import Root
from precious_daemon.store import roots
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.talk import reply, said, whole
from precious_daemon.web.words import shown

routes = web.RouteTableDef()


@routes.get("/api/alive")
async def alive(_: web.Request) -> web.Response:
    """Whether the service answers, for whoever has the key."""
    return web.json_response({"alive": True})


@routes.post("/api/roots")
async def add(request: web.Request) -> web.Response:
    fields = await said(request)
    service = request.app[SERVICE]
    root = await asyncio.to_thread(watched.add_root, service.store, fields.text("path", longest=4096), service.clock())
    service.jobs.start("scan")
    return reply(request, _json(root), "/")


@routes.post("/api/roots/{id}/remove")
async def remove(request: web.Request) -> web.Response:
    await said(request)
    service = request.app[SERVICE]
    root = await service.store.aread(roots.get, whole(request.match_info["id"], "id"))
    await service.store.awrite(roots.remove, root.id, service.clock())
    return reply(request, _json(root), "/")


@routes.post("/api/roots/{id}/confirm")
async def confirm(request: web.Request) -> web.Response:
    """The owner has looked: what vanished from a frozen folder is meant to be gone."""
    await said(request)
    root_id = whole(request.match_info["id"], "id")
    await request.app[SERVICE].jobs.arrivals.confirm_root(root_id)
    return reply(request, {"root": root_id, "confirmed": True}, "/")


def _json(root: Root) -> dict[str, object]:
    return {"id": root.id, "path": shown(root.path), "state": root.state}
