"""What is running, told to open pages as it changes (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import hdrs, web

from precious_daemon.jobs import WAITING
from precious_daemon.machine.progress import Progress
from precious_daemon.service import Service
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE, STOPPING
from precious_daemon.web.language import N_, _, told

routes = web.RouteTableDef()

EVERY = 1.0
QUIET_TURNS = 15
"""After so many turns without news a comment is sent, so that a listener that has gone is noticed."""


DEEDS = N_(
    {
        "scan": "Looking for changes",
        "ingest": "Reading photos",
        "listen": "Hearing what you said elsewhere",
        "embed": "Looking at photos",
        "group": "Grouping similar photos",
        "learn": "Learning your taste",
        "sort": "Learning your own tasks",
        "rate": "Weighing all comparisons together",
        "suggest": "Making suggestions",
        "night": "The night's work",
    }
)


def deed(job: str) -> str:
    return _(DEEDS[job]) if job in DEEDS else job.capitalize()


def running(service: Service) -> list[dict[str, Any]]:
    now = service.clock()
    return [
        {
            "job": p.job, "what": _what(p), "done": p.done, "total": p.total,
            "words": words.pace(p.done, p.total, now - p.started_at),
        }
        for p in service.jobs.progress()
    ]  # fmt: skip


def _what(p: Progress) -> str:
    return _("{job}: {what}", job=deed(p.job), what=told(p.what)) if p.what == WAITING else told(p.what)


@routes.get("/api/events")
async def events(request: web.Request) -> web.StreamResponse:
    """One `data:` line of JSON at the start and at each change, until the page closes or the service stops."""
    service, stopping = request.app[SERVICE], request.app[STOPPING]
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"})
    await response.prepare(request)
    sent, quiet = "", 0
    while not stopping.is_set():
        news = json.dumps({"running": running(service)})
        quiet += 1
        if news != sent or quiet >= QUIET_TURNS:
            text = f"data: {news}\n\n" if news != sent else ": still here\n\n"
            try:
                await response.write(text.encode())
            except ConnectionError:
                break
            sent, quiet = news, 0
        try:
            await asyncio.wait_for(stopping.wait(), EVERY)
        except TimeoutError:
            continue
    return response
