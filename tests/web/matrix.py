"""Every route there is, and every way in: what the matrix of refusals is made of. A new route is in it by being there."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

import aiohttp

from precious_daemon import web
from precious_daemon.models import Photo


@dataclass(frozen=True)
class Way:
    """A socket of the site, and how a program asks there."""

    base: str
    path: str | None = None  # of a Unix socket

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.UnixConnector(self.path) if self.path else aiohttp.TCPConnector(ssl=False)

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=self.connector(), cookie_jar=aiohttp.CookieJar(unsafe=True))

    @property
    def host(self) -> str:
        return self.base.partition("//")[2]


def ways(site: web.Site) -> dict[str, Way]:
    """Loopback, the network and a Unix socket, as far as the site is there."""
    found = {}
    for bind in site.binds:
        if bind.is_unix:
            found["unix socket"] = Way("http://localhost", bind.address.host)
        elif bind.address.network:
            found["network"] = Way(f"https://127.0.0.1:{bind.address.port}")
        else:
            found["loopback"] = Way(bind.address.local)
    return found


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def routes(site: web.Site, photo: Photo) -> list[tuple[str, str, str]]:
    """(method, canonical path, path to ask for) of all there are, so that a new route is tested by being there."""
    filled = {"uid": photo.uid, "name": "scan", "run": "20260101", "id": "1", "number": "1", "path": "page", "place": "0,0"}
    found = []
    for route in site.app.router.routes():
        assert route.resource
        canonical = route.resource.canonical
        if route.method != "HEAD":
            path = re.sub(r"{(\w+)}", lambda part: filled[part[1]], canonical)
            found.append((route.method, canonical, path.replace("/static/scan", "/static/style.css")))
    assert len(found) > 90
    return found


async def ask(session: aiohttp.ClientSession, base: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    body = {"json": {}} if method == "POST" else {}
    async with session.request(method, base + path, headers=headers, allow_redirects=False, **body) as response:
        return response.status, await response.read()
