"""Names, sizes and chances as an owner reads them, and the night's news in one sentence, in the current language."""

from __future__ import annotations

from collections.abc import Sequence

from precious_daemon.hookspecs import SuggestedPhoto
from precious_daemon.words.language import _, _n


def shown(text: str) -> str:
    """A name as it can be shown: bytes that are no UTF-8, control and direction characters become signs."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in whole)


def size(count: float) -> str:
    if count < 1000:
        return _("{n} bytes", n=round(count))
    units = ["bytes", "KB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        del units[0]
    return f"{count:.1f} {units[0]}" if count < 10 else f"{count:.0f} {units[0]}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else _("under 1 %")


def photos(count: int) -> str:
    return _n("{n} photo", "{n} photos", count)


def news(suggestions: Sequence[SuggestedPhoto]) -> str:
    total = size(sum(photo.size for photo in suggestions))
    return _n("{n} photo you might throw away, {size}", "{n} photos you might throw away, {size}", len(suggestions), size=total)
