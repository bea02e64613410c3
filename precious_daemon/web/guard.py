"""Who may ask: the checks that every request passes before its handler, and the headers that every answer carries.

A refusal has no body, and is the same for what exists and what does not.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import hdrs, web

from precious_daemon.errors import OwnersOnly, PreciousError
from precious_daemon.store import passwords, sessions, tokens
from precious_daemon.suggesting import people
from precious_daemon.web import scopes
from precious_daemon.web.keys import ADDRESS, ADDRESSES, API_KEY, SERVICE, SESSION, VOTER, Address

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SESSION_SECONDS = 30 * 86400
RENEW_SECONDS = 86400
READING = frozenset({"GET", "HEAD"})
PUBLIC = frozenset({"/login", "/static/{name}"})
"""Routes that need no session: nothing of the owner's is in them."""
PICTURES = ("/thumb/", "/preview/", "/full/")
NOT_PAGES = (*PICTURES, "/api/", "/static/", "/metrics")
BODIES = frozenset({"application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/csv"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Server": "precious-daemon",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer, errors included. What says nothing of caching is not stored."""
    response.headers.update(HEADERS)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    address = address_of(request)
    if address and address.certified and address.port == 443:  # it counts for all ports of the name: only where this is its site
        response.headers["Strict-Transport-Security"] = f"max-age={SESSION_SECONDS}"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Host, then origin, then session; no handler runs before all three hold."""
    address = address_of(request)
    if address is None or not _host_known(request, address) or not _same_origin(request, address):
        return _refuse(request, 403)
    if request.method not in READING and not _body_known(request):
        return _refuse(request, 415)
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical in PUBLIC:
        return await handler(request)
    if hdrs.AUTHORIZATION in request.headers:
        refusal = await _let_in_by_key(request)
        return _refuse(request, refusal) if refusal else await handler(request)
    voter_id = await signed_in(request)
    if voter_id is None:
        return _refuse(request, 401)
    request[VOTER] = voter_id
    if request.headers.get("Precious-Shown-To", str(voter_id)) != str(voter_id):
        raise PreciousError(
            "This page was opened for another profile than the one that is on now. Nothing was stored; reload it."
        )
    if not await _may(request, voter_id):
        raise OwnersOnly("Only the first profile of this library may do that, since it has a password. Sign in with it.")
    response = await handler(request)
    if request.method not in READING:
        await _renew(request, response)
    return response


def address_of(request: web.Request) -> Address | None:
    """The socket that the request came in by; None where its connection is gone already."""
    name = request.get_extra_info("sockname")
    return request.app[ADDRESSES].get(name[1] if isinstance(name, tuple) else name)


def asks_from(request: web.Request) -> str:
    """The address of who asks: behind a proxy, what that says; empty for a program of this machine at a Unix socket."""
    address, peer = address_of(request), request.get_extra_info("peername")
    if address is not None and address.behind_proxy:
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _host_known(request: web.Request, address: Address) -> bool:
    """Exactly one `Host`, and one of ours: a foreign name that resolves to this machine is refused (DNS rebinding)."""
    hosts = request.headers.getall(hdrs.HOST, [])
    name = request.get_extra_info("sockname")
    return len(hosts) == 1 and hosts[0].lower() in address.hosts(name[0] if isinstance(name, tuple) else None)


def _same_origin(request: web.Request, address: Address) -> bool:
    """Asked for by our own pages, by the address bar, or by no browser at all.

    Another port of this machine is the "same site" and gets the cookie sent, so `same-site` is as foreign as `cross-site`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get(hdrs.ORIGIN)
    own = origin == f"{address.scheme}://{request.headers[hdrs.HOST]}"
    if request.method in READING:
        if site is None:
            return origin is None or own
        return site in ("same-origin", "none") or _is_visit(request)
    if site is not None:
        return site == "same-origin"
    return own or (origin is None and hdrs.AUTHORIZATION in request.headers)


def _is_visit(request: web.Request) -> bool:
    """A link on another site that opens one of our pages in the whole window. Pictures and data are no pages."""
    is_page = not request.path.startswith(NOT_PAGES)
    document = request.headers.get("Sec-Fetch-Dest", "document") == "document"
    return is_page and document and request.headers.get("Sec-Fetch-Mode") == "navigate"


def _body_known(request: web.Request) -> bool:
    return not request.body_exists or request.content_type in BODIES


def _has_key(request: web.Request) -> bool:
    """The command line shows the key of the service file; pages are not for it, and browsers do not send it."""
    scheme, _, key = request.headers[hdrs.AUTHORIZATION].partition(" ")
    right = secrets.compare_digest(key.encode("utf-8", "surrogateescape"), request.app[API_KEY].encode())
    return right and scheme == "Bearer" and request.path.startswith("/api/")


async def _may(request: web.Request, voter_id: int) -> bool:
    """Once the owner has a password, another profile's browser may do only what is everybody's."""
    resource = request.match_info.route.resource
    if voter_id == people.OWNER or resource is None or scopes.for_everybody(request.method, resource.canonical):
        return True
    return not await request.app[SERVICE].store.aread(passwords.is_set, people.OWNER)


async def _let_in_by_key(request: web.Request) -> int | None:
    """The command line shows the key of the service file, a script one that the owner made; a status where neither fits."""
    if _has_key(request):
        request[VOTER] = await _named_voter(request)
        return None
    scheme, _, key = request.headers[hdrs.AUTHORIZATION].partition(" ")
    if scheme != "Bearer" or not key.startswith(scopes.PREFIX):
        return 401
    service = request.app[SERVICE]
    token = await service.store.aread(tokens.find, token_hash(key))
    if token is None:
        return 401
    resource = request.match_info.route.resource
    if resource is not None and not scopes.allows(token.scope, request.method, resource.canonical):
        return 403
    now = service.clock()
    if now - (token.used_at or 0) > RENEW_SECONDS / 24:
        await service.store.awrite(tokens.used, token.id, now)
    request[VOTER] = token.voter_id
    return None


async def _named_voter(request: web.Request) -> int:
    """Whom a command speaks for: the header `Precious-Voter` holds a profile's name, quoted as in an address."""
    name = request.headers.get("Precious-Voter")
    if name is None:
        return people.OWNER
    return (await request.app[SERVICE].store.aread(people.named, unquote(name))).id


def _refuse(request: web.Request, status: int) -> web.Response:
    if status == 401 and request.path.startswith(PICTURES):
        return web.Response(status=404)  # as for a picture that does not exist
    if status == 401 and request.method in READING and not request.path.startswith(NOT_PAGES):
        return web.Response(status=303, headers={hdrs.LOCATION: "/login"})
    return web.Response(status=status)


# --- sessions ----------------------------------------------------------------------------------------------------------


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def cookie_name(request: web.Request) -> str:
    """With the port, because cookies do not tell ports apart: two libraries on one machine have two sessions."""
    address = address_of(request) or request.app[ADDRESS]
    return f"{'__Host-' if address.scheme == 'https' else ''}precious-{address.port}"


async def signed_in(request: web.Request) -> int | None:
    """The voter whose session the request's cookie names."""
    token = request.cookies.get(cookie_name(request))
    if not token:
        return None
    service = request.app[SERVICE]
    found = await service.store.aread(sessions.find, token_hash(token), service.clock() - SESSION_SECONDS)
    if found is None:
        return None
    voter_id, seen_at = found
    request[SESSION] = (token, seen_at)
    return voter_id


def set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    name = cookie_name(request)
    secure = name.startswith("__Host-")
    response.set_cookie(name, token, max_age=SESSION_SECONDS, httponly=True, samesite="Strict", path="/", secure=secure)


async def _renew(request: web.Request, response: web.StreamResponse) -> None:
    """A session lasts 30 days from the last thing its owner did; reading changes nothing, not even this."""
    token, seen_at = request[SESSION]
    service = request.app[SERVICE]
    now = service.clock()
    if now - seen_at > RENEW_SECONDS and not response.prepared and not response.cookies:
        await service.store.awrite(sessions.touch, token_hash(token), now)
        set_cookie(request, response, token)
