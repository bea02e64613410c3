"""What the owner sends, and the answer to it: JSON to a script, a redirect to a page without scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from precious_daemon.asking.ask import Asked
from precious_daemon.models import Photo
from precious_daemon.web.problems import BadRequest, form, wants_page
from precious_daemon.web.render import preview, scaled, thumb, version
from precious_daemon.web.words import name, shown

MOST = 1000
"""Names in one request."""


class Said:
    """The fields of a request's body, JSON or form, each read as what it has to be."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def text(self, field: str, default: str | None = None, longest: int = 200) -> str:
        value = self._fields.get(field, default)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, str) or len(value) > longest:
            raise BadRequest(f'"{field}" is missing, or not a text.')
        return value

    def all_names(self) -> list[str]:
        """Of every field that was sent."""
        return list(self._fields)

    def names(self, field: str) -> list[str]:
        """A list of names without repetition, in the order given."""
        value = self.some(field)
        if not value:
            raise BadRequest("Nothing was chosen, so nothing was changed.")
        return value

    def some(self, field: str) -> list[str]:
        """As `names`, but there may be none."""
        value = self._fields.get(field, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value) or len(value) > MOST:
            raise BadRequest(f'"{field}" has to be a list of at most {MOST} names.')
        return list(dict.fromkeys(value))

    def chosen(self) -> list[str]:
        """The one whose own button was pressed, or all that were ticked."""
        return [self.text("only")] if "only" in self._fields else self.names("uids")

    def flag(self, field: str) -> bool:
        value = self._fields.get(field, False)
        if not isinstance(value, bool):
            raise BadRequest(f'"{field}" has to be true or false.')
        return value

    def number(self, field: str) -> int | None:
        """A whole number, or None where nothing was typed."""
        value = self._fields.get(field)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None or value == "":
            return None
        return whole(value, field)


def whole(value: object, field: str = "number") -> int:
    """A whole number that SQLite can hold."""
    try:
        number = int(value) if isinstance(value, str | int) else None
    except ValueError:
        number = None
    if number is None or abs(number) >= 1 << 63:
        raise BadRequest(f'"{field}" has to be a whole number.')
    return number


async def said(request: web.Request) -> Said:
    if wants_page(request):
        sent = await form(request)
        return Said({key: sent.getall(key) for key in sent})
    try:
        fields = json.loads(await request.text() or "{}")
    except (ValueError, LookupError) as exc:  # the latter for an encoding that nobody knows
        raise BadRequest("The body is not valid JSON.") from exc
    if not isinstance(fields, dict):
        raise BadRequest("The body has to be a JSON object.")
    return Said(fields)


async def said_fields(request: web.Request) -> dict[str, str]:
    """The fields of a form or of a JSON object as texts, for whoever reads them on their own."""
    fields: Mapping[str, Any] = await form(request) if wants_page(request) else (await said(request))._fields
    return {key: value for key, value in fields.items() if isinstance(value, str)}


def reply(request: web.Request, value: Any, back: str) -> web.Response:
    """`value` for a script; a form's sender is taken to the page `back`."""
    if wants_page(request):
        return web.Response(status=303, headers={hdrs.LOCATION: back})
    return web.json_response(value)


def keyset(request: web.Request, name: str = "after") -> tuple[float, int] | None:
    """`?after=VALUE,ID`, the place of the last row shown; None for the first page."""
    after = request.query.get(name)
    if not after:
        return None
    value, _, row = after.partition(",")
    try:
        return float(value), whole(row)
    except ValueError as exc:
        raise BadRequest(f'"{name}" has to be what a page gave.') from exc


def photo_json(photo: Photo) -> dict[str, Any]:
    width, height = scaled(photo)
    return {
        "uid": photo.uid, "name": name(photo.path), "path": shown(photo.path), "width": width, "height": height,
        "preview": preview(photo), "thumb": thumb(photo), "content": version(photo),
        "full_width": photo.width or width, "full_height": photo.height or height,
    }  # fmt: skip


def asked_json(asked: Asked | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    return {
        "question": asked.question, "purpose": asked.purpose, "group_size": asked.group_size,
        "photos": [photo_json(photo) for photo in asked.photos],
    }  # fmt: skip
