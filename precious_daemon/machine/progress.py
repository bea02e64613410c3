"""How far things under way are, for whoever wants to see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much; 0 of 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something under way is."""

    job: str
    what: str
    done: int
    total: int
    started_at: float


class Board:
    """One line for each thing under way."""

    def __init__(self) -> None:
        self._lines: dict[str, Progress] = {}

    def post(self, line: Progress) -> bool:
        """Put up a line. True where it says something else than before, not just how far it is."""
        before = self._lines.get(line.job)
        self._lines[line.job] = line
        return before is None or before.what != line.what

    def wipe(self, job: str) -> None:
        self._lines.pop(job, None)

    def lines(self) -> list[Progress]:
        return list(self._lines.values())
