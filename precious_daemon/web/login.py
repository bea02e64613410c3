"""Signing in: a link that works once, or a name and password, exchanged for a session cookie."""

from __future__ import annotations

import math
import secrets
from typing import Any
from urllib.parse import urlencode

from aiohttp import hdrs, web

from precious_daemon.errors import SignInRefused
from precious_daemon.store import Database, passwords, sessions
from precious_daemon.suggesting import people
from precious_daemon.web import guard
from precious_daemon.web.keys import DOOR, LOGIN, SERVICE, Address
from precious_daemon.web.language import N_
from precious_daemon.web.passwords import LONGEST
from precious_daemon.web.problems import form
from precious_daemon.web.render import page

routes = web.RouteTableDef()

USED = N_("This link was used before: each works once.")
UNTYPED = N_("Type your password.")


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
    token, name = request.query.get("token", ""), request.query.get("name", "")
    if not (token or name) and await guard.signed_in(request) is not None:
        return web.Response(status=303, headers={hdrs.LOCATION: "/"})
    return await _page(request, token=token, name=name)


async def _page(request: web.Request, status: int = 200, **more: Any) -> web.Response:
    """The page, with fields for name and password where some profile has one."""
    asks = bool(await request.app[SERVICE].store.aread(passwords.have))
    return await page(request, "login.html", status, **{"token": "", "name": "", "asks": asks, "refused": ""} | more)


@routes.post("/login")
async def enter(request: web.Request) -> web.Response:
    """By the link's token, or by name and password."""
    fields = await form(request)
    token, name, password = (str(fields.get(field, "")) for field in ("token", "name", "password"))
    if password:
        try:
            voter_id = await request.app[DOOR].knock(name[:LONGEST], password, guard.asks_from(request))
        except SignInRefused as exc:
            response = await _page(request, 429 if exc.wait else 403, name=name, refused=str(exc))
            if exc.wait:
                response.headers[hdrs.RETRY_AFTER] = str(math.ceil(exc.wait))
            return response
    elif token and request.app[LOGIN].use(token):
        voter_id = people.OWNER
    else:
        why = USED if token else UNTYPED
        return await _page(request, 403, name=name, refused=why)
    return await _enter(request, voter_id)


async def _enter(request: web.Request, voter_id: int) -> web.Response:
    """A new session; the one that this browser had ends."""
    service, before = request.app[SERVICE], request.cookies.get(guard.cookie_name(request), "")
    session, now = secrets.token_urlsafe(32), service.clock()
    browser, address = request.headers.get(hdrs.USER_AGENT, "")[:300], guard.asks_from(request)[:60]

    def store(db: Database) -> None:
        sessions.remove_older(db, now - guard.SESSION_SECONDS)
        sessions.remove(db, guard.token_hash(before))
        sessions.add(db, guard.token_hash(session), voter_id, now, browser, address)

    await service.store.awrite(store)
    response = web.Response(status=303, headers={hdrs.LOCATION: "/"})
    guard.set_cookie(request, response, session)
    return response


@routes.post("/logout")
async def leave(request: web.Request) -> web.Response:
    name = guard.cookie_name(request)
    await request.app[SERVICE].store.awrite(sessions.remove, guard.token_hash(request.cookies.get(name, "")))
    response = web.Response(status=303, headers={hdrs.LOCATION: "/login", "Clear-Site-Data": '"cache"'})
    response.del_cookie(name, path="/", secure=name.startswith("__Host-"))
    return response
