"""Who may ask: what the guard says to single requests; `test_matrix.py` asks it about every route there is."""

from __future__ import annotations

import aiohttp
import pytest

from precious_daemon import web
from precious_daemon.models import Photo
from precious_daemon.web.guard import HEADERS
from precious_daemon.web.keys import Address
from tests.web.library import KEY, Browser
from tests.web.matrix import ask, routes


async def test_a_link_elsewhere_may_open_a_page_but_no_picture_and_no_data(browser: Browser, library: list[Photo]) -> None:
    visit = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert (await browser.get("/help", **visit)).status == 200
    assert (await browser.get(f"/thumb/{library[0].uid}", **visit)).status == 403
    assert (await browser.get("/api/status", **visit)).status == 403


async def test_unknown_routes_look_to_a_stranger_like_known_ones(stranger: Browser, library: list[Photo]) -> None:
    for known, unknown in (("/photos", "/nothing"), ("/api/status", "/api/nothing"), (f"/thumb/{library[0].uid}", "/thumb/none")):
        first, second = await stranger.get(known), await stranger.get(unknown)
        assert (first.status, await first.read()) == (second.status, await second.read())


async def test_an_absent_picture_answers_as_a_forbidden_one(site: web.Site, browser: Browser, library: list[Photo]) -> None:
    absent = await browser.get("/thumb/0123456789abcdef")
    async with aiohttp.ClientSession() as session:
        status = await ask(session, browser.base, "GET", f"/thumb/{library[0].uid}", {})
    assert (absent.status, await absent.read()) == status == (404, b"")


async def test_a_request_without_origin_needs_the_key(site: web.Site, browser: Browser) -> None:
    assert (await ask(browser.session, browser.base, "POST", "/api/undo", {}))[0] == 403
    own = {"Origin": site.address.local}
    assert (await ask(browser.session, browser.base, "POST", "/api/jobs/none/stop", own))[0] == 404


async def test_a_body_of_another_type_is_refused(browser: Browser) -> None:
    response = await browser.session.post(
        browser.base + "/api/undo", data="{}", headers={"Sec-Fetch-Site": "same-origin", "Content-Type": "text/plain"}
    )
    assert response.status == 415


async def test_two_hosts_are_one_too_many(site: web.Site) -> None:
    import asyncio

    reader, writer = await asyncio.open_connection(site.address.host, site.address.port)
    host = f"127.0.0.1:{site.address.port}"
    writer.write(f"GET /login HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.split()[1] in (b"400", b"403")


# --- the key of the command line ---------------------------------------------------------------------------------------


async def test_the_key_opens_the_api_and_no_page(site: web.Site, library: list[Photo]) -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as session:
        assert (await ask(session, site.address.local, "GET", "/api/status", key))[0] == 200
        for path in ("/", "/photos", f"/thumb/{library[0].uid}"):
            assert (await ask(session, site.address.local, "GET", path, key))[1] == b""


@pytest.mark.parametrize("sent", ["Bearer wrong", "Bearer ", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer \udcff"])
async def test_a_wrong_key_is_refused_even_with_a_session(sent: str, browser: Browser) -> None:
    headers = {"Authorization": sent.encode("utf-8", "surrogateescape").decode("latin-1"), "Sec-Fetch-Site": "same-origin"}
    assert await ask(browser.session, browser.base, "GET", "/api/status", headers) == (401, b"")


async def test_a_page_elsewhere_cannot_use_the_key(site: web.Site) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with aiohttp.ClientSession() as session:
        assert await ask(session, site.address.local, "POST", "/api/undo", headers) == (403, b"")


async def test_only_the_key_gets_a_login_link(site: web.Site, browser: Browser, stranger: Browser) -> None:
    assert (await browser.post("/api/login-link")).status == 404
    async with aiohttp.ClientSession() as session:
        status, body = await ask(session, site.address.local, "POST", "/api/login-link", {"Authorization": f"Bearer {KEY}"})
    assert status == 200
    assert site.login_link().encode() in body


# --- headers -----------------------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_headers(site: web.Site, browser: Browser, library: list[Photo]) -> None:
    for method, _, path in routes(site, library[0]):
        if method != "GET" or path == "/api/events":
            continue
        response = await browser.get(path)
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS, path
        picture = path.startswith(("/thumb/", "/preview/", "/full/", "/static/"))
        assert response.headers["Cache-Control"].startswith("private" if picture else "no-store"), path


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_port_80_is_known_with_and_without_its_number() -> None:
    assert "localhost" in Address("127.0.0.1", 80).hosts()
    assert "localhost" not in Address("127.0.0.1", 8765).hosts()
