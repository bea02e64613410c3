"""Thumbnails and previews: from the cache, to a signed-in browser only."""

from __future__ import annotations

from aiohttp import hdrs, web

from precious_daemon.store import Database, photos, pictures
from precious_daemon.web.keys import SERVICE

routes = web.RouteTableDef()

DAY = "private, max-age=86400"
ASK_AGAIN = "private, no-cache"


@routes.get("/thumb/{uid}")
async def thumbnail(request: web.Request) -> web.Response:
    return await _picture(request, large=False)


@routes.get("/preview/{uid}")
async def preview(request: web.Request) -> web.Response:
    return await _picture(request, large=True)


async def _picture(request: web.Request, large: bool) -> web.Response:
    found = await request.app[SERVICE].store.aread(_find, request.match_info["uid"], large)
    if found is None:
        raise web.HTTPNotFound
    tag, data, final = found
    same_version = request.query.get("v") == tag[:12]
    headers = {hdrs.ETAG: f'"{tag}"', hdrs.CACHE_CONTROL: DAY if final and same_version else ASK_AGAIN}
    if request.headers.get(hdrs.IF_NONE_MATCH) == headers[hdrs.ETAG]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=data, content_type="image/jpeg", headers=headers)


def _find(db: Database, uid: str, large: bool) -> tuple[str, bytes, bool] | None:
    """(tag by content, JPEG, whether it is what was asked for); a preview that is not kept gives way to the thumbnail."""
    photo = photos.by_uid(db, uid)
    content = photo.content_hash
    if content is None:  # not read yet: what the camera put into the file, if there was a first look
        data = pictures.first_look(db, photo.id)
        return ("first-look", data, False) if data else None
    if large and (data := pictures.preview(db, content)):
        return f"{content.hex()}-preview", data, True
    data = pictures.thumbnail(db, content)
    return (f"{content.hex()}-thumb", data, not large) if data else None
