"""Made-up photos and suggestions, and plugins written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from precious_daemon.config import Places, PluginSettings, Settings
from precious_daemon.hookspecs import SuggestedPhoto
from precious_daemon.plugins import Plugins, in_words
from precious_daemon.plugins.trial import JPEG, output, photo, suggestion
from tests.web.conftest import browser, service, site, stranger

__all__ = [
    "JPEG", "Load", "WritePlugin", "browser", "delivered", "output", "photo", "service", "site", "stranger", "suggestion",
    "thumbnail",
]  # fmt: skip

WritePlugin = Callable[[str, str], Path]
Load = Callable[..., Plugins]


def thumbnail(uid: str) -> bytes | None:
    return JPEG


def delivered(plugins: Plugins, run: str, given: list[SuggestedPhoto], **more: Any) -> dict[str, str | None]:
    """Deliver to all: None, or the error in words, by plugin."""
    results = {name: plugins.deliver(name, run, given, thumbnail, **more) for name in plugins.having("deliver")}
    return {name: result and in_words(result) for name, result in results.items()}


@pytest.fixture
def write_plugin(here: Places) -> WritePlugin:
    """Write a plugin file into the plugins folder; hookimpl is imported for it."""

    def write(name: str, source: str) -> Path:
        here.plugins.mkdir(parents=True, exist_ok=True)
        file = here.plugins / f"{name}.py"
        file.write_text("from precious_daemon.hookspecs import hookimpl\n" + dedent(source))
        return file

    return write


@pytest.fixture
def load(here: Places) -> Load:
    """Load plugins with these enabled; other arguments are their tables of settings."""

    def load(*enabled: str, timeout: float = 10, **tables: Any) -> Plugins:
        return Plugins.load(here, Settings(plugins=PluginSettings(enabled, "", timeout), plugin=tables))  # type: ignore[arg-type]

    return load
