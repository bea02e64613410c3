"""The first start: which folders, and for whoever cares, when to work and how careful. Then the first photos are read."""

from __future__ import annotations

import asyncio

from aiohttp import web

from precious_daemon import reload, settings_file
from precious_daemon.errors import RootError
from precious_daemon.folders import usual, watched
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.problems import BadRequest, wants_page
from precious_daemon.web.render import page
from precious_daemon.web.talk import reply, said
from precious_daemon.web.words import listed, shown

routes = web.RouteTableDef()


async def welcome(request: web.Request, **again: str) -> web.Response:
    """The questions. `again` is what was typed, and why it was `refused`: nobody has to begin anew for one wrong name."""
    places = await asyncio.to_thread(usual.propose)
    asked = {"night": request.app[SERVICE].settings.schedule.night, "care": "usual", "path": "", "refused": ""} | again
    return await page(request, "first.html", status=409 if asked["refused"] else 200, places=places, **asked)


@routes.post("/api/setup")
async def set_up(request: web.Request) -> web.Response:
    """Watch `folders`, work at `night` (HH:MM), be `care`ful: very, usual or little. What is not sent stays as it is."""
    fields = await said(request)
    service = request.app[SERVICE]
    care, night = fields.text("care", ""), fields.text("night", "")
    folders = [path for path in (*fields.some("folders"), fields.text("path", "", longest=4096)) if path.strip()]
    if care and care not in usual.CARE:
        raise BadRequest(f'"care" has to be one of {listed(usual.CARE)}.')
    changes = ({"schedule.night": night} if night else {}) | ({"certify.alpha": str(usual.CARE[care])} if care else {})
    if changes:
        await asyncio.to_thread(settings_file.save, service.places.config_file, changes)
        await reload.reload(service)
    try:
        for folder in folders:
            await asyncio.to_thread(watched.add_root, service.store, folder, service.clock())
    except RootError as exc:
        if not wants_page(request):
            raise
        return await welcome(request, refused=str(exc), path=folder, **{"care": care} if care else {})
    if folders:
        service.jobs.start("scan")
    return reply(request, {"folders": [shown(folder) for folder in folders], "settings": changes}, "/")
