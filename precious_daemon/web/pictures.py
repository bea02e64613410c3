"""Thumbnails, previews and pixels: from the cache, or made from the photo, to a signed-in browser only."""

from __future__ import annotations

from aiohttp import hdrs, web

from precious_daemon.models import Photo
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


@routes.get("/full/{uid}/{place}")
async def full(request: web.Request) -> web.Response:
    """A tile of the original at full size; `place` is its column and row, as 2,0."""
    service = request.app[SERVICE]
    column, _, row = request.match_info["place"].partition(",")
    if not (column.isdecimal() and row.isdecimal() and len(column + row) < 8):
        raise web.HTTPNotFound
    place = int(column), int(row)
    photo = await service.store.aread(photos.by_uid, request.match_info["uid"])
    if photo.content_hash is None:
        raise web.HTTPNotFound
    headers = {hdrs.ETAG: f'"{photo.content_hash.hex()}-{column}-{row}"', hdrs.CACHE_CONTROL: DAY}
    if request.headers.get(hdrs.IF_NONE_MATCH) == headers[hdrs.ETAG]:
        return web.Response(status=304, headers=headers)
    data = await service.store.aread(pictures.tile, photo.content_hash, place)
    data = data or await service.jobs.previews.tile(photo, place)
    if data is None:
        raise web.HTTPNotFound
    if request.query.get("v") != photo.content_hash.hex()[:12]:
        headers[hdrs.CACHE_CONTROL] = ASK_AGAIN
    return web.Response(body=data, content_type="image/jpeg", headers=headers)


async def _picture(request: web.Request, large: bool) -> web.Response:
    service = request.app[SERVICE]
    found = await service.store.aread(_find, request.match_info["uid"], large)
    if found is None:
        raise web.HTTPNotFound
    photo, tag, data, final = found
    if not final and photo.content_hash:
        wanted = _preview_tag(photo.content_hash)
        if request.headers.get(hdrs.IF_NONE_MATCH) == f'"{wanted}"':
            tag, final = wanted, True  # the browser has it still
        elif made := await service.jobs.previews.make(photo):
            tag, data, final = wanted, made, True
    same_version = request.query.get("v") == tag[:12]
    headers = {hdrs.ETAG: f'"{tag}"', hdrs.CACHE_CONTROL: DAY if final and same_version else ASK_AGAIN}
    if request.headers.get(hdrs.IF_NONE_MATCH) == headers[hdrs.ETAG]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=data, content_type="image/jpeg", headers=headers)


def _preview_tag(content: bytes) -> str:
    return f"{content.hex()}-preview"


def _find(db: Database, uid: str, large: bool) -> tuple[Photo, str, bytes, bool] | None:
    """(photo, tag by content, JPEG, whether it is what was asked for); the thumbnail where the preview is not kept."""
    photo = photos.by_uid(db, uid)
    content = photo.content_hash
    if content is None:  # not read yet: what the camera put into the file, if there was a first look
        data = pictures.first_look(db, photo.id)
        return (photo, "first-look", data, False) if data else None
    if large and (data := pictures.preview(db, content)):
        return photo, _preview_tag(content), data, True
    data = pictures.thumbnail(db, content)
    return (photo, f"{content.hex()}-thumb", data, not large) if data else None
