"""The map in a real browser: moved over, opened, named; and never more of it in the page than is in view."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from precious_daemon.models import ClusterRow, Photo
from precious_daemon.store import clusters
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


@pytest.fixture
def mapped(served: Served, library: list[Photo]) -> list[Photo]:
    """Two clusters, side by side."""
    rows = [ClusterRow(p.id, n % 2, float(n), n < 2, 0.2 + 0.5 * (n % 2) + 0.04 * n, 0.5, n // 4) for n, p in enumerate(library)]
    discs = [(0, 0.3, 0.5, 0.2), (1, 0.8, 0.5, 0.2)]
    served.service.store.write(clusters.replace, rows, {"unit": 0.08}, discs)
    return library


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_map_is_moved_over_and_its_clusters_opened_and_named(
    size: tuple[int, int], owner: Page, served: Served, mapped: list[Photo]
) -> None:
    owner.set_viewport_size({"width": size[0], "height": size[1]})
    owner.goto(served.site.address.url + "/map")
    expect(owner.locator(".spot")).to_have_count(8)
    atlas = owner.locator(".atlas")
    before = owner.locator(".disc").first.evaluate("(disc) => disc.style.transform")
    atlas.focus()
    owner.keyboard.press("+")
    owner.keyboard.press("ArrowLeft")
    expect(owner.locator(".disc").first).not_to_have_attribute("style", re.compile(re.escape(before)))
    owner.keyboard.press("0")
    owner.locator("aside [data-cluster='1'] a").click()
    expect(owner.locator("[data-strip] li")).to_have_count(4)
    owner.locator("[data-rename] input").fill("hats")
    owner.get_by_role("button", name="Save").click()
    expect(owner.locator("aside [data-cluster='1']")).to_contain_text("hats")
    assert served.service.store.read(clusters.names) == {1: "hats"}
    assert owner.locator("[data-label]").get_attribute("href") == f"/cluster/{mapped[1].uid}"
    owner.locator("[data-close]").click()
    expect(owner.locator("[data-opened]")).not_to_be_visible()
    assert owner.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_service_that_does_not_answer_is_not_asked_over_and_over(
    owner: Page, served: Served, mapped: list[Photo], problems: list[str]
) -> None:
    tried: list[str] = []
    owner.route("**/api/map?*", lambda route: (tried.append(route.request.url), route.abort()))
    owner.goto(served.site.address.url + "/map")
    expect(owner.locator(".toast")).to_contain_text("The service does not answer")
    owner.wait_for_timeout(600)
    assert len(tried) == 1
    problems.clear()


def test_of_a_large_map_only_what_is_in_view_is_in_the_page(owner: Page, served: Served, library: list[Photo]) -> None:
    uid, content = library[0].uid, (library[0].content_hash or b"").hex()[:12]
    asked: list[str] = []

    def answer(route: Route) -> None:
        names = parse_qs(urlsplit(route.request.url).query)["tiles"][0].split(",")
        asked.extend(names)
        route.fulfill(json={name: [spot(*map(int, name.split(".")), n) for n in range(16)] for name in names})

    def spot(level: int, column: int, row: int, n: int) -> list[object]:
        side = 4 << level
        place = ((column * 4 + n % 4 + 0.5) / side, (row * 4 + n // 4 + 0.5) / side)
        return [f"{uid}-{level}-{column}-{row}-{n}", content, *place, 0, None]

    rows = [ClusterRow(photo.id, 0, 0.0, True, level=9) for photo in library]
    served.service.store.write(clusters.replace, rows, {"unit": 1 / 2048}, [(0, 0.5, 0.5, 0.5)])
    owner.route("**/api/map?**", answer)
    owner.route("**/thumb/*-*", lambda route: route.fulfill(body=b"", content_type="image/jpeg"))
    owner.goto(served.site.address.url + "/map")
    expect(owner.locator(".spot").first).to_be_attached()
    owner.locator(".atlas").focus()
    for _ in range(16):
        owner.keyboard.press("+")
        owner.keyboard.press("ArrowRight")
    expect(owner.locator(".atlas[data-busy]")).to_have_count(0)
    assert owner.locator(".spot").count() < 700
    assert max(int(name.split(".")[0]) for name in asked) == 9
    assert len(asked) == len(set(asked)), "each tile once"
