"""Passwords: who gets in with one, who waits, and what a password closes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from precious_daemon import config, web
from precious_daemon.config import Places, Settings
from precious_daemon.errors import PreciousError, SignInRefused
from precious_daemon.jobs import open_service
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import passwords as stored
from precious_daemon.store import sessions
from precious_daemon.suggesting import people
from precious_daemon.web import passwords
from precious_daemon.web.passwords import Door, wait_after
from tests.web.library import KEY, Browser
from tests.web.matrix import free_port

GOOD = "correct horse battery"


async def test_a_password_set_in_the_page_signs_in_without_a_script(
    service: Service, site: web.Site, browser: Browser, stranger: Browser
) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        other = Browser(session, site.address.local)
        assert 'name="password"' not in await (await other.get("/login")).text()
        assert (await browser.submit("/api/password", {"password": GOOD, "again": GOOD})).status == 303
        form = await (await other.get("/login")).text()
        assert re.search(r'<form[^>]*method="post" action="/login">', form)
        assert 'name="name"' in form
        assert 'autocomplete="username"' in form
        assert re.search(r'type="password" name="password" required autocomplete="current-password"', form)
        refused = await other.submit("/login", {"name": "", "password": "wrong"})
        assert (refused.status, "Set-Cookie" in refused.headers) == (403, False)
        assert "do not go together" in await refused.text()
        unknown = await other.submit("/login", {"name": "nobody", "password": GOOD})
        assert "do not go together" in await unknown.text()
        assert (await other.submit("/login", {"name": "OWNER", "password": GOOD})).status == 303
        assert (await other.get("/settings")).status == 200
        (listed,) = [s for s in (await (await other.get("/api/sessions")).json())["sessions"] if s["this"]]
        assert (listed["voter"], listed["address"]) == ("owner", "")
        # a new password: the other browsers are signed out, and the present one has to be shown
        wrong = await other.post("/api/password", {"password": "another good one", "current": "not it"})
        assert (wrong.status, (await wrong.json())["kind"]) == (403, "SignInRefused")
        done = await other.post("/api/password", {"password": "another good one", "current": GOOD})
        assert done.status == 200
        assert (await other.get("/settings")).status == 200
        assert (await browser.get("/settings")).status == 303
    kept = service.store.read(stored.get, people.OWNER)
    assert kept is not None
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize(("new", "again"), [("short", "short"), ("aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa"), (GOOD, GOOD + "x")])
async def test_a_weak_or_mistyped_password_is_refused_in_words(new: str, again: str, browser: Browser) -> None:
    sent = await browser.post("/api/password", {"password": new, "again": again})
    assert sent.status == 400
    assert "Nothing was changed" in (await sent.json())["error"]


def test_nobody_waits_for_four_failures_and_then_twice_as_long_each_time() -> None:
    assert [wait_after(count, 300.0) for count in range(9)] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert wait_after(5000, 300.0) == 300.0


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the hashing child is asked; `GOOD` is right, without its quarter of a second."""
    asked: list[dict[str, object]] = []

    async def ask(what: dict[str, object]) -> dict[str, object]:
        asked.append(what)
        return {"right": what["password"] == GOOD and what["hash"] == "known", "hash": None}

    monkeypatch.setattr(passwords, "_ask", ask)
    return asked


async def waits(door: Door, name: str, text: str, address: str) -> float:
    with pytest.raises(SignInRefused) as refused:
        await door.knock(name, text, address)
    return refused.value.wait


async def test_who_fails_waits_longer_each_time_and_a_restart_forgives_nobody(
    here: Places, child: list[dict[str, object]]
) -> None:
    now = [1_000_000.0]
    service = open_service(here, Settings(), lambda: now[0])
    service.store.write(stored.put, people.OWNER, "known", 0.0)
    for _ in range(5):
        assert await waits(Door(service), "", "wrong", "192.0.2.7") == 0
    asked = len(child)
    assert await waits(Door(service), "", GOOD, "192.0.2.7") == 1
    assert await waits(Door(service), "", GOOD, "198.51.100.1") == 1, "the account waits whoever asks"
    assert await waits(Door(service), "somebody else", GOOD, "192.0.2.7") == 1, "and so does the address"
    assert len(child) == asked, "nothing is checked meanwhile"
    service.store.close()

    service = open_service(here, Settings(), lambda: now[0])
    assert await waits(Door(service), "", GOOD, "192.0.2.7") == 1
    now[0] += 1.1
    assert await waits(Door(service), "", "wrong", "192.0.2.7") == 0
    assert await waits(Door(service), "", GOOD, "192.0.2.7") == 2
    now[0] += 2.1
    assert await Door(service).knock("", GOOD, "192.0.2.7") == people.OWNER
    assert await waits(Door(service), "", "wrong", "192.0.2.7") > 0, "of the address the failures still count"
    assert await Door(service).knock("", GOOD, "192.0.2.8") == people.OWNER
    now[0] -= 86400 * 365
    assert await Door(service).knock("", GOOD, "192.0.2.7") == people.OWNER, "a clock that was set back keeps nobody out"
    service.store.close()


async def test_all_addresses_of_one_ipv6_network_are_one(here: Places, child: list[dict[str, object]]) -> None:
    service = open_service(here, Settings(), lambda: 1_000_000.0)
    for number in range(5):
        assert await waits(Door(service), f"guess {number}", GOOD, f"2001:db8::{number}") == 0
    assert await waits(Door(service), "guess", GOOD, "2001:db8::ffff") == 1
    assert await waits(Door(service), "guess", GOOD, "2001:db8:1::1") == 0
    service.store.close()


async def test_many_tries_at_once_are_counted_one_by_one(here: Places, child: list[dict[str, object]]) -> None:
    import asyncio

    service = open_service(here, Settings(), lambda: 1_000_000.0)
    door = Door(service)
    told = await asyncio.gather(*(door.knock("", "wrong", "192.0.2.7") for _ in range(40)), return_exceptions=True)
    assert all(isinstance(one, SignInRefused) for one in told)
    assert len(child) == 5
    service.store.close()


# --- what a password closes --------------------------------------------------------------------------------------------


async def test_a_profile_with_a_password_is_not_switched_to_without(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    anna = (await (await browser.post("/api/people", {"name": "Anna"})).json())["id"]
    service.store.write(stored.put, people.OWNER, "known", 0.0)
    assert (await browser.post("/api/people/switch", {"voter": anna})).status == 200
    back = await browser.submit("/api/people/switch", {"voter": str(people.OWNER)})
    assert back.headers["Location"] == "/login?name=owner"
    assert 'value="owner"' in await (await browser.get("/login?name=owner")).text()
    assert (await browser.post("/api/people/switch", {"voter": people.OWNER})).status == 403
    assert (await (await browser.get("/api/people")).json())["you"] == anna


async def test_a_profile_sees_and_ends_its_own_browsers_alone(service: Service, browser: Browser, library: list[Photo]) -> None:
    anna = (await (await browser.post("/api/people", {"name": "Anna"})).json())["id"]
    service.store.write(stored.put, people.OWNER, "known", 0.0)
    service.store.write(sessions.add, b"the owner's", people.OWNER, service.clock(), "", "192.0.2.9")
    (owners,) = [s for s in service.store.read(sessions.all_sessions, 0) if s.address == "192.0.2.9"]
    await browser.post("/api/people/switch", {"voter": anna})
    listed = (await (await browser.get("/api/sessions")).json())["sessions"]
    assert [s["voter"] for s in listed] == ["Anna"]
    assert (await browser.post(f"/api/sessions/{owners.id}/end")).status == 404
    assert "Your browsers" in await (await browser.get("/people")).text()


async def test_browsers_of_a_retired_profile_do_not_become_the_owners(service: Service, browser: Browser) -> None:
    anna = (await (await browser.post("/api/people", {"name": "Anna"})).json())["id"]
    service.store.write(stored.put, people.OWNER, "known", 0.0)
    await browser.post("/api/people/switch", {"voter": anna})
    service.store.write(people.retire, anna, 1.0)
    assert (await browser.get("/")).status == 303


# --- the network -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def proxied(here: Places) -> AsyncIterator[web.Site]:
    """Behind a reverse proxy that is called photos.example."""
    text = {"listen": [f"127.0.0.1:{free_port()}"], "behind_proxy": True, "hostnames": ["photos.example"]}
    service = open_service(here, config.parse({"web": text}))
    service.store.write(stored.put, people.OWNER, "known", 0.0)
    site = await web.serve(service, token=KEY, everywhere=True)
    yield site
    await service.jobs.stop()
    await site.close()
    service.store.close()


async def test_behind_a_proxy_names_cookies_and_addresses_are_those_of_the_browser(
    proxied: web.Site, child: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = proxied.binds[1].address.port
    base = f"http://127.0.0.1:{port}"
    own = {"Host": "photos.example", "Origin": "https://photos.example", "X-Forwarded-For": "1.1.1.1, 192.0.2.77"}
    async with aiohttp.ClientSession() as session:
        for wrong in ({"Host": f"127.0.0.1:{port}"}, {"Origin": "http://photos.example"}):
            async with session.post(base + "/login", data={"password": GOOD}, headers=own | wrong) as response:
                assert (response.status, await response.read()) == (403, b"")
        async with session.post(base + "/login", data={"password": GOOD}, headers=own, allow_redirects=False) as response:
            assert response.status == 303
            cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"__Host-precious-{port}=")
    assert "Secure" in cookie
    (signed_in,) = proxied.app[web.keys.SERVICE].store.read(sessions.all_sessions, 0)
    assert signed_in.address == "192.0.2.77"
    assert proxied.app[web.keys.SERVICE].served[1].url == "https://photos.example"


async def test_a_browser_is_told_to_keep_to_tls_only_by_a_certificate_that_it_knows(site: web.Site, stranger: Browser) -> None:
    addresses, port = site.app[web.keys.ADDRESSES], site.address.port
    known = replace(site.address, port=443, scheme="https", certified=True)
    for address, told in ((site.address, False), (known, True), (replace(known, certified=False), False)):
        addresses[port] = address
        response = await stranger.get("/login", Host="localhost" if address.port == 443 else f"localhost:{port}")
        assert response.status == 200
        assert ("Strict-Transport-Security" in response.headers) is told


async def test_the_network_is_not_let_in_without_a_password(here: Places) -> None:
    service = open_service(here, config.parse({"web": {"listen": [f"127.0.0.1:{free_port()}"]}}))
    with pytest.raises(PreciousError, match=r"takes a password.*precious-daemon password"):
        await web.serve(service, everywhere=True)
    service.store.write(stored.put, people.OWNER, "known", 0.0)
    site = await web.serve(service, everywhere=True)
    with pytest.raises(PreciousError, match=r"Empty web\.listen"):
        await passwords.remove(service, people.OWNER)
    await site.close()
    service.store.close()
