"""safety.md's matrix: every route x {wrong Host, cross-site, no session, wrong profile} x {loopback, network, Unix socket}."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from precious_daemon import config, web
from precious_daemon.config import Places
from precious_daemon.jobs import open_service
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import Database, passwords
from precious_daemon.suggesting import people
from tests.web.library import KEY, fill
from tests.web.matrix import Way, ask, free_port, routes, ways

WAYS = ("loopback", "network", "unix socket")
PUBLIC = {("GET", "/login"), ("POST", "/login"), ("GET", "/static/{name}")}
CROSS = {
    "img": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "another port of this machine": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "old browser": {"Origin": "http://evil.example"},
    "sandboxed": {"Origin": "null"},
}
VISIT = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OWN = {"Sec-Fetch-Site": "same-origin"}
EVERYBODYS = {
    "/api/answer", "/api/answers/{id}/undo", "/api/blind", "/api/blind/undo", "/api/clusters/label", "/api/clusters/undo",
    "/api/groups/decide", "/api/groups/undo", "/api/jobs/{name}/run", "/api/jobs/{name}/stop", "/api/password", "/api/pause",
    "/api/people/switch", "/api/photos/trash", "/api/ranking/back", "/api/ranking/out", "/api/resume", "/api/sessions/{id}/end",
    "/api/suggestions/approve", "/api/suggestions/dismiss", "/api/suggestions/reopen", "/api/tasks/{id}/answer",
    "/api/tasks/{id}/undo", "/api/trash/restore", "/api/undo", "/api/votes/import", "/login", "/logout",
}  # fmt: skip
"""What a profile beside the first one may change. A route comes here, and into `web/scopes.py`, when somebody means it to."""

OWNERS = {"/settings", "/api/settings", "/api/tokens", "/log", "/api/log", "/api/log.jsonl"}
"""What no other profile may even read."""


@pytest.fixture
async def site(here: Places, tmp_path: Path) -> AsyncIterator[web.Site]:
    """Served on all three kinds of socket, with a password for the owner."""
    settings = config.parse({"web": {"listen": [f"127.0.0.1:{free_port()}", str(tmp_path / "precious.sock")]}})
    opened = open_service(here, settings)
    opened.store.write(passwords.put, people.OWNER, "$argon2id$ not asked for here", 0.0)
    served = await web.serve(opened, token=KEY, everywhere=True)
    yield served
    await opened.jobs.stop()
    await served.close()
    opened.store.close()


@pytest.fixture
def service(site: web.Site) -> Service:
    return site.app[web.keys.SERVICE]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, site: web.Site) -> Way:
    return ways(site)[request.param]


@pytest.fixture
async def session(site: web.Site, way: Way) -> AsyncIterator[aiohttp.ClientSession]:
    """Signed in as the owner."""
    async with way.session() as session:
        form = {"token": site.login_link().partition("token=")[2]}
        async with session.post(way.base + "/login", data=form, headers=OWN, allow_redirects=False) as response:
            assert response.status == 303
        yield session


async def test_every_route_refuses_a_foreign_host(
    way: Way, site: web.Site, session: aiohttp.ClientSession, library: list[Photo]
) -> None:
    port = way.base.rpartition(":")[2] if way.path is None else "80"
    others = [other.host for name, other in ways(site).items() if other != way and "socket" not in name]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1", f"127.0.0.1.nip.io:{port}", *others):
        for method, _, path in routes(site, library[0]):
            assert await ask(session, way.base, method, path, OWN | {"Host": host}) == (403, b""), (host, path)


async def test_every_route_refuses_another_site(
    way: Way, site: web.Site, session: aiohttp.ClientSession, library: list[Photo]
) -> None:
    scheme = "https" if way.base.startswith("http:") else "http"
    for kind, headers in (CROSS | {"the other scheme": {"Origin": f"{scheme}://{way.host}"}}).items():
        for method, _, path in routes(site, library[0]):
            assert await ask(session, way.base, method, path, headers) == (403, b""), (kind, path)
    for method, _, path in routes(site, library[0]):
        if method != "GET":
            assert await ask(session, way.base, method, path, VISIT) == (403, b""), path


async def test_every_route_but_the_sign_in_refuses_a_stranger(way: Way, site: web.Site, library: list[Photo]) -> None:
    async with way.session() as stranger:
        for method, canonical, path in routes(site, library[0]):
            status, body = await ask(stranger, way.base, method, path, OWN)
            if (method, canonical) in PUBLIC:
                assert library[0].uid.encode() not in body
            else:
                assert status in (303, 401, 404), path
                assert body == b"", path


async def test_a_session_of_one_way_in_opens_no_other(
    way: Way, site: web.Site, session: aiohttp.ClientSession, library: list[Photo]
) -> None:
    """Its cookie has another name there, so that a browser which sends it along is a stranger all the same."""
    (cookie,) = list(session.cookie_jar)
    for other in ways(site).values():
        if other != way:
            async with other.session() as elsewhere:
                headers = OWN | {"Cookie": f"{cookie.key}={cookie.value}"}
                assert (await ask(elsewhere, other.base, "GET", "/api/status", headers))[0] == 401


async def test_every_route_of_the_owner_refuses_another_profile(
    way: Way, site: web.Site, service: Service, session: aiohttp.ClientSession, library: list[Photo]
) -> None:
    anna = service.store.write(people.add, "Anna", 1.0)
    async with session.post(way.base + "/api/people/switch", json={"voter": anna.id}, headers=OWN) as response:
        assert response.status == 200
    for method, canonical, path in routes(site, library[0]):
        if canonical in EVERYBODYS or path == "/api/events":
            continue
        status, body = await ask(session, way.base, method, path, OWN)
        closed = method != "GET" or canonical in OWNERS
        assert (status == 403) is closed, (path, status)
        assert (b"Only the first profile" in body) is closed, path
    for canonical in EVERYBODYS - {"/login", "/logout", "/api/jobs/{name}/run"}:
        assert (await ask(session, way.base, "POST", canonical.replace("{id}", "9").replace("{name}", "scan"), OWN))[0] != 403


async def test_without_a_password_of_the_owner_nothing_is_closed_to_a_profile(
    site: web.Site, service: Service, library: list[Photo]
) -> None:
    service.store.write(passwords.remove, people.OWNER)
    way = ways(site)["loopback"]
    async with way.session() as session:
        form = {"token": site.login_link().partition("token=")[2]}
        async with session.post(way.base + "/login", data=form, headers=OWN, allow_redirects=False):
            pass
        anna = service.store.write(people.add, "Anna", 1.0)
        async with session.post(way.base + "/api/people/switch", json={"voter": anna.id}, headers=OWN) as response:
            assert response.status == 200
        assert (await ask(session, way.base, "GET", "/settings", OWN))[0] == 200


async def test_no_get_changes_anything(site: web.Site, service: Service, library: list[Photo]) -> None:
    """But for what a file says of itself, which is remembered once it was read."""

    def content(db: Database) -> list[str]:
        return [line for line in cast(sqlite3.Connection, db.conn).iterdump() if not line.startswith('INSERT INTO "prompts"')]

    way = ways(site)["loopback"]
    async with way.session() as session:
        form = {"token": site.login_link().partition("token=")[2]}
        async with session.post(way.base + "/login", data=form, headers=OWN, allow_redirects=False):
            pass
        before = service.store.read(content)
        for method, _, path in routes(site, library[0]):
            if method == "GET" and path != "/api/events":
                assert (await ask(session, way.base, method, path, OWN))[0] < 500, path
                assert service.store.read(content) == before, path


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    return fill(service, tmp_path / "photos", 2)
