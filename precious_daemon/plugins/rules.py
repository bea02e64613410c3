"""Rules: suggests old screenshots, old receipts, and thumbnails of pictures that are there in full size."""

from __future__ import annotations

import re
from dataclasses import dataclass

from precious_daemon.hookspecs import Context, PluginPhoto, hookimpl
from precious_daemon.plugins.options import setting

MONTH = 30.44 * 86400  # seconds
THUMBNAIL = 512  # pixels of the longer side
_SCREENSHOT = re.compile(
    r"screen[ _-]?shots?|bildschirmfoto|captura[ _-]de|capture[ _-]d.[ée]cran|スクリーンショット|截屏|截图", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Settings:
    screenshot_months: int = setting(12, "screenshots older than this; 0 is never", 0)
    receipt_months: int = setting(6, "receipts and other pages of text older than this; 0 is never", 0)
    thumbnails: bool = setting(True, "small pictures of which there is a larger version")


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
    return None


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
