"""Rules: suggests old screenshots, old receipts, thumbnails of pictures that are there in full size, and what you say of numbers.

Numbers are those that other plugins measure of photos, by the hook `features`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Context, PluginPhoto, hookimpl
from precious_daemon.plugins.options import setting

MONTH = 30.44 * 86400  # seconds
THUMBNAIL = 512  # pixels of the longer side
_COMPARISON = re.compile(r"(?P<name>[\w.-]+)\s*(?P<sign>[<>])\s*(?P<limit>[-+]?\d+(\.\d+)?)")
_SCREENSHOT = re.compile(
    r"screen[ _-]?shots?|bildschirmfoto|captura[ _-]de|capture[ _-]d.[ée]cran|スクリーンショット|截屏|截图", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Settings:
    screenshot_months: int = setting(12, "screenshots older than this; 0 is never", 0)
    receipt_months: int = setting(6, "receipts and other pages of text older than this; 0 is never", 0)
    numbers: tuple[str, ...] = setting((), 'what plugins measured speaks against a photo, like "eyes.closed > 0.9"')
    thumbnails: bool = setting(True, "small pictures of which there is a larger version")


@hookimpl
def startup(context: Context) -> None:
    for text in context.settings.numbers:
        _comparison(text)


@hookimpl
def rule(photo: PluginPhoto, now: float, context: Context) -> str | None:
    chosen: Settings = context.settings
    months = 0.0 if photo.taken_at is None else (now - photo.taken_at) / MONTH
    if 0 < chosen.screenshot_months < months and _is_screenshot(photo):
        return f"a screenshot from {_ago(months)} ago"
    if "page" in photo.looks and 0 < chosen.receipt_months < months:
        return f"looks like a receipt or a page of text, and is {_ago(months)} old"
    if chosen.thumbnails and photo.larger and 0 < max(photo.width or 0, photo.height or 0) <= THUMBNAIL:
        return f"a thumbnail ({photo.width} x {photo.height}) of {photo.larger}"
    for text in chosen.numbers:
        name, more, limit = _comparison(text)
        value = photo.numbers.get(name)
        if value is not None and (value > limit if more else value < limit):
            return f"{name} is {value:.3g}, {'more' if more else 'less'} than {limit:g}"
    return None


def _comparison(text: str) -> tuple[str, bool, float]:
    """(name, whether more is meant, limit) of "name > limit" or "name < limit"."""
    found = _COMPARISON.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f'plugin.rules.numbers has "{text}", and has to be like "eyes.closed > 0.9" or "eyes.open < 0.1".')
    return found["name"], found["sign"] == ">", float(found["limit"])


def _is_screenshot(photo: PluginPhoto) -> bool:
    """By its name or its folder; a camera's picture is none, whatever it is called."""
    if photo.camera is not None:
        return False
    folder = photo.folder.rpartition("/")[2]
    return "screenshot" in photo.looks or any(_SCREENSHOT.search(name) for name in (photo.name, folder))


def _ago(months: float) -> str:
    if months >= 24:
        return f"{months / 12:.0f} years"
    return f"{months:.0f} month{'' if round(months) == 1 else 's'}"
