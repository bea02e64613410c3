"""Keys for scripts, each with a scope: listed, made, ended."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict

from aiohttp import hdrs, web

from precious_daemon.store import tokens as stored
from precious_daemon.web import guard, scopes, settings
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.problems import BadRequest, wants_page
from precious_daemon.web.talk import reply, said

routes = web.RouteTableDef()

_NAME = re.compile(r"[\w .@-]{1,60}")


@routes.get("/api/tokens")
async def list_tokens(request: web.Request) -> web.Response:
    """The keys for scripts: name, scope, when each was made and last used. The keys themselves are not kept."""
    return web.json_response({"tokens": [asdict(token) for token in await request.app[SERVICE].store.aread(stored.all_tokens)]})


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
    token = await service.store.awrite(stored.add, name, guard.token_hash(key), scope, request[VOTER], service.clock())
    if wants_page(request):
        return await settings.show_page(request, token=(token, key))
    return web.json_response({"token": key, "name": token.name, "scope": token.scope}, headers={hdrs.CACHE_CONTROL: "no-store"})


@routes.post("/api/tokens/{name}/revoke")
async def revoke_token(request: web.Request) -> web.Response:
    """End a key: whoever has it is refused from now on."""
    await said(request)
    await request.app[SERVICE].store.awrite(stored.revoke, request.match_info["name"])
    return reply(request, {"revoked": True}, "/settings#access")
