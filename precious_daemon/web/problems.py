"""Everything that goes wrong becomes one calm sentence: a page for a person, JSON for a script."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from precious_daemon.errors import (
    CountNeeded,
    NotEnoughAnswers,
    NotFound,
    OwnersOnly,
    PreciousError,
    RootError,
    ServiceError,
    SignInRefused,
    TrashRefused,
)
from precious_daemon.web.guard import PICTURES, Handler
from precious_daemon.web.language import N_, told
from precious_daemon.web.render import page

log = logging.getLogger(__name__)

STATUS: dict[type[PreciousError], int] = {
    NotFound: 404,
    NotEnoughAnswers: 409,
    TrashRefused: 409,
    RootError: 409,
    ServiceError: 503,
    OwnersOnly: 403,
    SignInRefused: 403,
}
ABSENT = N_("There is nothing here by that name.")
APOLOGY = N_("Something went wrong here. What you said before is stored; the log has the details.")
FULL = N_("The disk that holds the library is full, so that this was not stored. Make room on it, then say it again.")

NOT_TAKEN = N_("This address does not take that.")


class BadRequest(PreciousError):
    """What was sent cannot be understood."""


@web.middleware
async def calm(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Expected errors keep their sentence; unexpected ones are logged whole and shown as nothing but an apology."""
    try:
        return await handler(request)
    except PreciousError as exc:
        extra = {"count": exc.count} if isinstance(exc, CountNeeded) else {}
        return await _answer(request, _status(exc), str(exc), kind=type(exc).__name__, **extra)
    except web.HTTPNotFound:
        return await _answer(request, 404, ABSENT)
    except web.HTTPMethodNotAllowed as exc:
        response = await _answer(request, 405, NOT_TAKEN)
        response.headers["Allow"] = ", ".join(sorted(exc.allowed_methods))
        return response
    except web.HTTPException as exc:
        return await _answer(request, exc.status, exc.reason)
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode != sqlite3.SQLITE_FULL:
            log.exception("%s %s failed", request.method, request.path)
            return await _answer(request, 500, APOLOGY)
        return await _answer(request, 507, FULL, kind="DatabaseError")
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return await _answer(request, 500, APOLOGY)


def _status(exc: PreciousError) -> int:
    return next((status for kind, status in STATUS.items() if isinstance(exc, kind)), 400)


async def _answer(request: web.Request, status: int, sentence: str, **more: Any) -> web.Response:
    """`more` is for scripts: which error it is, and what its remedy needs."""
    if request.path.startswith((*PICTURES, "/static/")):
        return web.Response(status=status)
    if request.path.startswith("/api/") and not wants_page(request):
        return web.json_response({"error": told(sentence)} | more, status=status)
    try:
        return await page(request, "problem.html", status=status, sentence=told(sentence), status_code=status)
    except Exception:
        log.exception("the page that says so failed, too")
        return web.Response(status=500, text=sentence)


async def form(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """The fields of a form. Raises BadRequest for one that is none, such as parts without what divides them."""
    try:
        return await request.post()
    except (ValueError, AssertionError, LookupError) as exc:  # whatever the parser stumbles over
        raise BadRequest("The form cannot be read. Send it again.") from exc


def wants_page(request: web.Request) -> bool:
    """A form was sent without scripts: the answer is a page, not JSON."""
    return request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data")
