"""Style, scripts and the icon: read once, sent from memory, asked for again only when they change."""

from __future__ import annotations

import hashlib
from functools import cache

from aiohttp import hdrs, web

from precious_daemon.web.render import HERE

routes = web.RouteTableDef()

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def _files() -> dict[str, tuple[str, str, bytes]]:
    """Name to (content type, tag, content): the only files that there are, whatever is asked for."""
    found = {}
    for file in (HERE / "static").iterdir():
        if file.suffix in TYPES:
            content = file.read_bytes()
            found[file.name] = (TYPES[file.suffix], f'"{hashlib.sha256(content).hexdigest()[:16]}"', content)
    return found


@routes.get("/static/{name}")
async def static(request: web.Request) -> web.Response:
    file = _files().get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    kind, tag, content = file
    headers = {hdrs.ETAG: tag, hdrs.CACHE_CONTROL: "private, no-cache"}
    if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)
