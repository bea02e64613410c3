"""The design's promises that a program can check: contrast in both schemes, reduced motion, no outside address."""

from __future__ import annotations

import re

import pytest

from precious_daemon.web.render import HERE

CSS = (HERE / "static" / "style.css").read_text("utf-8")
TEXT = [
    ("ink", "ground"), ("ink", "surface"), ("ink", "tint"), ("soft", "ground"), ("soft", "surface"), ("soft", "sunk"),
    ("soft", "tint"), ("accent", "ground"), ("accent", "surface"), ("accent", "tint"), ("on-accent", "accent"),
    ("alarm", "ground"), ("alarm", "surface"), ("ink", "alarm-tint"), ("ground", "ink"),
]  # fmt: skip


def colours(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    of_light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return of_light if scheme == "light" else of_light | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_has_the_contrast_of_wcag_aa(scheme: str, text: str, ground: str) -> None:
    known = colours(scheme)
    darker, lighter = sorted((luminance(known[text]), luminance(known[ground])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_motion_is_off_for_whoever_asked_for_less() -> None:
    assert "prefers-reduced-motion: reduce" in CSS


def test_nothing_is_fetched_from_elsewhere() -> None:
    for file in (HERE / "static").iterdir():
        text = file.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|@import|url\(|innerHTML|eval\(", text), file.name
