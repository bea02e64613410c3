"""The languages of the page, of mails and of reports: which one is spoken, and how a text reads in it.

A text is written where it is shown, in English and with {names} for what varies: `_("Review {n}", n=3)`. English loads nothing;
any other language loads its catalogue when it is first asked for. Sentences that other rooms made, and that may have lain in the
library for long, are known again by their pattern: see `told`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from markupsafe import Markup

    from precious_daemon.words.catalogue import Catalogue

Table = TypeVar("Table")

LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
"""Tag to the name that its speakers know it by."""

_spoken: ContextVar[str] = ContextVar("language", default="en")


def spoken() -> str:
    """The tag of the language that is spoken here and now."""
    return _spoken.get()


def speak(tag: str) -> None:
    """From here on, in this request."""
    _spoken.set(tag)


def preferred(accepted: str) -> str:
    """The best of ours for the header Accept-Language: `zh-TW,zh;q=0.9,en;q=0.8`. English where it names none."""
    best, tag = 0.0, "en"
    for part in accepted.split(",")[:50]:
        name, _, weight = part.partition(";q=")
        ours = next((known for known in LANGUAGES if known[:2] == name.strip()[:2].lower()), None)
        try:
            liked = float(weight or 1)
        except ValueError:
            continue
        if ours and liked > best:
            best, tag = liked, ours
    return tag


def away(chosen: str, environ: Mapping[str, str] = os.environ) -> str:
    """The language where no browser asks for one: that of the settings, or else that of this machine."""
    if chosen in LANGUAGES:
        return chosen
    return preferred(next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), ""))


def gettext(message: str) -> str:
    catalogue = _catalogue()
    return catalogue.gettext(message) if catalogue else message


def ngettext(one: str, more: str, n: int) -> str:
    catalogue = _catalogue()
    return catalogue.ngettext(one, more, n) if catalogue else one if n == 1 else more


def _(message: str, **values: Any) -> str:
    """A text in the current language, with its values put in."""
    return filled(gettext(message), values)


def _n(one: str, more: str, n: int, **values: Any) -> str:
    """As `_`, for a number of things: `_n("{n} photo", "{n} photos", 3)`."""
    return filled(ngettext(one, more, n), values | {"n": n})


def marked(message: str, **values: Any) -> Markup:
    """A text of a template: it may have marks of its own, and what is put into it is escaped."""
    return _filled_safely(gettext(message), values) if values else _markup(_spoken.get(), message)


@lru_cache(maxsize=2000)
def _markup(tag: str, message: str) -> Markup:
    from markupsafe import Markup

    return Markup(gettext(message))


def marked_n(one: str, more: str, n: int, **values: Any) -> Markup:
    """The same, for a number of things."""
    return _filled_safely(ngettext(one, more, n), values | {"n": n})


def _filled_safely(message: str, values: dict[str, Any]) -> Markup:
    """As `Markup(message).format(**values)`, in a third of the time: a page has hundreds of texts."""
    from markupsafe import Markup, escape

    return Markup(filled(message, {name: v if type(v) is int else escape(v) for name, v in values.items()}))


def N_(table: Table) -> Table:
    """Marks the texts of a table. It is made once, in English; `_` says each of them where it is shown."""
    return table


def scripts() -> dict[str, str]:
    """The texts of the page's scripts in the language that is spoken; none in English, in which they are written."""
    catalogue = _catalogue()
    return catalogue.scripts if catalogue else {}


def told(sentence: str) -> str:
    """A finished English sentence of another room, in the language that is spoken; as it is where that does not know it."""
    tag = _spoken.get()
    return _told(tag, sentence) if sentence and tag != "en" else sentence


def filled(message: str, values: dict[str, Any]) -> str:
    """Whole numbers are grouped: 12,400."""
    if not values:
        return message
    return message.format(**{name: f"{value:,}" if type(value) is int else value for name, value in values.items()})


def _catalogue() -> Catalogue | None:
    tag = _spoken.get()
    return None if tag == "en" else _load(tag)


@lru_cache(maxsize=2000)
def _told(tag: str, sentence: str) -> str:
    return _load(tag).told(sentence)


@cache
def _load(tag: str) -> Catalogue:
    from precious_daemon.words.catalogue import Catalogue  # here: most libraries are never spoken of in another language

    return Catalogue.load(tag)
