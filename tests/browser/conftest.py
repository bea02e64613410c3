"""A served library and a real Chromium: an owner with a keyboard. It has to be there; these tests fail without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from precious_daemon import web
from precious_daemon.config import Places, Settings
from precious_daemon.jobs import open_service
from precious_daemon.models import Answer, Photo
from precious_daemon.service import Service
from precious_daemon.store import answers
from tests.web.library import fill

CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=20_000)  # milliseconds: the machine may be busy with something else


class Served:
    """The service on a loop of its own: Playwright keeps this thread busy."""

    def __init__(self, places: Places) -> None:
        started: Future[tuple[Service, web.Site]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(places, started)), name="service")
        self._thread.start()
        self.service, self.site = started.result(30)

    async def _live(self, places: Places, started: Future[tuple[Service, web.Site]]) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        service = open_service(places, Settings())
        site = await web.serve(service)
        started.set_result((service, site))
        await self._stop.wait()
        await service.jobs.stop()
        await site.close()
        service.store.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def served(here: Places) -> Iterator[Served]:
    running = Served(here)
    yield running
    running.close()


@pytest.fixture
def library(served: Served, tmp_path: Path) -> list[Photo]:
    return fill(served.service, tmp_path / "photos", 8)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        )
        yield browser
        browser.close()


def signed_in(context: BrowserContext, served: Served) -> Page:
    """A page on which every script error and every refused file is a failure."""
    page = context.new_page()
    page.goto(served.site.login_link())
    if page.get_by_role("button", name="Sign in").count():
        page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(served.site.address.url + "/")
    return page


@pytest.fixture
def problems() -> list[str]:
    """What the browser complained about. A test that wants a complaint clears it."""
    return []


@pytest.fixture
def owner(chromium: Browser, served: Served, problems: list[str]) -> Iterator[Page]:
    context = chromium.new_context()
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield signed_in(context, served)
    context.close()
    assert problems == []


def stored(served: Served, voter_id: int = 1) -> list[Answer]:
    """Newest first."""
    return served.service.store.read(answers.recent, voter_id, 100)


def shown(page: Page) -> list[str]:
    return [str(field.input_value()) for field in page.locator("#question input[name=photos]").all()]


def answered(page: Page, served: Served, act: Callable[[], None]) -> Answer:
    """Do something that answers the question, and wait for the next one: by then the answer is stored."""
    before = page.locator("#question input[name=request]").input_value()
    act()
    expect(page.locator("#question input[name=request]")).not_to_have_value(before)
    return stored(served)[0]
