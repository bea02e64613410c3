"""The page in Chinese: its scripts as well, until it is switched."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from precious_daemon.models import Photo
from tests.browser.conftest import Served, signed_in

pytestmark = pytest.mark.browser


def test_scripts_speak_the_language_of_the_page_and_its_foot_switches_it(
    chromium: Browser, served: Served, library: list[Photo]
) -> None:
    context = chromium.new_context(locale="zh-CN")
    page = signed_in(context, served)
    page.goto(served.site.address.url + "/label")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.keyboard.press("k")
    expect(page.locator("[data-words]").last).to_contain_text("1/90")
    page.keyboard.press("z")
    expect(page.get_by_role("status")).to_contain_text("已撤回，请重新回答。")

    page.goto(served.site.address.url + "/help")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="What it never does")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    context.close()
