"""What a photo's file says, on its page, beside another's, and in the sheet over a question."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from precious_daemon.models import PhotoState
from precious_daemon.service import Service
from precious_daemon.store import photos
from precious_daemon.web.facts import side_by_side
from tests.pictures import picture, save, settle
from tests.web.library import Browser, fill, read


def shot(path: Path, lens: str) -> None:
    """With everything that a camera can say."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Fujifilm", "X-T5"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9011] = "2024:01:31 12:30:05", "+05:30"
    details[0xA434], details[0x829A], details[0x829D], details[0x8827], details[0x920A] = lens, 0.004, 2.8, 400, 50.0
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (48.0, 12.0, 29.5), "E", (16.0, 22.0, 18.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(1, (96, 72)).save(path, quality=90, exif=exif)
    settle(path)


async def test_page_of_a_photo_says_all_that_its_file_does(browser: Browser, service: Service, tmp_path: Path) -> None:
    shot(tmp_path / "a.jpg", "XF 50 mm")
    (tmp_path / "a.xmp").write_text("<x/>")
    settle(tmp_path / "a.xmp")
    (photo,) = read(service, tmp_path)
    shown = await (await browser.get(f"/photo/{photo.uid}")).text()
    for text in (
        "Fujifilm X-T5", "XF 50 mm", "1/250 s, f/2.8, ISO 400, 50 mm", "48.20819, 16.37169",
        "(UTC+5:30), by the camera&#39;s clock",
        "96 × 72, 0.0 megapixels, JPEG", "Sharpness", "brightness", "a.jpg, ", "a.xmp, 4 bytes: sidecar, the same name",
    ):  # fmt: skip
        assert text in shown, text


async def test_why_a_photo_stands_apart_is_said_everywhere(browser: Browser, service: Service, tmp_path: Path) -> None:
    for number, name in enumerate(("a.jpg", "a.jpeg")):
        save(tmp_path / name, number)
    (tmp_path / "a.mov").write_bytes(b"film")
    settle(tmp_path / "a.mov")
    photo, _ = read(service, tmp_path)
    why = "a.mov could belong to a.jpeg or a.jpg"
    assert why in await (await browser.get(f"/photo/{photo.uid}")).text()
    assert (await (await browser.get("/api/status")).json())["apart"] == 2
    assert "2 photos stand apart" in await (await browser.get("/")).text()
    assert (await (await browser.get("/photos/apart")).text()).count(why) == 2


async def test_two_photos_are_shown_side_by_side_without_a_script(browser: Browser, service: Service, tmp_path: Path) -> None:
    shot(tmp_path / "a.jpg", "XF 50 mm")
    shot(tmp_path / "b.jpg", "XF 23 mm")
    uids = [photo.uid for photo in read(service, tmp_path)]
    for page in ("/compare", "/label"):
        assert 'href="/facts?photo=' in await (await browser.get(page)).text()
    query = "&".join(f"photo={uid}" for uid in uids)
    shown = await (await browser.get(f"/facts?{query}")).text()
    assert "XF 50 mm" in shown
    assert "XF 23 mm" in shown
    rows = {row["name"]: row for row in (await (await browser.get(f"/api/facts?{query}")).json())["rows"]}
    assert rows["Lens"]["differ"]
    assert not rows["Camera"]["differ"]


@pytest.mark.parametrize("query", ["", "?photo=nobody", "?" + "&".join(["photo=x"] * 5)])
async def test_facts_of_no_photo_or_too_many_are_refused(browser: Browser, query: str) -> None:
    assert (await browser.get(f"/api/facts{query}")).status in (400, 404)


def test_side_by_side_keeps_the_order_and_joins_what_one_photo_says_twice() -> None:
    one, other = [("File", "a"), ("Beside it", "b"), ("Beside it", "c")], [("File", "a"), ("Lens", "50 mm")]
    assert side_by_side([one, other]) == [
        ("File", ["a", "a"], False), ("Beside it", ["b; c", ""], True), ("Lens", ["", "50 mm"], True),
    ]  # fmt: skip


async def test_photo_not_read_yet_has_a_page_of_its_own(browser: Browser, service: Service, tmp_path: Path) -> None:
    fill(service, tmp_path / "photos", 1)
    save(tmp_path / "photos" / "new.jpg", 7)
    from precious_daemon.folders import scan
    from precious_daemon.store import roots

    scan.scan(service.store, service.store.read(roots.all_roots)[0], service.settings.watch, time.time)
    (new,) = service.store.read(photos.page, PhotoState.NEW)
    assert "new.jpg" in await (await browser.get(f"/photo/{new.uid}")).text()
