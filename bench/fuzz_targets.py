"""What is fuzzed: each target takes bytes as a stranger may have written them, and raises where a promise is broken.

A parser of ours either understands, or refuses with the error that its caller turns into a sentence; what it returns has to
hold what its docstring says, and can be stored. Anything else is a finding.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import math
import os
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from precious_daemon import config, settings_file, web
from precious_daemon.errors import ConfigError, PreciousError, VoteFileError
from precious_daemon.jobs import open_service
from precious_daemon.pictures import exif, quicktime
from precious_daemon.plugins import packet
from precious_daemon.pure import exchange, prompts, sidecars
from precious_daemon.trash import records
from tests.web.library import fill, suggest, taste


@dataclass(frozen=True)
class Target:
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def storable(text: str | None, longest: int) -> None:
    assert text is None or (len(text) <= longest and text.encode("utf-8") is not None)


def a_sentence(refusal: PreciousError) -> None:
    """It is shown on a terminal and in a page."""
    assert str(refusal).isprintable(), repr(str(refusal))


@cache
def scratch() -> Path:
    return Path(tempfile.mkdtemp())


def written(name: str, data: bytes) -> Path:
    file = scratch() / name
    file.write_bytes(data)
    return file


# --- pictures and what lies beside them --------------------------------------------------------------------------------


def check_exif(data: bytes) -> None:
    found = Image.Exif()
    try:
        found.load(b"Exif\0\0" + data)
    except Exception:  # noqa: BLE001  Pillow's; ingest lists the file as broken
        return
    facts = exif.metadata(found, "IMG.jpg", 1.7e9, None, data)
    assert math.isfinite(facts.taken_at)
    assert 1 <= exif.orientation(found) <= 8
    for text in (facts.camera, facts.lens, facts.exposure, facts.content_id):
        storable(text, 100)
    assert facts.latitude is None or (abs(facts.latitude) <= 90 and abs(facts.longitude or 0) <= 180)
    assert facts.taken_offset is None or abs(facts.taken_offset) <= 14 * 60


def exif_seed() -> bytes:
    found = Image.Exif()
    found[exif.Tag.Make], found[exif.Tag.Model], found[exif.Tag.Orientation] = "Canon", "Canon EOS R6", 6
    found[exif.Tag.DateTime] = "2024:01:31 12:30:05"
    details, place = found.get_ifd(0x8769), found.get_ifd(0x8825)
    details[exif.Tag.DateTimeOriginal], details[exif.Tag.SubsecTimeOriginal] = "2024:01:31 12:30:05", "123"
    details[exif.Tag.OffsetTimeOriginal], details[exif.Tag.ExposureTime] = "+01:00", 0.004
    details[exif.Tag.FNumber], details[exif.Tag.ISOSpeedRatings], details[exif.Tag.FocalLength] = 2.8, 400, 50.0
    details[exif.Tag.MakerNote] = b"Apple iOS\0\0\x01MM\0\x01" + struct.pack(">HHII", 0x11, 2, 37, 32) + b"\0" * 4 + b"A1-" * 12
    place[exif.Gps.GPSLatitudeRef], place[exif.Gps.GPSLatitude] = "S", (33.0, 51.0, 25.5)
    place[exif.Gps.GPSLongitudeRef], place[exif.Gps.GPSLongitude] = "E", (151.0, 12.0, 54.0)
    place[exif.Gps.GPSDateStamp], place[exif.Gps.GPSTimeStamp] = "2024:01:31", (11.0, 30.0, 5.0)
    return found.tobytes().removeprefix(b"Exif\0\0")


def check_name(data: bytes) -> None:
    found = exif.name_time(os.fsdecode(data))
    assert found is None or math.isfinite(found)


def check_takeout(data: bytes) -> None:
    assert math.isfinite(exif.metadata(Image.Exif(), "x", 1.7e9, data).taken_at)


def check_xmp(data: bytes) -> None:
    assert sidecars.said(data) in ("keep", "delete", None)
    try:
        found = packet.read(data)
        found.number(packet.XMP, "Rating")
        ours = packet.write(data, {"decision": 'delete "<&\x01\ud800'}, {(packet.XMP, "Rating"): "-1"})
    except packet.NotXmp:
        return
    assert packet.read(ours).text(packet.OURS, "decision")
    if not any(space == packet.OURS for space, _ in found.properties):
        assert packet.write(ours, {}, {}) == data, "what others wrote is not as it was"


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"><dc:subject xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Bag>'
    b"<rdf:li>family</rdf:li></rdf:Bag></dc:subject><xmp:Label>Red</xmp:Label></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def check_prompt(data: bytes) -> None:
    storable(prompts.read(str(written("picture", data))), prompts.LONGEST)


def check_prompt_table(data: bytes) -> None:
    written(prompts.TABLE, data)
    storable(prompts.read(str(written("a.png", b""))), prompts.LONGEST)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [struct.pack(">I", len(body)) + kind + body + b"crc." for kind, body in (*chunks, (b"IEND", b""))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_comment() -> bytes:
    found = Image.Exif()
    found.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a cat".encode("utf-16-le")
    body = found.tobytes()
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda"


def check_movie(data: bytes) -> None:
    found = quicktime.content_identifier(io.BytesIO(data), len(data))
    assert found is None or re.fullmatch("[0-9A-Za-z-]{8,64}", found)


def movie() -> bytes:
    def atom(kind: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(">I", len(body) + 8) + kind + body

    keys = atom(b"keys", struct.pack(">II", 0, 1), atom(b"mdta", quicktime.KEY))
    value = atom(b"\0\0\0\1", atom(b"data", struct.pack(">II", 1, 0), b"6C7F1F2A-0000-4000-8000-000000000001"))
    return atom(b"ftyp", b"qt  ") + atom(b"moov", atom(b"meta", atom(b"hdlr", b"\0" * 24), keys, atom(b"ilst", value)))


# --- what the owner or another program wrote ----------------------------------------------------------------------------


def check_votes(data: bytes) -> None:
    try:
        kind, votes, ranking = exchange.parse(data.decode("utf-8-sig", "surrogateescape"), 25.0)
    except VoteFileError as exc:
        a_sentence(exc)
        return
    assert kind in ("votes", "ranking")
    assert exchange.parse(exchange.votes_text(votes), 25.0)[1] == votes, "votes that go out come back as they were"
    for _, rated in ranking:
        assert math.isfinite(rated.mu)
        assert 0 < rated.sigma < 1000
        assert 0 <= rated.wins < 1 << 63 > rated.losses >= 0, "SQLite holds no larger number"


def check_settings(data: bytes) -> None:
    file = written("config.toml", data)
    try:
        settings = config.load(file, {})
        assert config.load(file, {"PRECIOUS_WEB_PORT": "1234"}).web.port == 1234
        for name, _, _ in config.describe():
            settings_file.hint(name)
        with contextlib.suppress(ConfigError):  # what typed texts make of it, too
            config.from_text("watch.ignore", data.decode("utf-8", "replace"))
        saved = settings_file.save(file, {"web.port": "1234", "schedule.on_battery": "true"})
    except ConfigError as exc:
        a_sentence(exc)
        return
    assert saved == config.load(file, {})
    assert (saved.web.port, saved.schedule.on_battery) == (1234, True)
    assert saved.watch == settings.watch


def check_record(data: bytes) -> None:
    try:
        in_desktop, members = records.members_of(data, ".precious-trash/a/b")
    except ValueError:
        return
    for member in members:
        assert os.fsencode(member.path), "the disk takes it"
        assert not {"", ".", ".."} & set(member.path.split("/")), "it leads out of the root"
        assert member.trash_path.count("/") == (1 if in_desktop else 3)


RECORD = {
    "version": 1, "unit": "u", "batch": "b", "root": "/p", "marker": "m", "reason": "r",
    "files": [{"path": "a/b.jpg", "trash": "b.jpg", "role": "still", "size": 1, "mtime_ns": 1, "inode": 1, "blake3": "00"}],
}  # fmt: skip


# --- bodies sent to the service ----------------------------------------------------------------------------------------

# All that takes a body and starts no process, watches no folder and changes no setting.
ROUTES = (
    "/api/answer", "/api/undo", "/api/clusters/name", "/api/clusters/label", "/api/clusters/undo", "/api/groups/decide",
    "/api/groups/undo", "/api/groups/rule", "/api/ranking/out", "/api/ranking/back", "/api/votes/import", "/api/people",
    "/api/people/switch", "/api/people/1/rename", "/api/suggestions/approve", "/api/suggestions/dismiss",
    "/api/suggestions/reopen", "/api/trash/restore", "/api/trash/purge", "/api/tasks", "/api/tasks/1/classes",
    "/api/tasks/1/rename", "/api/tasks/1/answer", "/api/tasks/1/undo", "/api/tokens", "/api/photos/UID/prompt", "/api/pause",
)  # fmt: skip


def check_body(data: bytes) -> None:
    """`ROUTE\\nBODY`; UID in either is a photo that there is."""
    route, _, body = data.partition(b"\n")
    path = ROUTES[zlib.crc32(route) % len(ROUTES)] if route.decode("latin-1") not in ROUTES else route.decode()
    served().post(path, body)


class Served:
    """The application of the service, on a library of a few photos, within this process."""

    def __init__(self) -> None:
        os.environ["PRECIOUS_HOME"] = str(scratch() / "home")
        self.loop = asyncio.new_event_loop()
        service = open_service(config.places(), config.Settings())
        found = fill(service, scratch() / "photos", 4)
        suggest(service, *map(taste, found[:2]))
        self.uid = found[0].uid.encode()
        self.site = self.loop.run_until_complete(web.serve(service, token="key"))

        async def opened() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(headers={"Authorization": "Bearer key", "Content-Type": "application/json"})

        self.session = self.loop.run_until_complete(opened())

    def post(self, path: str, body: bytes) -> None:
        async def send() -> tuple[int, bytes]:
            url = self.site.address.local + path.replace("UID", self.uid.decode())
            async with self.session.post(url, data=body.replace(b"UID", self.uid)) as response:
                return response.status, await response.read()

        status, answer = self.loop.run_until_complete(send())
        assert status < 500, (path, status, answer)
        if status >= 400 and answer:
            assert json.loads(answer)["error"], "a refusal is a sentence"


@cache
def served() -> Served:
    return Served()


def bodies() -> Iterator[bytes]:
    answer: dict[str, Any] = {
        "question": "label", "choice": "keep", "photos": ["UID"], "purpose": "train", "request": "0000-4000",
    }  # fmt: skip
    by_route: dict[str, object] = {
        "/api/answer": answer, "/api/suggestions/approve": {"uids": ["x"], "typed_count": 1}, "/api/people": {"name": "Ann"},
        "/api/tasks": {"name": "kinds", "classes": ["receipt", "family"]}, "/api/photos/UID/prompt": {"prompt": "a cat"},
        "/api/tasks/1/answer": {"photo": "UID", "class": "1", "choice": 1}, "/api/ranking/out": {"uid": "UID"},
        "/api/groups/decide": {"group": "1", "keep": ["UID"], "delete": []}, "/api/tokens": {"name": "k", "scope": "read"},
        "/api/pause": {"for": "30m", "until": "18:30"}, "/api/clusters/label": {"cluster": 1, "choice": "keep", "uids": ["UID"]},
    }  # fmt: skip
    for route, body in by_route.items():
        yield f"{route}\n{json.dumps(body)}".encode()
    yield b"/api/votes/import\nWinner,Loser\nIMG_0000.jpg,IMG_0001.jpg\n"


TARGETS = {
    "exif": Target(check_exif, (exif_seed(), b"II*\0\x08\0\0\0\0\0\0\0\0\0")),
    "name": Target(
        check_name, (b"IMG_20240131_123005123.jpg", b"Screenshot 2024-01-31 at 12.30.05 PM.png", b"FB_IMG_1706704205123")
    ),
    "takeout": Target(check_takeout, (b'{"photoTakenTime": {"timestamp": "1600000000"}}',)),
    "xmp": Target(check_xmp, (XMP, packet.SKELETON, packet.write(XMP, {"decision": "keep"}, {}))),
    "prompt": Target(
        check_prompt,
        (
            png((b"tEXt", b"parameters\0a cat")),
            png((b"zTXt", b"prompt\0\0" + zlib.compress(b"a cat"))),
            png((b"iTXt", b"Description\0\1\0en\0x\0" + zlib.compress(b"a cat"))),
            jpeg_comment(),
        ),
    ),
    "table": Target(check_prompt_table, (b"file,prompt\na.png,a cat\n", b'image,prompt\n"a.png","a\ncat"\n')),
    "movie": Target(check_movie, (movie(),)),
    "votes": Target(
        check_votes, (b"Winner,Loser\na.jpg,b.jpg\n", b"Image,ELO,Uncertainty,Upvotes,Downvotes\na.jpg,1.5,8.3,3,1\n")
    ),
    "settings": Target(
        check_settings,
        (b"[web]\nport = 9000\n[watch]\nignore = ['a']\n", b"[plugin.x]\ny = '/z'\n", settings_file.initial().encode()),
    ),
    "record": Target(check_record, (json.dumps(RECORD).encode(),)),
    "body": Target(check_body, tuple(bodies())),
}
