"""A log that people can read: one JSON object a line, only ever appended to, on the disk before anything counts as done."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any


def append(file: Path, entries: list[dict[str, Any]]) -> None:
    """Add entries and wait until they are on the disk. OSError where they are not.

    After a crash an entry may stand there twice, as the step it tells of is then finished or reversed again; none is
    missing. A line that a crash cut short is closed first.
    """
    lines = "".join(json.dumps(entry) + "\n" for entry in entries).encode("ascii")
    fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        while lines:
            lines = lines[os.write(fd, lines) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def newest(file: Path, count: int) -> list[dict[str, Any]]:
    """The last `count` entries, oldest first. A line that a crash cut short is passed over."""
    if not file.exists():
        return []
    entries = []
    with file.open("rb") as lines:
        for line in deque(lines, maxlen=count):
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
    return entries
