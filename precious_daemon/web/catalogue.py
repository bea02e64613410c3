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
DATE = re.compile(r"(\d\d?) ([A-Z][a-z]+) (\d{4})(?: at (\d\d:\d\d))?")
STRONG = 8
"""Letters of its own by which a sentence is known."""
MARKS = (" · ", "; ", ": ", ", ")

Pattern = tuple[re.Pattern[str], str]


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
        sentence = sentence.strip()
        if not sentence:
            return ""
        if known := self._catalog.get(TOLD + sentence) or self._catalog.get(sentence):
            return known
        strong, weak = self._patterns
        return (
            self._date(sentence)
            or self._by_pattern(strong, sentence)
            or self._by_parts(sentence)
            or self._by_pattern(weak, sentence)
            or sentence
        )

    def _date(self, sentence: str) -> str | None:
        """`3 March 2024 at 14:05`."""
        found = DATE.fullmatch(sentence)
        if not found:
            return None
        day, month, year, time = found.groups()
        date = self.gettext("{day} {month} {year}").format(day=day, month=self.gettext(month), year=year)
        return self.gettext("{date}, {time}").format(date=date, time=time) if time else date

    def _by_pattern(self, patterns: list[Pattern], sentence: str) -> str | None:
        for pattern, translation in patterns:
            if found := pattern.fullmatch(sentence):
                said = found.groupdict()
                values = {name: text if NAMES.fullmatch(name) else self.told(text) for name, text in said.items()}
                known = [text[:1].isdigit() or bool(NAMES.fullmatch(name)) or values[name] != text for name, text in said.items()]
                if patterns is self._patterns[0] or all(known):
                    return _closed(translation.format(**values))
        return None

    def _by_parts(self, sentence: str) -> str | None:
        """The first sentence and the others; or what stands before a mark, and after it."""
        for separator, mark in ((r"(?<=[.?!]) ", " "), *((mark, mark) for mark in MARKS)):
            parts = re.split(separator, sentence, maxsplit=1)
            told = [self.told(part) for part in parts] if len(parts) > 1 else parts
            if told != parts:
                return _closed(self.gettext(mark).join(told))
        return None

    @cached_property
    def _patterns(self) -> tuple[list[Pattern], list[Pattern]]:
        """Those with most letters of their own first, so that the closest one is found; and those with so few
        (`{path} is {state}`) that they would be found in any sentence."""
        own = {
            key.removeprefix(TOLD): len(re.findall(r"[a-z]", re.sub(r"\{\w+\}", "", key)))
            for key in self._catalog
            if isinstance(key, str) and key.startswith(TOLD) and "{" in key
        }
        found = [(own[key], _pattern(key), self._catalog[TOLD + key]) for key in sorted(own, key=lambda key: -own[key])]
        strong = [(pattern, text) for letters, pattern, text in found if letters >= STRONG]
        return strong, [(pattern, text) for _, pattern, text in found][len(strong) :]


def _closed(text: str) -> str:
    """Marks of full width have their space in themselves, and there is none between Chinese signs."""
    return re.sub(r"(?<=[，。；：！？、）]) |(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", text)


def _pattern(message: str) -> re.Pattern[str]:
    said, seen = "", set[str]()
    for text, name, _, _ in Formatter().parse(message):
        said += re.escape(text)
        if name:
            said += f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
            seen.add(name)
    return re.compile(said, re.DOTALL)
