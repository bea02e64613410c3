"""What a photo's file says: camera, lens, time, place, size, files, and what was measured. Nothing that a model thinks."""

from __future__ import annotations

import posixpath
from typing import Any

from aiohttp import web

from precious_daemon.models import FileEntry, Photo, Quality, Role
from precious_daemon.pure.captures import EXIF, IDENTIFIER
from precious_daemon.store import Database, photos, pictures
from precious_daemon.store.photos import Details
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.language import N_, _, told
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import photo_json

routes = web.RouteTableDef()

SIDE_BY_SIDE = 4
SOURCES = N_(
    {
        "exif": "by the camera's clock",
        "gps": "by the GPS receiver's clock",
        "sidecar": "as Google Takeout has it",
        "name": "by the file's name",
        "file": "when the file was last changed: nothing else says",
    }
)
ROLES = N_({Role.STILL: "the photo", Role.RAW: "RAW", Role.VIDEO: "video", Role.SIDECAR: "sidecar"})
BONDS = N_({IDENTIFIER: "the same content identifier", EXIF: "the same moment in both files", None: "the same name"})

Fact = tuple[str, str]


def of(db: Database, photo: Photo) -> list[Fact]:
    """(name, value in words) of all that is known."""
    its = photos.details(db, photo.id)
    measured = pictures.quality(db, photo.content_hash) if photo.content_hash else None
    found = [
        (_("Taken"), _taken(photo, its)), (_("Camera"), photo.camera), (_("Lens"), its.lens), (_("Exposure"), its.exposure)
    ]  # fmt: skip
    if photo.width and photo.height:
        size = f"{photo.width} × {photo.height}"
        size = _("{size}, {number} megapixels", size=size, number=f"{photo.width * photo.height / 1e6:.1f}")
        found.append((_("Size"), size + _(", ") + its.format if its.format else size))
    if its.latitude is not None and its.longitude is not None:
        found.append((_("Place"), f"{its.latitude:.5f}, {its.longitude:.5f}"))
    found += _measures(measured) if measured else []
    found += [(_("File") if file.role is Role.STILL else _("Beside it"), _file(file)) for file in photos.files_of(db, photo.id)]
    if its.ambiguous:
        found.append(
            (_("Stands apart"), _("{why}. Until that is clear, none of them is moved.", why=words.shown(told(its.ambiguous))))
        )
    return [(name, words.shown(value)) for name, value in found if value]


def _taken(photo: Photo, its: Details) -> str:
    zone = ""
    if its.taken_offset is not None:
        hours, minutes = divmod(abs(its.taken_offset), 60)
        zone = f" (UTC{'-' if its.taken_offset < 0 else '+'}{hours}:{minutes:02})"
    source = SOURCES.get(its.taken_from or "", "")
    return f"{words.taken(photo.taken_at)}{zone}" + (_(", ") + _(source) if source else "")


def _measures(its: Quality) -> list[Fact]:
    """In hundredths, so that two photos can be compared."""
    return [
        (
            _("Sharpness"),
            _("{all} of 100, at its sharpest {best}", all=_hundredths(its.sharpness), best=_hundredths(its.sharpest_tile)),
        ),
        (
            _("Light"),
            _(
                "brightness {light} of 100, contrast {contrast}",
                light=_hundredths(its.brightness),
                contrast=_hundredths(its.contrast),
            ),
        ),
        (
            _("Lost"),
            _("{black} in black, {white} in white", black=words.percent(its.shadows), white=words.percent(its.highlights)),
        ),
    ]


def _hundredths(share: float) -> str:
    return f"{share * 100:.0f}"


def _file(file: FileEntry) -> str:
    said = posixpath.basename(file.path) + _(", ") + words.size(file.stamp.size)
    if file.role is Role.STILL:
        return said
    return _("{file}: {role}, {bond}", file=said, role=_(ROLES[file.role]), bond=_(BONDS.get(file.bond, BONDS[None])))


def side_by_side(facts: list[list[Fact]]) -> list[tuple[str, list[str], bool]]:
    """(name, what each photo says to it, whether they differ), in the order in which the names come."""
    names = list(dict.fromkeys(name for said in facts for name, _ in said))
    rows = []
    for name in names:
        values = [_("; ").join(value for other, value in said if other == name) for said in facts]
        rows.append((name, values, len(set(values)) > 1))
    return rows


def _compared(db: Database, uids: list[str]) -> tuple[list[Photo], list[tuple[str, list[str], bool]]]:
    found = [photos.by_uid(db, uid) for uid in uids]
    return found, side_by_side([of(db, photo) for photo in found])


def _asked(request: web.Request) -> list[str]:
    uids = request.query.getall("photo", [])
    if not 1 <= len(uids) <= SIDE_BY_SIDE:
        raise BadRequest(f'Name one to {SIDE_BY_SIDE} photos: "?photo=...&photo=...".')
    return uids


@routes.get("/facts")
async def show_facts(request: web.Request) -> web.Response:
    """Photos side by side with all that their files say."""
    found, rows = await request.app[SERVICE].store.aread(_compared, _asked(request))
    return await page(request, "facts.html", photos=found, rows=rows)


@routes.get("/api/facts")
async def tell_facts(request: web.Request) -> web.Response:
    found, rows = await request.app[SERVICE].store.aread(_compared, _asked(request))
    told: dict[str, Any] = {
        "photos": [photo_json(photo) for photo in found],
        "rows": [{"name": name, "values": values, "differ": differ} for name, values, differ in rows],
    }
    return web.json_response(told)
