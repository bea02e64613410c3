"""Made-up photos and suggestions, and plugins written on the spot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from precious_daemon.config import Places, PluginSettings, Settings
from precious_daemon.hookspecs import Output, PluginPhoto, SuggestedPhoto
from precious_daemon.plugins import Plugins

JPEG = b"\xff\xd8 a thumbnail \xff\xd9"
WritePlugin = Callable[[str, str], Path]
Load = Callable[..., Plugins]


def photo(name: str = "IMG_1.JPG", folder: str = "2024/03", root: Path = Path("/photos")) -> PluginPhoto:
    return PluginPhoto(f"uid-{name}", root, folder, name, 1_234_567, 4000, 3000, 1_709_370_000.0, "Canon EOS R6")


def suggestion(
    name: str = "IMG_1.JPG", keep: float | None = 0.03, folder: str = "2024/03", root: Path = Path("/photos"), **changes: Any
) -> SuggestedPhoto:
    facts = {
        "uid": f"uid-{name}", "root": root, "folder": folder, "name": name, "size": 1_234_567, "width": 4000, "height": 3000,
        "taken_at": 1_709_370_000.0, "camera": "Canon EOS R6", "kind": "taste", "reasons": ("blurred",), "keep": keep,
        "certified": False, "keeper": None,
    }  # fmt: skip
    return SuggestedPhoto(**(facts | changes))


def thumbnail(uid: str) -> bytes | None:
    return JPEG


def output(own: Path, thumbnail: Callable[[str], bytes | None] = thumbnail, /, **settings: Any) -> Output:
    own.mkdir(parents=True, exist_ok=True)
    return Output("1.0", own, settings, logging.getLogger("test"), thumbnail)


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
