"""One language: its catalogue, and the sentences that are known by their pattern."""

from __future__ import annotations

from gettext import GNUTranslations
from pathlib import Path

LOCALE = Path(__file__).parent.parent / "locale"


class Catalogue(GNUTranslations):
    """The texts of the page in one language."""

    @classmethod
    def load(cls, tag: str) -> Catalogue:
        with (LOCALE / tag.replace("-", "_") / "LC_MESSAGES" / "precious.mo").open("rb") as file:
            return cls(file)

    def told(self, sentence: str) -> str:
        return sentence
