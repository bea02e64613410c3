"""What was logged while a job ran, kept with its run: by its task and by the threads and tasks it started, and by no other."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MOST = 300  # lines of one run; the first ones give way

_lines: ContextVar[deque[str] | None] = ContextVar("lines of this run", default=None)


class _Keeper(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = _lines.get()
        if lines is not None:
            lines.append(f"{time.strftime('%H:%M:%S')} {record.levelname.lower()}: {self.format(record)}")


def install() -> None:
    """Once for this process."""
    logger = logging.getLogger("precious_daemon")
    if not any(isinstance(handler, _Keeper) for handler in logger.handlers):
        logger.addHandler(_Keeper(logging.INFO))


@contextmanager
def kept() -> Iterator[deque[str]]:
    """The lines of what runs inside, oldest first."""
    lines: deque[str] = deque(maxlen=MOST)
    token = _lines.set(lines)
    try:
        yield lines
    finally:
        _lines.reset(token)


def note(text: str) -> None:
    """A line for the run alone: nothing that a log of the whole service should hold."""
    lines = _lines.get()
    if lines is not None:
        lines.append(f"{time.strftime('%H:%M:%S')} {text}")
