"""The settings: each with its meaning, saved into the owner's file, and in force at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from precious_daemon import config, reload, settings_file
from precious_daemon.errors import ConfigError
from precious_daemon.service import Service
from precious_daemon.store import tokens
from precious_daemon.web import access, language
from precious_daemon.web.keys import SERVICE
from precious_daemon.web.language import N_
from precious_daemon.web.problems import wants_page
from precious_daemon.web.render import page
from precious_daemon.web.talk import reply, said

routes = web.RouteTableDef()

LONGEST = 20_000  # signs of one setting
SECTIONS = N_(
    {
        "web": "The page",
        "service": "The log",
        "watch": "Watching folders",
        "ingest": "Reading photos",
        "schedule": "The night's work",
        "groups": "Bursts and copies",
        "clusters": "Clusters and the map",
        "ask": "Questions",
        "outside": "What you say with other programs",
        "certify": "How careful",
        "learn": "Learning",
        "suggest": "Suggestions",
        "trash": "The trash",
        "plugins": "Plugins",
    }
)


FIRST = ("schedule", "certify", "suggest")
"""What owners come for: on top, and open."""
SIGNS = {"tls": "TLS", "cpu": "CPU", "onnx": "ONNX", "xmp": "XMP", "alpha": "mistakes allowed"}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting, as the page shows it."""

    name: str
    meaning: str
    hint: str
    kind: str  # number, text, time, choice, list
    value: str
    default: str
    choices: tuple[str, ...]
    step: str
    low: float | None
    high: float | None
    origin: str  # default, file, or the variable that goes before the file
    by_hand: bool

    @property
    def label(self) -> str:
        return label(self.name)


def label(name: str) -> str:
    """`watch.settle_seconds` is called "Settle seconds", `web.tls_key` "TLS key"."""
    words = " ".join(SIGNS.get(word, word) for word in name.partition(".")[2].split("_"))
    return words[:1].upper() + words[1:]


def rows(service: Service) -> list[Row]:
    """All settings, with the values in force."""
    values, found = config.as_dict(service.settings), []
    origins = settings_file.origins(service.places.config_file)
    for name, default, meaning in config.describe():
        section, _, key = name.partition(".")
        kind, field = config.setting(name)
        checks = field.metadata
        choices = ("true", "false") if kind is bool else checks["choices"]
        sort = (
            "list" if kind == tuple[str, ...] else "choice" if choices else "time" if checks["time"]
            else "number" if kind in (int, float) else "text"
        )  # fmt: skip
        found.append(
            Row(
                name, meaning, settings_file.hint(name), sort, typed(values[section][key]), typed(default), choices,
                "1" if kind is int else "any", checks["low"], checks["high"], origins[name], checks["by_hand"],
            )
        )  # fmt: skip
    return found


def typed(value: Any) -> str:
    """A value as it is typed: `true`, `0.5`, the words of a list on lines of their own."""
    if isinstance(value, tuple | list):
        return "\n".join(value)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


@routes.get("/settings")
async def show(request: web.Request) -> web.Response:
    return await show_page(request, saved="saved" in request.query)


async def show_page(request: web.Request, status: int = 200, **more: Any) -> web.Response:
    service = request.app[SERVICE]
    by_section: dict[str, list[Row]] = {section: [] for section in FIRST}
    for row in await asyncio.to_thread(rows, service):
        by_section.setdefault(row.name.partition(".")[0], []).append(row)
    values: dict[str, Any] = {"refused": "", "typed": {}, "saved": False, "token": None} | more
    return await page(
        request, "settings.html", status, sections=by_section, open=FIRST, titles=SECTIONS, file=str(service.places.config_file),
        served=service.served, sessions=await access.sessions_of(request),
        tokens=await service.store.aread(tokens.all_tokens), **values,
    )  # fmt: skip


@routes.get("/api/settings")
async def values(request: web.Request) -> web.Response:
    """Every setting in force, by name: its value as typed, default, meaning, and where it comes from."""
    found = await asyncio.to_thread(rows, request.app[SERVICE])
    shown = {
        row.name: {"value": row.value, "default": row.default, "meaning": row.meaning, "origin": row.origin} for row in found
    }
    return web.json_response({"file": str(request.app[SERVICE].places.config_file), "settings": shown})


@routes.post("/api/settings")
async def save(request: web.Request) -> web.Response:
    """Write settings into the owner's file, by name and as typed, and take them over: all of them, or none."""
    fields = await said(request)
    service = request.app[SERVICE]
    known = {row.name: row for row in await asyncio.to_thread(rows, service)}
    sent = {name: fields.text(name, longest=LONGEST) for name in fields.all_names()}
    try:
        changes = {name: text for name, text in sent.items() if name not in known or not _same(known[name], text)}
        for name in changes:
            if name in known and known[name].by_hand:
                raise ConfigError(f"{name} decides what code is run: change it in {service.places.config_file} itself.")
        if changes:
            await asyncio.to_thread(settings_file.save, service.places.config_file, changes)
        told = await reload.reload(service)
    except ConfigError as exc:
        if not wants_page(request):
            raise
        return await show_page(request, 400, refused=str(exc), typed=sent)
    return reply(request, {"changes": list(map(language.told, told))}, "/settings?saved")


def _same(row: Row, text: str) -> bool:
    return text.split() == row.value.split() if row.kind == "list" else text.strip() == row.value


@routes.post("/api/reload")
async def take_over(request: web.Request) -> web.Response:
    """Read the settings file anew; what has changed, in sentences."""
    await said(request)
    return reply(request, {"changes": list(map(language.told, await reload.reload(request.app[SERVICE])))}, "/settings")
