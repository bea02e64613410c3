"""The language of an answer: what the browser was switched to, else what the settings say, else what the browser asks for."""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from precious_daemon.web import language
from precious_daemon.web.guard import Handler
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.talk import reply, said

routes = web.RouteTableDef()

COOKIE = "precious-language"
YEAR = 365 * 86400
_PAGE = re.compile(r"/[\w./-]*")


@web.middleware
async def speak(request: web.Request, handler: Handler) -> web.StreamResponse:
    language.speak(_wanted(request))
    return await handler(request)


def _wanted(request: web.Request) -> str:
    """A program that shows a key gets what it asks for itself: the command line speaks English."""
    asked = language.preferred(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
    if hdrs.AUTHORIZATION in request.headers:
        return asked
    chosen = (request.cookies.get(COOKIE), request.app[SERVICE].settings.web.language)
    return next((tag for tag in chosen if tag in language.LANGUAGES), asked)


@routes.post("/api/language")
async def switch(request: web.Request) -> web.Response:
    """Speak `language` (en, zh-CN) in this browser from now on."""
    fields = await said(request)
    tag, back = fields.text("language"), fields.text("back", "/")
    if tag not in language.LANGUAGES:
        raise BadRequest(f'"language" has to be one of {", ".join(language.LANGUAGES)}.')
    response = reply(request, {"language": tag}, back if _PAGE.fullmatch(back) and not back.startswith("//") else "/")
    response.set_cookie(COOKIE, tag, max_age=YEAR, httponly=True, samesite="Strict", path="/")
    return response
