"""Who else may come in: browsers that are signed in, and keys for scripts, each with a scope. Listed, made, ended."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass

from aiohttp import hdrs, web

from precious_daemon import passwords, people
from precious_daemon.models import Token
from precious_daemon.service import Service
from precious_daemon.store import passwords as stored
from precious_daemon.store import sessions, tokens, voters
from precious_daemon.web import guard, scopes
from precious_daemon.web.keys import DOOR, SERVICE, SESSION, VOTER
from precious_daemon.web.language import _
from precious_daemon.web.problems import BadRequest, wants_page
from precious_daemon.web.talk import reply, said, whole
from precious_daemon.web.words import shown

routes = web.RouteTableDef()

_NAME = re.compile(r"[\w .@-]{1,60}")
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")  # in this order: each of the later ones is also named by those before
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
_KNOWN_AS = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser as its owner knows it."""

    id: int
    browser: str
    created_at: float
    seen_at: float
    this: bool
    voter: str
    address: str  # empty: this machine


async def sessions_of(request: web.Request) -> list[SignedIn]:
    """Those that whoever asks may end: all of them for the first profile, and for another its own."""
    service = request.app[SERVICE]
    found = await service.store.aread(sessions.all_sessions, service.clock() - guard.SESSION_SECONDS, _whose(request))
    own = _this(request)
    return [
        SignedIn(s.id, browser_name(s.browser), s.created_at, s.seen_at, s.token_hash == own, s.voter, _from(s.address))
        for s in found
    ]


def _this(request: web.Request) -> bytes:
    return guard.token_hash(request[SESSION][0]) if SESSION in request else b""


def _whose(request: web.Request) -> int | None:
    return None if request[VOTER] == people.OWNER else request[VOTER]


def _from(address: str) -> str:
    return "" if address in ("127.0.0.1", "::1") else shown(address)


def browser_name(agent: str) -> str:
    """`Firefox on Linux`, from what a browser calls itself."""
    browser = next((name for name in _BROWSERS if name in agent), "")
    system = next((name for name in _SYSTEMS if name in agent), "")
    if not browser:
        return shown(agent[:60]) or _("an unknown browser")
    known = _KNOWN_AS.get(browser, browser)
    return _("{browser} on {system}", browser=known, system=_KNOWN_AS.get(system, system)) if system else known


async def tokens_of(service: Service) -> list[Token]:
    return await service.store.aread(tokens.all_tokens)


@routes.get("/api/sessions")
async def list_sessions(request: web.Request) -> web.Response:
    """The browsers that are signed in."""
    return web.json_response({"sessions": [asdict(session) for session in await sessions_of(request)]})


@routes.post("/api/sessions/{id}/end")
async def end_session(request: web.Request) -> web.Response:
    """Sign a browser out."""
    await said(request)
    await request.app[SERVICE].store.awrite(sessions.remove_by_id, whole(request.match_info["id"], "id"), _whose(request))
    return reply(request, {"ended": True}, "/people#browsers" if _whose(request) else "/settings#access")


@routes.post("/api/password")
async def change_password(request: web.Request) -> web.Response:
    """Give this profile the password `password`; an empty one takes it away. A browser shows the `current` one, if there is one.

    Other browsers of the profile are signed out.
    """
    service, voter_id, fields = request.app[SERVICE], request[VOTER], await said(request)
    new, current = fields.text("password", longest=passwords.LONGEST + 1), fields.text("current", "", passwords.LONGEST + 1)
    if fields.text("again", new, passwords.LONGEST + 1) != new:
        raise BadRequest("The two new passwords are not the same. Nothing was changed.")
    if SESSION in request and await service.store.aread(stored.is_set, voter_id):
        voter = await service.store.aread(voters.get, voter_id)
        await request.app[DOOR].knock(voter.name, current, guard.asks_from(request))
    if new:
        await passwords.change(service, voter_id, new, keep=_this(request))
    else:
        await passwords.remove(service, voter_id)
    return reply(request, {"password": bool(new)}, "/people?changed#password")


@routes.get("/api/tokens")
async def list_tokens(request: web.Request) -> web.Response:
    """The keys for scripts: name, scope, when each was made and last used. The keys themselves are not kept."""
    return web.json_response({"tokens": [asdict(token) for token in await tokens_of(request.app[SERVICE])]})


@routes.post("/api/tokens")
async def make_token(request: web.Request) -> web.Response:
    """Make a key of a `scope` (read, vote, review) for a script of this `name`. It is shown this once."""
    fields = await said(request)
    name, scope = fields.text("name").strip(), fields.text("scope", "read")
    if not _NAME.fullmatch(name):
        raise BadRequest("A name has letters, digits, spaces or . @ - in it, at most 60.")
    if scope not in scopes.SCOPES:
        raise BadRequest(f'"scope" has to be one of {", ".join(scopes.SCOPES)}.')
    service, key = request.app[SERVICE], scopes.PREFIX + secrets.token_urlsafe(32)
    token = await service.store.awrite(tokens.add, name, guard.token_hash(key), scope, request[VOTER], service.clock())
    if wants_page(request):
        from precious_daemon.web.settings import show_page  # here: that page shows what is kept here

        return await show_page(request, token=(token, key))
    return web.json_response({"token": key, "name": token.name, "scope": token.scope}, headers={hdrs.CACHE_CONTROL: "no-store"})


@routes.post("/api/tokens/{name}/revoke")
async def revoke_token(request: web.Request) -> web.Response:
    """End a key: whoever has it is refused from now on."""
    await said(request)
    await request.app[SERVICE].store.awrite(tokens.revoke, request.match_info["name"])
    return reply(request, {"revoked": True}, "/settings#access")
