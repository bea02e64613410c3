"""One language: the texts of its catalogue, and the sentences of other rooms, known by their pattern."""

from __future__ import annotations

import re
from functools import cached_property
from gettext import GNUTranslations
from pathlib import Path
from string import Formatter

LOCALE = Path(__file__).parent.parent / "locale"
SCRIPT, TOLD = "script\x04", "told\x04"
"""What the keys of the two contexts begin with: texts of the scripts, and sentences that other rooms made."""
NAMES = re.compile(r"(name|path|place|folder|file|shown|target|source|text|url)_*")
"""Values that are never translated: whatever a photo is called, it keeps its name."""
SEPARATORS = (". ", "; ", ": ", ", ")


class Catalogue(GNUTranslations):
    """The texts of the page in one language."""

    _catalog: dict[str | tuple[str, int], str]  # GNUTranslations keeps them so; a plural's key is (singular, form)

    @classmethod
    def load(cls, tag: str) -> Catalogue:
        with (LOCALE / tag.replace("-", "_") / "LC_MESSAGES" / "precious.mo").open("rb") as file:
            return cls(file)

    @cached_property
    def scripts(self) -> dict[str, str]:
        """What the scripts say: a text, or the singular of one, and how it reads."""
        found = {}
        for key, text in self._catalog.items():
            message = key if isinstance(key, str) else key[0]
            if message.startswith(SCRIPT):
                found[message.removeprefix(SCRIPT)] = text
        return found

    def told(self, sentence: str) -> str:
        """A sentence by itself, or by the pattern it was made from, or by its parts; what none of them knows stays."""
        if known := self._catalog.get(sentence) or self._catalog.get(TOLD + sentence):
            return known
        return self._by_pattern(sentence) or self._by_parts(sentence) or sentence

    def _by_pattern(self, sentence: str) -> str | None:
        for pattern, translation in self._patterns:
            if found := pattern.fullmatch(sentence):
                values = {name: text if NAMES.fullmatch(name) else self.told(text) for name, text in found.groupdict().items()}
                return translation.format(**values)
        return None

    def _by_parts(self, sentence: str) -> str | None:
        for separator in SEPARATORS:
            parts = sentence.split(separator)
            told = [self.told(part) for part in parts] if len(parts) > 1 else parts
            if told != parts:
                return self.gettext(separator).join(told)
        return None

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """Those with most words of their own first, so that the closest one is found."""
        keys = [key for key in self._catalog if isinstance(key, str) and key.startswith(TOLD) and "{" in key]
        keys.sort(key=lambda key: -len(re.sub(r"\{\w+\}", "", key)))
        return [(_pattern(key.removeprefix(TOLD)), self._catalog[key]) for key in keys]


def _pattern(message: str) -> re.Pattern[str]:
    said, seen = "", set[str]()
    for text, name, _, _ in Formatter().parse(message):
        said += re.escape(text)
        if name:
            said += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
            seen.add(name)
    return re.compile(said, re.DOTALL)
