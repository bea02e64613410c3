"""The rules that come along: old screenshots, old receipts, thumbnails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from precious_daemon.plugins import rules
from precious_daemon.plugins.trial import context, photo

NOW = 1_750_000_000.0
DAY = 86400.0


def old(days: float, name: str = "Screenshot_1.png", **facts: Any) -> Any:
    return photo(name, taken_at=NOW - days * DAY, **({"camera": None} | facts))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (old(400), "a screenshot from 13 months ago"),
        (old(1500), "a screenshot from 4 years ago"),
        (old(300), None),
        (old(400, "Bildschirmfoto 2024-01-01.png"), "a screenshot from 13 months ago"),
        (old(400, "IMG_1.PNG", folder="DCIM/Screenshots"), "a screenshot from 13 months ago"),
        (old(400, camera="Canon"), None),
        (old(400, "screen.jpg"), None),
        (photo("Screenshot_1.png", taken_at=None, camera=None), None),
        (old(200, "IMG_2.jpg", looks=frozenset({"page"})), "looks like a receipt or a page of text, and is 7 months old"),
        (old(100, "IMG_2.jpg", looks=frozenset({"page"})), None),
        (photo("t.jpg", width=160, height=120, larger="2024/a.jpg"), "a thumbnail (160 x 120) of 2024/a.jpg"),
        (photo("t.jpg", width=1600, height=1200, larger="2024/a.jpg"), None),
        (photo("t.jpg", width=160, height=120), None),
    ],
)
def test_what_a_rule_says(one: Any, why: str | None, tmp_path: Path) -> None:
    assert rules.rule(one, NOW, context(tmp_path, rules)) == why


def test_each_rule_can_be_switched_off(tmp_path: Path) -> None:
    off = context(tmp_path, rules, screenshot_months=0, receipt_months=0, thumbnails=False)
    for one in (old(4000), old(4000, looks=frozenset({"page"})), photo(width=9, height=9, larger="a.jpg")):
        assert rules.rule(one, NOW, off) is None
