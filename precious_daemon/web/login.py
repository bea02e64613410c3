"""Signing in: a link that works once, exchanged for a session cookie."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from aiohttp import hdrs, web

from precious_daemon import people
from precious_daemon.store import sessions
from precious_daemon.web import guard
from precious_daemon.web.keys import ADDRESS, LOGIN, SERVICE, Address
from precious_daemon.web.render import page

routes = web.RouteTableDef()


class LoginKey:
    """The token of the login link. It is only in memory, and the first login uses it up."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._token = secrets.token_urlsafe(32)

    def link(self) -> str:
        """The link that signs in the next browser."""
        return f"{self._address.url}/login?{urlencode({'token': self._token})}"

    def use(self, token: str) -> bool:
        """Whether this is the token; if so, there is a new one from now on."""
        if not secrets.compare_digest(token.encode("utf-8", "surrogateescape"), self._token.encode()):
            return False
        self._token = secrets.token_urlsafe(32)
        return True


@routes.get("/login")
async def show(request: web.Request) -> web.Response:
    """One button that sends the token, since a GET changes nothing: a link preview cannot use the link up."""
    token = request.query.get("token", "")
    if not token and await guard.signed_in(request) is not None:
        return web.Response(status=303, headers={hdrs.LOCATION: "/"})
    return await page(request, "login.html", token=token, refused=False)


@routes.post("/login")
async def enter(request: web.Request) -> web.Response:
    form = await request.post()
    if not request.app[LOGIN].use(str(form.get("token", ""))):
        return await page(request, "login.html", status=403, token="", refused=True)
    service = request.app[SERVICE]
    session, now = secrets.token_urlsafe(32), service.clock()
    await service.store.awrite(sessions.remove_older, now - guard.SESSION_SECONDS)
    await service.store.awrite(
        sessions.add, guard.token_hash(session), people.OWNER, now, request.headers.get(hdrs.USER_AGENT, "")[:300]
    )
    response = web.Response(status=303, headers={hdrs.LOCATION: "/"})
    guard.set_cookie(request, response, session)
    return response


@routes.post("/logout")
async def leave(request: web.Request) -> web.Response:
    name = guard.cookie_name(request.app[ADDRESS])
    await request.app[SERVICE].store.awrite(sessions.remove, guard.token_hash(request.cookies.get(name, "")))
    response = web.Response(status=303, headers={hdrs.LOCATION: "/login", "Clear-Site-Data": '"cache"'})
    response.del_cookie(name, path="/")
    return response
