"""The log: whatever was moved, written elsewhere or sent away, with who wanted it and why. For the owner alone."""

from __future__ import annotations

import asyncio
import posixpath
from dataclasses import dataclass
from datetime import datetime

from aiohttp import hdrs, web

from precious_daemon.disk import deeds
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.language import N_, _, told
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import whole

routes = web.RouteTableDef()

A_PAGE = 60
NAMED = 50  # photos of an entry that the page names; the files have all
KINDS = N_({"moved": "Moved", "written": "Written", "sent": "Sent"})
WHAT = N_(
    {
        "trashed": "Moved to the trash",
        "restored": "Put back",
        "refused": "Not moved",
        "frozen": "Folder frozen",
        "purging": "To be removed for good",
        "purged": "Removed for good",
        "emptied": "Removed for good with another program",
        "wrote": "Written",
        "removed": "Removed",
        "sent": "Sent",
        "not sent": "Did not arrive",
        "handed over": "Handed to a plugin of yours",
    }
)


@dataclass(frozen=True, slots=True)
class Deed:
    """An entry as the page shows it. `facts` are shown as they are."""

    what: str
    where: str
    at: float
    by: str  # who, and through which plugin
    reason: str
    photos: tuple[str, ...]
    count: int
    sent: str
    size: int
    facts: tuple[tuple[str, str], ...]


@routes.get("/log")
async def show(request: web.Request) -> web.Response:
    found, kind, text = await _asked(request)
    return await page(
        request, "log.html", found=[_deed(entry) for _number, entry in found.entries], older=found.older, kind=kind, kinds=KINDS,
        text=text, first="before" not in request.query,
    )  # fmt: skip


@routes.get("/api/log")
async def listing(request: web.Request) -> web.Response:
    """Entries, newest first: `?kind=` moved, written or sent, `&text=` words in them, `&before=` the number that came last."""
    found, _kind, _text = await _asked(request)
    return web.json_response({"entries": [{"number": n, **entry} for n, entry in found.entries], "before": found.older})


@routes.get("/api/log.jsonl")
async def export(request: web.Request) -> web.StreamResponse:
    """All of it as it is kept, oldest first: an object a line."""
    file = request.app[SERVICE].places.audit_log
    response = web.StreamResponse(headers={hdrs.CONTENT_DISPOSITION: 'attachment; filename="precious-log.jsonl"'})
    response.content_type, response.charset = "application/jsonl", "utf-8"
    await response.prepare(request)
    if file.exists():
        with file.open("rb") as log:
            while block := await asyncio.to_thread(log.read, deeds.BLOCK):
                await response.write(block)
    await response.write_eof()
    return response


async def _asked(request: web.Request) -> tuple[deeds.Page, str, str]:
    kind, text, before = (request.query.get(name, "") for name in ("kind", "text", "before"))
    if kind and kind not in KINDS:
        raise BadRequest(f'"kind" has to be one of {words.listed(KINDS)}.')
    number = whole(before, "before") if before else None
    file = request.app[SERVICE].places.audit_log
    return await asyncio.to_thread(deeds.page, file, A_PAGE, number, kind, text[:200]), kind, text[:200]


def _deed(entry: deeds.Entry) -> Deed:
    def fact(name: str) -> str:
        return words.shown(str(entry.get(name, "")))

    path = posixpath.join(fact("root"), fact("path")) if "path" in entry or "root" in entry else fact("to")
    names = entry["photos"] if isinstance(entry.get("photos"), list) else []
    facts = ("trash", "run", "batch", "unit", "suggestion", "blake3")
    return Deed(
        what=_(WHAT.get(entry["action"], str(entry["action"]))),
        where=path.rstrip("/") or path,
        at=_seconds(entry["at"]),
        by=" · ".join(part for part in (fact("who"), fact("plugin")) if part),
        reason=_("; ").join(map(told, fact("reason").split("; "))),
        photos=tuple(words.shown(str(name)) for name in names[:NAMED]),
        count=int(entry.get("count", len(names))),
        sent=words.shown(str(entry.get("sent", ""))) if "\n" not in str(entry.get("sent", "")) else str(entry["sent"]),
        size=int(entry.get("bytes", 0)),
        facts=tuple((name, fact(name)) for name in facts if name in entry),
    )


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
