"""The login link works once; the session it gives lasts, and can be ended."""

from __future__ import annotations

import re

import pytest

from precious_daemon import web
from precious_daemon.config import Places
from precious_daemon.errors import ServiceError
from precious_daemon.service import Service
from precious_daemon.web.guard import SESSION_SECONDS
from tests.web.library import Browser


def token(site: web.Site) -> str:
    return site.login_link().partition("token=")[2]


async def test_following_the_link_changes_nothing_and_its_button_signs_in(site: web.Site, stranger: Browser) -> None:
    link = site.login_link()
    for _ in range(3):
        shown = await stranger.get("/login" + link.partition("/login")[2], Sec_Fetch_Site="none")
        assert shown.status == 200
        assert "Set-Cookie" not in shown.headers
    assert site.login_link() == link
    found = re.search(r'name="token" value="([^"]+)"', await shown.text())
    assert found
    entered = await stranger.submit("/login", {"token": found[1]})
    assert (entered.status, entered.headers["Location"]) == (303, "/")
    assert (await stranger.get("/")).status == 200


async def test_the_link_works_once(site: web.Site, stranger: Browser) -> None:
    used = token(site)
    assert (await stranger.submit("/login", {"token": used})).status == 303
    again = await stranger.submit("/login", {"token": used})
    assert again.status == 403
    assert "Set-Cookie" not in again.headers
    assert token(site) != used


@pytest.mark.parametrize("wrong", ["", "x", "\udcff", "é" * 1000])
async def test_a_wrong_token_is_refused(wrong: str, site: web.Site, stranger: Browser) -> None:
    body = wrong.encode("utf-8", "surrogateescape").decode("latin-1")
    assert (await stranger.submit("/login", {"token": body})).status == 403


async def test_the_cookie_cannot_be_read_by_scripts_nor_sent_from_elsewhere(site: web.Site, stranger: Browser) -> None:
    cookie = (await stranger.submit("/login", {"token": token(site)})).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert f"Max-Age={SESSION_SECONDS}" in cookie


async def test_only_a_hash_of_the_session_is_stored(site: web.Site, browser: Browser, here: Places) -> None:
    (cookie,) = [c.value for c in browser.session.cookie_jar]
    stored = b"".join(file.read_bytes() for file in here.data.glob("library.db*"))
    assert cookie.encode() not in stored


async def test_a_session_ends_after_30_days_and_is_renewed_by_what_its_owner_does(service: Service, browser: Browser) -> None:
    start = service.clock()
    service.clock = lambda: start + 20 * 86400
    assert "Set-Cookie" not in (await browser.get("/")).headers
    assert "Set-Cookie" in (await browser.post("/api/jobs/scan/stop")).headers
    service.clock = lambda: start + 45 * 86400
    assert (await browser.get("/")).status == 200
    service.clock = lambda: start + 51 * 86400
    assert (await browser.get("/")).status == 303


async def test_signing_out_ends_the_session_on_the_server_too(browser: Browser) -> None:
    (cookie,) = list(browser.session.cookie_jar)
    assert (await browser.submit("/logout", {})).status == 303
    browser.session.cookie_jar.update_cookies({cookie.key: cookie.value})
    assert (await browser.get("/")).status == 303


async def test_a_signed_in_browser_is_taken_from_the_login_page_home(browser: Browser) -> None:
    assert (await browser.get("/login")).headers["Location"] == "/"


async def test_a_port_in_use_is_one_clear_sentence(service: Service, site: web.Site) -> None:
    with pytest.raises(ServiceError, match=f"Port {site.address.port} is in use"):
        await web.serve(service, port=site.address.port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.com"])
async def test_only_loopback_is_served(host: str, service: Service) -> None:
    with pytest.raises(ServiceError, match="this machine alone"):
        await web.serve(service, host=host)
