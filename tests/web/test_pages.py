"""Every page shows what there is, and nothing that a name says can change it."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
from pathlib import Path

import aiohttp
import pytest

from precious_daemon import web
from precious_daemon.asking import trade
from precious_daemon.folders import scan, watched
from precious_daemon.models import Glimpse, Group, GroupKind, GroupMember, Photo, PhotoState, RootState
from precious_daemon.service import Service
from precious_daemon.store import changes, groups, job_runs, photos, ratings, roots, scores
from precious_daemon.web.home import next_step
from tests.pictures import save
from tests.web.library import KEY, Browser, fill, read, root_of, suggest, taste

PAGES = (
    "/",
    "/compare",
    "/label",
    "/compare?of=4",
    "/ask",
    "/answers",
    "/highlights",
    "/ranking?of=guesses",
    "/ranking",
    "/photos",
    "/suggestions",
    "/groups",
    "/clusters",
    "/trash",
    "/log",
    "/log?kind=sent&text=a",
    "/report",
    "/jobs",
    "/jobs/scan",
    "/settings",
    "/help",
)
HOSTILE = [
    b"quote\"'.jpg",
    b"<script>alert(1)</script>.jpg",
    "\u202egpj.exe.jpg".encode(),
    b"line\nbreak.jpg",
    b"bytes\xff\xfe.jpg",
    b"{{ 7 * 7 }}.jpg",
    b"' onerror=alert(1) x='.jpg",
    b"&amp;.jpg",
]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_of_an_empty_library_is_whole(path: str, browser: Browser) -> None:
    response = await browser.get(path)
    text = await response.text()
    assert response.status == 200
    assert text.rstrip().endswith("</html>")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_holds_no_inline_script_and_no_inline_style(path: str, browser: Browser, library: list[Photo]) -> None:
    text = await (await browser.get(path)).text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert all('src="/static/' in tag for tag in re.findall(r"<script[^>]*>", text))
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', text)


@pytest.mark.parametrize("path", PAGES)
async def test_every_picture_has_its_size_and_a_text(path: str, browser: Browser, library: list[Photo]) -> None:
    for image in re.findall(r"<img[^>]*>", await (await browser.get(path)).text()):
        assert re.search(r'width="\d+" height="\d+" alt="', image), image


@pytest.fixture
def hostile(service: Service, tmp_path: Path) -> list[Photo]:
    """Photos whose names do their worst; some of them are suggested, grouped, rated and in the report."""
    folder = tmp_path / "hostile"
    for number, name in enumerate(HOSTILE):
        save(folder / os.fsdecode(name), number, (64, 48), age=3600)
    (folder / "<b>broken.jpg").write_bytes(b"no picture")
    found = read(service, folder)
    assert len(found) == len(HOSTILE)
    now = service.clock()
    suggest(service, *(taste(photo, keeper_id=found[-1].id) for photo in found[:-1]))
    members = tuple(GroupMember(photo.id, n == 0, "<i>best</i>") for n, photo in enumerate(found))
    service.store.write(groups.replace_groups, [Group(GroupKind.BURST, members)])
    for photo in found:
        service.store.write(ratings.put, 1, photo.id, ratings.Rating(30.0, 4.0, 3, 1))
    report = {
        "champion": "<b>x</b>", "why": "<script>y</script>", "learners": {"<b>x</b>": {"cv_ap": 0.5, "test": {}}},
        "mistakes": [{"photo_id": photo.id} for photo in found],
    }  # fmt: skip
    service.store.write(scores.add_model, "r", 1, "<b>x</b>", report, now)
    service.store.write(scores.put_certificate, 1, None, "<script>z</script>", 1, now)
    service.store.write(
        lambda db: job_runs.finish(db, job_runs.start(db, "scan", "owner", now), "failed", "<img src=x>\udcff", None, now)
    )
    return found


async def test_hostile_names_are_only_text(service: Service, browser: Browser, hostile: list[Photo]) -> None:
    uid = (await (await browser.get("/api/suggestions")).json())["suggestions"][0]["uid"]
    assert (await browser.post("/api/suggestions/approve", {"uids": [uid]})).status == 200
    for path in (*PAGES, "/photos?state=broken", *(f"/photo/{photo.uid}" for photo in hostile)):
        response = await browser.get(path)
        text = await response.text("utf-8")
        assert response.status == 200, path
        for sign in ("<script>", "<b>x", "<b>broken", "<i>best", "<img src=x", "\u202e", "49.jpg", "' onerror"):
            assert sign not in text, (path, sign)


async def test_hostile_names_survive_the_json(browser: Browser, hostile: list[Photo]) -> None:
    told = await (await browser.get("/api/suggestions")).text()
    named = {s["photo"]["name"] for s in json.loads(told)["suggestions"]}
    assert "bytes��.jpg" in named
    assert "line�break.jpg" in named


async def test_a_name_that_is_not_utf8_can_be_exported(service: Service, browser: Browser, hostile: list[Photo]) -> None:
    response = await browser.get("/api/ranking.csv")
    assert response.status == 200
    assert b"bytes" in await response.read()
    assert response.headers["Content-Disposition"] == 'attachment; filename="ranking.csv"'


# --- looking around ----------------------------------------------------------------------------------------------------


async def test_photos_come_newest_first_and_page_by_page(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.web.library.PHOTOS_A_PAGE", 4)
    seen: list[str] = []
    path = "/photos"
    while path:
        text = await (await browser.get(path)).text()
        seen += re.findall(r'<li[^>]*><a href="/photo/(\w+)"', text)
        older = re.search(r'<nav[^>]*data-older[^>]*>\s*<a[^>]*href="([^"]*)"', text)
        path = html.unescape(older[1]) if older else ""
    assert seen == [photo.uid for photo in library]


async def test_a_broken_photo_is_listed_with_its_reason(service: Service, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    fill(service, folder, 2)
    (folder / "torn.jpg").write_bytes(b"no picture")
    os.utime(folder / "torn.jpg", (1, 1))
    read(service, folder)
    text = await (await browser.get("/photos?state=broken")).text()
    assert "torn.jpg" in text
    assert "1 file cannot be read" in await (await browser.get("/")).text()


async def test_the_ranking_is_best_first_and_goes_on(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.web.library.RANKS_A_PAGE", 4)
    for place, photo in enumerate(library):
        service.store.write(ratings.put, 1, photo.id, ratings.Rating(30.0 + place / 7, 4.0, place, 0))
    first = await (await browser.get("/ranking")).text()
    following = re.search(r'href="(/ranking\?[^"]*after=[^"]*)"', first)
    assert following
    second = await (await browser.get(html.unescape(following[1]))).text()
    shown = [uid for text in (first, second) for uid in re.findall(r'<li[^>]*>\s*<a href="/photo/(\w+)"', text)]
    assert shown == [photo.uid for photo in reversed(library)]
    assert '<ol class="ranks" start="5">' in second


@pytest.mark.parametrize("query", ["after=x", "after=1", "after=1,2;3", "start=none", "after=nan,1", f"after=1,{10**30}"])
async def test_a_made_up_place_is_refused_and_not_an_accident(query: str, browser: Browser) -> None:
    for path in ("/photos", "/ranking", "/suggestions", "/groups", "/clusters", "/trash"):
        assert (await browser.get(f"{path}?{query}")).status in (200, 400), path


async def test_one_photo_shows_its_facts_and_its_group(service: Service, browser: Browser, library: list[Photo]) -> None:
    members = tuple(GroupMember(photo.id, n == 0, "sharpest of 2") for n, photo in enumerate(library[:2]))
    service.store.write(groups.replace_groups, [Group(GroupKind.BURST, members)])
    text = await (await browser.get(f"/photo/{library[1].uid}")).text()
    for said in (library[1].path, "96 × 72", "Frames of one moment", "Best: sharpest of 2", "Not compared yet", "No opinion yet"):
        assert said in text


async def test_pictures_come_with_a_tag_and_fall_back_to_the_thumbnail(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    uid, version = library[0].uid, library[0].content_hash.hex()[:12]  # type: ignore[union-attr]
    preview = await browser.get(f"/preview/{uid}?v={version}")
    assert preview.headers["Content-Type"] == "image/jpeg"
    assert "max-age" in preview.headers["Cache-Control"]
    assert (await browser.get(f"/preview/{uid}", If_None_Match=preview.headers["ETag"])).status == 304
    service.store.write(lambda db: db.execute("DELETE FROM cache.previews"))
    (root_of(service) / library[0].path).unlink()
    thumbnail, fallen = await browser.get(f"/thumb/{uid}?v={version}"), await browser.get(f"/preview/{uid}?v={version}")
    assert await fallen.read() == await thumbnail.read()
    assert fallen.headers["Cache-Control"] == "private, no-cache"
    assert fallen.headers["ETag"] != preview.headers["ETag"]


# --- votes in and out --------------------------------------------------------------------------------------------------


async def test_votes_go_out_and_come_in_again(service: Service, browser: Browser, library: list[Photo]) -> None:
    text = f"Winner,Loser\n{library[0].path},{library[1].path}\nnobody.jpg,{library[0].path}\n"
    form = aiohttp.FormData()
    form.add_field("file", text.encode(), filename="votes.csv", content_type="text/csv")
    response = await browser.submit("/api/votes/import", form)
    assert response.headers["Location"] == "/ranking?imported=1&unknown=1"
    shown = await (await browser.get(response.headers["Location"])).text()
    assert "1 line taken over. 1 name is not in this library." in shown
    assert (await (await browser.get("/api/votes.csv")).text()).splitlines()[1] == f"{library[0].path},{library[1].path}"
    again = await trade.import_csv(service, 1, text + f"{library[0].path},{library[1].path}\n")
    assert (again.imported, again.known) == (1, 1), "the file has that vote twice now, and so has the library"


async def test_the_command_line_sends_votes_as_text(site: web.Site, library: list[Photo]) -> None:
    text = f"Winner,Loser\n{library[0].path},{library[1].path}\n"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv; charset=utf-8"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(site.address.local + "/api/votes/import", data=text.encode(), headers=headers) as response,
    ):
        assert await response.json() == {"kind": "votes", "imported": 1, "unknown": [], "taken_out": 0, "known": 0}


async def test_a_form_without_a_file_says_what_to_do(browser: Browser) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"", filename="", content_type="application/octet-stream")
    response = await browser.submit("/api/votes/import", form)
    assert response.status == 400
    assert "Choose a CSV file first" in await response.text()


# --- folders and jobs --------------------------------------------------------------------------------------------------


async def test_a_frozen_folder_asks_and_the_owner_confirms(service: Service, browser: Browser, library: list[Photo]) -> None:
    (root,) = service.store.read(roots.all_roots)
    service.store.write(roots.set_state, root.id, RootState.FROZEN, "40 photos vanished at once.")
    text = await (await browser.get("/")).text()
    assert "is frozen" in text
    assert text.count("40 photos vanished at once.") == 1
    assert (await browser.submit(f"/api/roots/{root.id}/confirm", {})).headers["Location"] == "/"
    assert service.store.read(roots.get, root.id).state is RootState.WATCHED


async def test_a_folder_is_added_and_removed(service: Service, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    root = await (await browser.post("/api/roots", {"path": str(tmp_path / "more")})).json()
    assert root["path"] == str(tmp_path / "more")
    for folder in (str(tmp_path / "none"), "", ".", "Pictures"):  # only a whole path: nobody knows where the service was started
        refused = await browser.post("/api/roots", {"path": folder})
        assert (refused.status, (await refused.json())["kind"]) == (409, "RootError")
    assert (await (await browser.post(f"/api/roots/{root['id']}/remove")).json())["path"] == root["path"]
    assert (await browser.post("/api/roots/77/remove")).status == 404
    assert (await (await browser.get("/api/status")).json())["roots"] == [], "a folder that is not watched is no worry"
    pasted = await browser.post("/api/roots", {"path": f" '{tmp_path / 'more'}' "})
    assert (await pasted.json())["path"] == root["path"], "with the quotes of a terminal"


async def test_a_job_is_run_and_stopped_by_name(service: Service, browser: Browser) -> None:
    assert await (await browser.post("/api/jobs/scan/run")).json() == {"job": "scan", "started": True, "note": ""}
    assert (await browser.post("/api/jobs/scan/stop")).status == 200
    assert (await browser.post("/api/jobs/rm/run")).status == 404
    assert (await browser.submit("/api/jobs/scan/run", {})).headers["Location"] == "/jobs"


async def test_events_tell_what_runs_as_it_changes_and_end_with_the_service(
    service: Service, site: web.Site, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from precious_daemon.machine.progress import Progress

    now = service.clock()
    monkeypatch.setattr(service, "clock", lambda: now)
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with browser.session.get(browser.base + "/api/events", headers=headers) as stream:
        assert json.loads((await stream.content.readline())[6:]) == {"running": []}
        service.jobs.board.post(Progress("learn", "learning", 3, 10, service.clock() - 30))
        await stream.content.readline()
        (told,) = json.loads((await stream.content.readline())[6:])["running"]
        assert (told["what"], told["words"]) == ("learning", "3 of 10 · 6 a minute · 70 seconds left")
        await asyncio.wait_for(site.close(), 5)
        assert await stream.content.read() in (b"", b"\n")


# --- the first page ----------------------------------------------------------------------------------------------------


def situation(**changes: object) -> dict[str, object]:
    quiet = {
        "roots": [{"id": 1}],
        "photos": {"present": 500},
        "running": [],
        "answers": {"train": 45, "train_goal": 45, "test": 45, "test_goal": 45, "votes": 0},
        "suggestions": {"open": 0, "bytes": 0},
        "model": {},
        "unsupported": {},
        "certificate": {"needed": None},
    }
    return quiet | changes


def answered(train: int, test: int) -> dict[str, int]:
    return {"train": train, "train_goal": 45, "test": test, "test_goal": 45, "votes": 0}


@pytest.mark.parametrize(
    ("now", "title"),
    [
        (situation(photos={"present": 1, "new": 4}), "Your photos are being read"),
        (situation(photos={}, running=[{}]), "Your photos are being read"),
        (situation(photos={"present": 1}), "One photo so far"),
        (situation(photos={"broken": 4}), "No photos yet"),
        (situation(photos={}), "No photos yet"),
        (situation(answers=answered(40, 38)), "12 quick answers to go"),
        (situation(answers=answered(45, 38)), "7 quick answers to go"),
        (situation(answers=answered(1, 1), photos={"present": 3}), "1 quick answer to go"),
        (situation(answers=answered(2, 1), photos={"present": 3}, model=None), "Every photo is answered"),
        (situation(model=None), "Ready to learn"),
        (situation(suggestions={"open": 34, "bytes": 10**9}), "Review 34 suggestions"),
        (situation(certificate={"needed": 1}), "1 more answer to certify"),
        (situation(), "All is well"),
    ],
)
def test_the_first_page_says_what_is_worth_doing_now(now: dict[str, object], title: str) -> None:
    assert next_step(now).title == title


def test_a_folder_of_videos_is_not_called_empty() -> None:
    assert "only 3 .mov" in next_step(situation(photos={}, unsupported={".mov": 3})).sentence


async def test_an_accident_is_logged_and_calm(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(photos, "counts", fail)
    response = await browser.get("/photos")
    assert response.status == 500
    assert "secret detail" not in await response.text()
    assert "secret detail" in caplog.text


async def test_an_unknown_address_is_a_page_for_people_and_json_for_scripts(browser: Browser) -> None:
    page, api = await browser.get("/nothing"), await browser.get("/api/nothing")
    assert (page.status, api.status) == (404, 404)
    assert "Not found" in await page.text()
    assert (await api.json())["error"] == "There is nothing here by that name."


async def test_static_files_are_only_those_there_are(browser: Browser) -> None:
    for name in ("style.css", "app.js", "icon.svg"):
        response = await browser.get(f"/static/{name}")
        assert response.status == 200
        assert (await browser.get(f"/static/{name}", If_None_Match=response.headers["ETag"])).status == 304
    for name in ("..%2Fapp.py", "none.js", "style.css%00"):
        assert (await browser.get(f"/static/{name}")).status == 404


async def test_pause_is_a_form_on_the_home_page_and_so_is_its_end(
    browser: Browser, library: list[Photo], service: Service
) -> None:
    assert 'action="/api/pause"' in await (await browser.get("/")).text()
    assert (await browser.submit("/api/pause", {"for": "1h"}, Accept="text/html")).status == 303
    assert service.jobs.paused
    for page in ("/", "/jobs"):
        shown = await (await browser.get(page)).text()
        assert "Paused until today" in shown or "Paused until tomorrow" in shown
        assert 'action="/api/resume"' in shown
    note = await (await browser.post("/api/jobs/scan/run")).json()
    assert "stays paused" in note["note"]
    assert (await browser.submit("/api/resume", {}, Accept="text/html")).status == 303
    assert not service.jobs.paused
    refused = await browser.post("/api/pause", {"for": "a while"})
    assert "no length of time" in (await refused.json())["error"]


async def test_new_photos_are_on_the_grid_before_they_are_read(browser: Browser, service: Service, tmp_path: Path) -> None:
    """What a first look saw is a picture that can be voted on; what it did not is a tile, and is asked about later."""
    seen, unseen = save(tmp_path / "a.jpg", 1, age=60), save(tmp_path / "b.jpg", 2, age=50)
    root = watched.add_root(service.store, str(tmp_path), 0.0)
    scan.scan(service.store, root, service.settings.watch, service.clock)
    assert (await (await browser.get("/photos")).text()).count("Waits to be read") == 2
    for entry in service.store.read(photos.to_ingest, 10, [root.id]):
        look = Glimpse(320, 240, "JPEG", 1e9, "name", None, seen.read_bytes() if entry.path == seen.name else b"")
        service.store.write(changes.record_glimpse, entry, look, 0.0)
    (shown,) = service.store.read(photos.page, PhotoState.PRESENT)
    (waiting,) = service.store.read(photos.page, PhotoState.NEW)
    assert (shown.path, waiting.path) == (seen.name, unseen.name)
    grid = await (await browser.get("/photos")).text()
    assert grid.count("Waits to be read") == 1
    assert f"/thumb/{shown.uid}" in grid
    assert f"/photo/{waiting.uid}" in grid
    assert (await browser.get(f"/thumb/{shown.uid}")).status == 200
    assert (await (await browser.get("/api/question?kind=label")).json())["next"]["photos"][0]["uid"] == shown.uid
    assert (await (await browser.get("/api/question?kind=pair")).json())["next"] is None


async def test_full_disk_is_said_and_what_to_do(service: Service, browser: Browser, library: list[Photo]) -> None:
    """The library may not grow by a page: what SQLite says then is what it says on a full disk."""
    pages = service.store.write(lambda db: db.execute("PRAGMA main.page_count").fetchone()[0])
    service.store._writer.submit(lambda: service.store._db.execute(f"PRAGMA main.max_page_count = {pages}")).result()  # type: ignore[union-attr]
    answer = {"question": "label", "choice": "keep", "photos": [library[0].uid], "purpose": "train"}
    for number in range(2000):
        sent = await browser.post("/api/answer", {**answer, "request": f"{number:0190}"})
        if sent.status != 200:
            break
    assert sent.status == 507
    assert "Make room" in (await sent.json())["error"]
    assert (await browser.get("/")).status == 200
