"""The page of the settings: what is typed is checked, saved and in force; who is signed in; keys for scripts."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import aiohttp
import pytest

from precious_daemon import web
from precious_daemon.config import Places, Settings
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import roots
from precious_daemon.web import scopes
from precious_daemon.web.access import browser_name
from precious_daemon.web.settings import SECTIONS
from tests.pictures import save
from tests.web.library import KEY, Browser


async def as_typed(browser: Browser) -> dict[str, str]:
    """The form of the page, as a browser would send it back."""
    told = await (await browser.get("/api/settings")).json()
    return {name: row["value"] for name, row in told["settings"].items() if name != "plugins.folder"}


async def test_a_setting_is_saved_and_in_force(service: Service, browser: Browser, here: Places) -> None:
    form = await as_typed(browser) | {"schedule.night": "03:45", "watch.ignore": "one\ntwo", "schedule.on_battery": "true"}
    sent = await browser.submit("/api/settings", form)
    assert (sent.status, sent.headers["Location"]) == (303, "/settings?saved")
    assert service.settings.schedule.night == "03:45"
    assert service.settings.watch.ignore == ("one", "two")
    text = "\n".join(line for line in here.config_file.read_text().splitlines() if line and line[0] not in "#[")
    assert text == 'ignore = ["one", "two"]\nnight = "03:45"\non_battery = true', "what was not changed is not written"
    assert "03:45" in await (await browser.get("/settings")).text()


async def test_a_mistake_keeps_what_was_typed_and_saves_nothing(service: Service, browser: Browser, here: Places) -> None:
    form = await as_typed(browser) | {"schedule.night": "25:99", "ask.train_labels": "50"}
    sent = await browser.submit("/api/settings", form)
    text = await sent.text()
    assert sent.status == 400
    assert "has to be a time like" in text
    assert 'value="25:99"' in text
    assert service.settings.ask.train_labels == 45
    assert not here.config_file.exists()
    for wrong in ({"web.prot": "1"}, {"web.port": 8000}, {"plugins.folder": "/tmp"}):
        assert (await browser.post("/api/settings", wrong)).status == 400


async def test_what_the_environment_says_is_shown_and_not_sent(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECIOUS_ASK_TRAIN_LABELS", "60")
    assert (await browser.post("/api/reload")).status == 200
    text = await (await browser.get("/settings")).text()
    field = re.search(r'<input type="number" id="ask.train_labels-field"[^>]*>', text)
    assert field
    assert "disabled" in field[0]
    assert 'value="60"' in field[0]
    assert "PRECIOUS_ASK_TRAIN_LABELS" in text


# --- the first start ---------------------------------------------------------------------------------------------------


async def test_an_empty_library_asks_three_questions_and_starts(
    service: Service, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "Pictures" / "a.jpg", 1, (32, 24))
    text = await (await browser.get("/")).text()
    assert f'name="folders" value="{tmp_path / "Pictures"}" checked' in text
    text = await (await browser.submit("/api/setup", [("path", " '/no/where' "), ("care", "very")])).text()
    assert "There is no folder /no/where." in text
    assert re.search(r"name=\"path\" value=\" &#39;/no/where&#39; \".* autofocus", text), "what was typed stays to be mended"
    assert 'value="very" checked' in text
    form = [("folders", str(tmp_path / "Pictures")), ("path", ""), ("night", "01:15"), ("care", "very")]
    assert (await browser.submit("/api/setup", form)).status == 303
    assert [root.path for root in service.store.read(roots.all_roots)] == [str(tmp_path / "Pictures")]
    assert (service.settings.schedule.night, service.settings.certify.alpha) == ("01:15", 0.02)
    assert "Where are your photos?" not in await (await browser.get("/")).text()


# --- who may come in ---------------------------------------------------------------------------------------------------


async def test_a_browser_is_listed_and_signed_out(site: web.Site, browser: Browser) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        other = Browser(session, site.address.local)
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        token = site.login_link().partition("token=")[2]
        assert (await other.submit("/login", {"token": token}, User_Agent=agent)).status == 303
        listed = (await (await browser.get("/api/sessions")).json())["sessions"]
        (lost,) = [s for s in listed if not s["this"]]
        assert lost["browser"] == "Firefox on Linux"
        assert (await browser.submit(f"/api/sessions/{lost['id']}/end", {})).status == 303
        assert (await other.get("/")).status == 303
        assert (await browser.get("/")).status == 200
    assert (await browser.post(f"/api/sessions/{lost['id']}/end")).status == 404


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 (KHTML) Version/18.0 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 Chrome/140 Mobile Safari/537", "Chrome on Android"),
        ("curl/8", "curl/8"),
        ("", "an unknown browser"),
    ],
)
def test_a_browser_is_called_what_its_owner_calls_it(agent: str, name: str) -> None:
    assert browser_name(agent) == name


async def ask(site: web.Site, key: str, method: str, path: str, body: object = None) -> int:
    """A script with a key."""
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {key}"}
        extra = {"json": body or {}} if method == "POST" else {}
        async with session.request(
            method, site.address.local + path, headers=headers, allow_redirects=False, **extra
        ) as response:
            return response.status


async def made(browser: Browser, scope: str) -> str:
    found = await (await browser.post("/api/tokens", {"name": f"a {scope} script", "scope": scope})).json()
    return str(found["token"])


async def test_a_key_may_what_its_scope_says_and_no_more(site: web.Site, browser: Browser, library: list[Photo]) -> None:
    keys = {scope: await made(browser, scope) for scope in scopes.SCOPES}
    uid = library[0].uid
    for path in ("/api/status", f"/thumb/{uid}", f"/preview/{uid}", "/metrics", "/api/openapi.json"):
        assert await ask(site, keys["read"], "GET", path) == 200, path
    for path in ("/", "/photos", "/settings", "/api/settings", "/api/tokens", "/api/sessions"):
        assert await ask(site, keys["review"], "GET", path) == 403, path
    answer = {"question": "label", "choice": "keep", "photos": [uid], "purpose": "train", "request": "once"}
    assert await ask(site, keys["read"], "POST", "/api/answer", answer) == 403
    assert await ask(site, keys["vote"], "POST", "/api/answer", answer) == 200
    assert await ask(site, keys["vote"], "POST", "/api/jobs/scan/stop") == 403
    assert await ask(site, keys["review"], "POST", "/api/jobs/scan/stop") == 200
    for path in ("/api/settings", "/api/tokens", "/api/roots", "/api/trash/purge", "/api/login-link", "/api/setup"):
        assert await ask(site, keys["review"], "POST", path) == 403, path


async def test_every_route_is_closed_to_keys_unless_it_is_named(site: web.Site) -> None:
    """A route that is added is the owner's alone; a scope that names no route is a mistake in the table."""
    there = {(r.method, r.resource.canonical) for r in site.app.router.routes() if r.resource}
    for route in scopes._VOTE | scopes._REVIEW:
        assert ("POST", route) in there, route
    for route in scopes._READ | scopes._CLOSED:
        assert ("GET", route) in there, route
    assert scopes.needed("POST", "/api/anything/new") is None


async def test_a_revoked_key_and_a_made_up_one_are_refused(site: web.Site, browser: Browser, here: Places) -> None:
    key = await made(browser, "read")
    assert await ask(site, key, "GET", "/api/status") == 200
    (listed,) = (await (await browser.get("/api/tokens")).json())["tokens"]
    assert listed["used_at"]
    stored = b"".join(file.read_bytes() for file in here.data.glob("library.db*"))
    assert key.encode() not in stored, "only its hash is kept"
    assert (await browser.post("/api/tokens", {"name": "a read script"})).status == 400, "the name is taken"
    assert (await browser.submit("/api/tokens/a%20read%20script/revoke", {})).status == 303
    assert await ask(site, key, "GET", "/api/status") == 401
    assert await ask(site, scopes.PREFIX + "x" * 43, "GET", "/api/status") == 401


async def test_a_key_is_shown_once_on_the_page(browser: Browser) -> None:
    sent = await browser.submit("/api/tokens", {"name": "<b>backup</b>"})
    assert sent.status == 400
    shown = await (await browser.submit("/api/tokens", {"name": "backup", "scope": "vote"})).text()
    (key,) = re.findall(rf"<code>({scopes.PREFIX}[\w-]+)</code>", shown)
    assert key not in await (await browser.get("/settings")).text()


async def test_the_owner_s_commands_are_no_browser_and_make_keys(site: web.Site) -> None:
    assert await ask(site, KEY, "POST", "/api/tokens", {"name": "cron"}) == 200


def test_every_section_has_a_title() -> None:
    assert set(SECTIONS) == {field.name for field in fields(Settings)} - {"plugin"}
