"""Who else may come in: browsers that are signed in, listed and signed out, and the password of a profile."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from aiohttp import web

from precious_daemon.store import passwords as stored
from precious_daemon.store import sessions, voters
from precious_daemon.suggesting import people
from precious_daemon.web import guard, passwords
from precious_daemon.web.keys import DOOR, SERVICE, SESSION, VOTER
from precious_daemon.web.language import _
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.talk import reply, said, whole
from precious_daemon.web.words import shown

routes = web.RouteTableDef()

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
