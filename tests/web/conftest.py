"""A served library, and a browser that is signed in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from precious_daemon import web
from precious_daemon.config import Places, Settings
from precious_daemon.jobs import open_service
from precious_daemon.models import Photo
from precious_daemon.service import Service
from tests.web.library import KEY, Browser, fill


@pytest.fixture
async def service(here: Places) -> AsyncIterator[Service]:
    opened = open_service(here, Settings())
    yield opened
    await opened.jobs.stop()
    opened.store.close()


@pytest.fixture
async def site(service: Service) -> AsyncIterator[web.Site]:
    served = await web.serve(service, token=KEY)
    yield served
    await served.close()


@pytest.fixture
async def stranger(site: web.Site) -> AsyncIterator[Browser]:
    """A browser without a session."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(session, site.address.local)


@pytest.fixture
async def browser(site: web.Site, stranger: Browser) -> Browser:
    """Signed in."""
    token = site.login_link().partition("token=")[2]
    assert (await stranger.submit("/login", {"token": token})).status == 303
    return stranger


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    """Six photos, newest first."""
    return fill(service, tmp_path / "photos", 6)
