"""Two people at one page: switching, and whose answer it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from precious_daemon.models import Photo
from precious_daemon.suggesting import people
from tests.browser.conftest import Served, stored

pytestmark = pytest.mark.browser


def test_switching_the_profile_at_the_top_of_the_page(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/people")
    expect(owner.locator(".who")).to_have_count(0)
    owner.get_by_label("Name", exact=True).last.fill("Anna")
    owner.get_by_role("button", name="Add").click()
    owner.locator(".who summary").click()
    owner.locator(".who").get_by_role("button", name="Anna").click()
    expect(owner.locator(".who summary")).to_have_text("Anna")
    owner.goto(served.site.address.url + "/compare")
    request = owner.locator("#question input[name=request]").input_value()
    owner.keyboard.press("ArrowLeft")
    expect(owner.locator("#question input[name=request]")).not_to_have_value(request)
    anna = served.service.store.read(people.named, "Anna")
    assert [answer.choice for answer in stored(served, anna.id)] == ["first"]
    owner.goto(served.site.address.url + "/answers")
    expect(owner.locator(".said li")).to_have_count(1)
    owner.locator(".who summary").click()
    owner.locator(".who").get_by_role("button", name="owner").click()
    owner.goto(served.site.address.url + "/answers")
    expect(owner.locator(".said li")).to_have_count(0)
