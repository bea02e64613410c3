"""How the log is written: for people, for journald, or as JSON for programs. Configured once, here."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class Plain(logging.Formatter):
    """One line for each; under journald without a time of its own, and with the priority in front (sd-daemon(3))."""

    def __init__(self, journal: bool) -> None:
        super().__init__("%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = _utf8(super().format(record))
        if not self._journal:
            return text
        priority = next((number for level, number in PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


class Json(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _utf8(record.getMessage()),
        }
        if record.exc_info:
            said["exception"] = _utf8(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=False)


def _utf8(text: str) -> str:
    """A file name that is no UTF-8 must not keep its line from being written."""
    return text.encode("utf-8", "replace").decode()


def configure(kind: str, level: str, stream: TextIO | None = None) -> None:
    """Write the log as `service.log` and `service.log_level` say; may be called again with others."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(Json() if kind == "json" else Plain(_is_journal(out)))
    handler.setLevel(level.upper())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("precious_daemon").setLevel(min(logging.INFO, handler.level))  # the runs of the jobs keep what they said


def _is_journal(stream: TextIO) -> bool:
    """Whether this stream is the one that systemd has connected to the journal."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"
