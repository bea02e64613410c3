"""Answering a task of one's own with keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from precious_daemon.models import Photo
from precious_daemon.store import tasks
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


def test_a_task_is_made_and_answered_with_its_keys(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/tasks")
    owner.get_by_label("Name").fill("What it shows")
    owner.get_by_label("Classes, one a line").fill("Receipt\nFamily")
    owner.get_by_role("button", name="Make it").click()
    owner.get_by_role("link", name="Answer some").click()

    def press(key: str) -> None:
        before = owner.locator("#question input[name=request]").input_value()
        owner.keyboard.press(key)
        expect(owner.locator("#question input[name=request]")).not_to_have_value(before)

    def said() -> list[int]:
        return list(served.service.store.read(tasks.labels, 1, 1).values())

    photo = owner.locator("#question input[name=photo]").input_value()
    press("f")
    assert said() == [2]
    press("z")
    assert said() == []
    expect(owner.locator("#question input[name=photo]")).to_have_value(photo)
    press("s")
    press("r")
    assert said() == [1]
    expect(owner.locator(".tally")).to_contain_text("1 answer")
