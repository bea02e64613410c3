"""The plugins, how they are doing, and the pages that they bring along, behind the same guard as every other."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from aiohttp import web
from markupsafe import Markup

from precious_daemon import status
from precious_daemon.errors import NotFound, ServiceError
from precious_daemon.hookspecs import Reply, Request
from precious_daemon.store import plugin_calls
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.render import page
from precious_daemon.web.talk import said_fields

routes = web.RouteTableDef()

CALLS = 50


@routes.get("/plugins")
async def show_plugins(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    calls = await service.store.aread(plugin_calls.newest, CALLS)
    lines = await status.plugin_lines(service)
    return await page(
        request, "plugins.html", plugins=service.plugins.names(), lines=lines, calls=calls, config=service.places.config_file,
        with_pages=service.plugins.having("page"),
    )  # fmt: skip


@routes.get("/api/plugins")
async def list_plugins(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    lines = await status.plugin_lines(service)
    calls = await service.store.aread(plugin_calls.newest, CALLS)
    infos: list[dict[str, Any]] = [
        dataclasses.asdict(info) | {"status": lines.get(info.name)} for info in service.plugins.names()
    ]
    told = [{key: value for key, value in dataclasses.asdict(call).items() if key != "told"} for call in calls]
    return web.json_response({"plugins": infos, "calls": told})


@routes.get("/plugin/{name}/{path:.*}")
async def show_page(request: web.Request) -> web.Response:
    return await _ask(request, {})


@routes.post("/plugin/{name}/{path:.*}")
async def send_form(request: web.Request) -> web.Response:
    return await _ask(request, await said_fields(request))


async def _ask(request: web.Request, form: dict[str, str]) -> web.Response:
    service, name = request.app[SERVICE], request.match_info["name"]
    if name not in service.plugins.having("page"):
        raise NotFound("There is no such page.")
    asked = Request(request.method, request.match_info["path"], dict(request.query), form)
    reply = await asyncio.to_thread(service.plugins.call_one, name, "page", request=asked)
    if reply is None:
        raise NotFound("There is no such page.")
    if not isinstance(reply, Reply):
        raise ServiceError(f"The plugin {name} could not answer. Its error is on the page of plugins.")
    if reply.kind == "text/html" and isinstance(reply.body, str):
        return await page(
            request, "plugin.html", status=reply.status, title=words.shown(reply.title or name), body=Markup(reply.body)
        )
    body = reply.body.encode("utf-8", "replace") if isinstance(reply.body, str) else reply.body
    headers = {"Content-Disposition": "attachment"} if reply.kind in ("text/html", "image/svg+xml") else {}
    return web.Response(body=body, status=reply.status, content_type=reply.kind, headers=headers)
