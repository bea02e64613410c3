"""The grid of photos without an end: what comes near is fetched, what is far is given back, and any month is a press away."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from precious_daemon.models import Photo, Stamp
from precious_daemon.store import Database, changes
from precious_daemon.web import library as pages
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

COUNT, A_PAGE, DAY = 480, 12, 86400.0


@pytest.fixture
def many(served: Served, library: list[Photo], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Uids of photos of 480 days, newest first, a dozen on a page; all look alike."""
    monkeypatch.setattr(pages, "PHOTOS_A_PAGE", A_PAGE)
    seen = library[0]

    def fill(db: Database) -> None:
        db.execute("UPDATE photos SET state = 'missing'")
        for number in range(COUNT):
            photo = changes.add_still(db, seen.root_id, f"{number}.jpg", Stamp(1, number, 1, 0), 0.0)
            looks = "state = 'present', content_hash = ?, width = 96, height = 72, taken_at = ?"
            db.execute(f"UPDATE photos SET {looks} WHERE id = ?", [seen.content_hash, 1e9 + number * DAY, photo])

    served.service.store.write(fill)
    sql = "SELECT uid FROM photos WHERE state = 'present' ORDER BY taken_at DESC"
    return [row[0] for row in served.service.store.read(lambda db: db.execute(sql).fetchall())]


def in_view(page: Page) -> list[str]:
    """Uids of the photos in the window, in their order."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll(".chunk .grid li")].filter((item) => {
            const box = item.getBoundingClientRect();
            return box.bottom > 0 && box.top < innerHeight;
        }).map((item) => item.id.slice(1))"""
    )
    return found


def settle(page: Page) -> None:
    """Until nothing is being fetched, a frame after the last scrolling."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
    expect(page.locator("main [data-busy]")).to_have_count(0)


def test_scrolling_shows_every_photo_in_its_order_and_keeps_few(owner: Page, served: Served, many: list[str]) -> None:
    owner.set_viewport_size({"width": 900, "height": 500})
    owner.goto(served.site.address.url + "/photos")
    seen: dict[str, None] = {}
    most = 0
    for _ in range(COUNT):
        settle(owner)
        seen |= dict.fromkeys(in_view(owner))
        most = max(most, owner.locator(".chunk .grid li").count())
        if many[-1] in seen:
            break
        owner.evaluate("scrollBy(0, 350)")
    assert list(seen) == many
    assert most < COUNT / 2
    owner.evaluate("scrollTo(0, 0)")
    expect(owner.locator(f"#p{many[0]}")).to_be_in_viewport()


def test_any_month_is_a_press_away_and_newer_photos_are_above_it(owner: Page, served: Served, many: list[str]) -> None:
    owner.goto(served.site.address.url + "/photos")
    owner.get_by_text("Jump to").click()
    owner.locator("dt", has_text="2002").locator("..").get_by_role("link", name="May").click()
    first = owner.locator(".chunk").filter(has_text="May 2002").locator("li").first.get_attribute("id")
    assert first
    expect(owner.locator(f"#{first}")).to_be_in_viewport()
    expect(owner.locator(f"#p{many[many.index(first[1:]) - 1]}")).to_be_attached()
    settle(owner)
    expect(owner.locator(f"#{first}")).to_be_in_viewport()
    owner.get_by_role("link", name="Newest").click()
    expect(owner.locator(f"#p{many[0]}")).to_be_in_viewport()


def test_who_looks_at_a_photo_comes_back_to_where_it_is(owner: Page, served: Served, many: list[str]) -> None:
    owner.set_viewport_size({"width": 900, "height": 500})
    owner.goto(served.site.address.url + "/photos")
    for _ in range(6):
        settle(owner)
        owner.evaluate("scrollBy(0, 400)")
    settle(owner)
    looked_at = in_view(owner)[0]
    owner.locator(f"#p{looked_at} a").click()
    owner.wait_for_url("**/photo/*")
    owner.go_back()
    expect(owner.locator(f"#p{looked_at}")).to_be_in_viewport()
