"""One language: the texts of its catalogue, and the sentences of other rooms, known by their pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from gettext import GNUTranslations
from pathlib import Path
from string import Formatter

LOCALE = Path(__file__).parents[1] / "locale"
SCRIPT, TOLD = "script\x04", "told\x04"
"""What the keys of the two contexts begin with: texts of the scripts, and sentences that other rooms made."""
NAMES = re.compile(r"(name|path|place|folder|file|shown|target|source|text|url)_*")
"""Values that are never translated: whatever a photo is called, it keeps its name."""
DATE = re.compile(r"(\d\d?) ([A-Z][a-z]+) (\d{4})(?: at (\d\d:\d\d))?")
STOP = re.compile(r"[a-z][.?!] [A-Z\d]")
STRONG = 6
"""Letters of its own by which a sentence is known; one with fewer (`{path} is {state}`) would be found in almost any."""
LONGEST = 600
"""Signs of a sentence that a pattern is tried on, however a name in it is made up; a longer one is told by its parts."""
MARKS = (" · ", "; ", ": ", ", ")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A message with {names}, how it reads, its longest piece without them, and how many letters are its own."""

    message: str
    translation: str
    words: str
    letters: int

    def moves_first(self, name: str) -> bool:
        """Whether this value begins the message, and does not begin the translation."""
        return self.message.startswith(f"{{{name}}}") and not self.translation.startswith(f"{{{name}}}")


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

    def told(self, said: str) -> str:
        """A sentence by itself, or by the pattern it was made from, or by its parts; what none of them knows stays."""
        sentence = said.strip()
        if not sentence:
            return said
        if known := self._catalog.get(TOLD + sentence) or self._catalog.get(sentence):
            return known
        strong, weak = self._patterns
        return (
            self._date(sentence)
            or self._by_pattern(strong, sentence)
            or self._by_parts(sentence)
            or self._by_pattern(weak, sentence)
            or said
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
        for pattern in patterns if len(sentence) <= LONGEST else ():
            if pattern.words in sentence and (found := _compiled(pattern.message).fullmatch(sentence)):
                said = found.groupdict()
                unnamed = {name: text for name, text in said.items() if not NAMES.fullmatch(name)}
                moved = (text for name, text in unnamed.items() if pattern.moves_first(name))
                if any(": " in text for text in moved) or any(STOP.search(text) for text in unnamed.values()):
                    continue  # another sentence stands before this one, or what it is about
                values = {name: text if NAMES.fullmatch(name) else self.told(text) for name, text in said.items()}
                if pattern.letters >= STRONG or all(_understood(name, text, values[name]) for name, text in said.items()):
                    return pattern.translation.format(**values)
        return None

    def _by_parts(self, sentence: str) -> str | None:
        """The first sentence and the others; or what stands before a mark, and after it."""
        for separator, mark in ((r"(?<=[.?!]) ", " "), *((mark, mark) for mark in MARKS)):
            parts = re.split(separator, sentence, maxsplit=1)
            told = [self.told(part) for part in parts] if len(parts) > 1 else parts
            if told != parts:
                full_width = mark == " " and told[0][-1:] > "\u3000"  # such a stop has its space in itself
                return ("" if full_width else self.gettext(mark)).join(told)
        return None

    @cached_property
    def _patterns(self) -> tuple[list[Pattern], list[Pattern]]:
        """(strong, weak), each with most letters of their own first, so that the closest one is found."""
        found = []
        for key, translation in self._catalog.items():
            if isinstance(key, str) and key.startswith(TOLD) and "{" in key:
                message = key.removeprefix(TOLD)
                pieces = [text for text, *_ in Formatter().parse(message)]
                letters = sum(sign.isalpha() for piece in pieces for sign in piece)
                found.append(Pattern(message, translation, max(pieces, key=len), letters))
        found.sort(key=lambda pattern: -pattern.letters)
        strong = [pattern for pattern in found if pattern.letters >= STRONG]
        return strong, found[len(strong) :]


def _understood(name: str, said: str, told: str) -> bool:
    """Whether nothing is left of a value to be told: it is a name, a figure, or reads otherwise now."""
    return told != said or NAMES.fullmatch(name) is not None or not re.search("[A-Za-z]{2}", said)


@cache
def _compiled(message: str) -> re.Pattern[str]:
    said, seen = "", set[str]()
    for text, name, _, _ in Formatter().parse(message):
        said += re.escape(text)
        if name:
            said += f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
            seen.add(name)
    return re.compile(said, re.DOTALL)
