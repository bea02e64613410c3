"""The log of deeds: everything that was moved, written outside of the program's own folders, or sent away.

One JSON object a line, readable by people, only ever appended to. What plugins do is written down before they do it, and what
the trash moves before it counts as done, so that no deed is without its line. Lines are numbered by where they begin in the file,
which is what the pages of the log are turned by.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
"""`at` (UTC, ISO 8601) and `action`, and of these what there is: `who` (a profile), `plugin`, `path`, `root`, `trash`, `to`,
`photos`, `count`, `sent`, `bytes`, `blake3`, `batch`, `unit`, `suggestion`, `run`, `reason`."""

KINDS = {
    "moved": ("trashed", "restored", "refused", "frozen", "purging", "purged", "emptied"),
    "written": ("wrote", "removed"),
    "sent": ("sent", "not sent", "handed over"),
}
"""What an entry may tell of, by the kind that a reader can ask for."""
LONGEST = 20_000  # letters of what was sent that are kept; its size and its hash tell of the rest
MANY = 1000  # photos that an entry names
BLOCK = 1 << 16  # bytes read at once
PATIENCE = 1 << 25  # bytes looked through for one page: a rare word does not keep its reader waiting


def entry(at: float, action: str, **facts: Any) -> Entry:
    """A line of the log, without the facts that are not known."""
    said = {"at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"), "action": action}
    return said | {name: fact for name, fact in facts.items() if fact not in (None, "", [])}


def content(text: str) -> dict[str, Any]:
    """The facts about a text that leaves the machine."""
    from blake3 import blake3  # here: most libraries send nothing

    data = text.encode("utf-8", "surrogateescape")
    return {"sent": text[:LONGEST], "bytes": len(data), "blake3": blake3(data).hexdigest()}


def append(file: Path, entries: Iterable[Entry]) -> None:
    """Add entries and wait until they are on the disk. OSError where they are not.

    After a crash an entry may stand there twice, as the step it tells of is then finished or reversed again; none is
    missing. A line that a crash cut short is closed first.
    """
    lines = "".join(json.dumps(each) + "\n" for each in entries).encode("ascii")
    fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # plugins and commands write too; closing the file lets go
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        while lines:
            lines = lines[os.write(fd, lines) :]
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, each with its number; `older` is the number to go on before, None at the end of the log."""

    entries: list[tuple[int, Entry]]
    older: int | None


def page(file: Path, count: int, before: int | None = None, kind: str = "", words: str = "") -> Page:
    """The newest entries, or those before the number of one: of a kind, and with these words in them.

    Where much has to be passed over, a page may hold fewer than there are, and `older` leads on.
    """
    found: list[tuple[int, Entry]] = []
    fits, start = _fitting(kind, words), None
    for number, line in _backwards(file, before):
        start = number if start is None else start
        if (one := _read(line)) is not None and fits(one):
            found.append((number, one))
        if len(found) == count or start - number > PATIENCE:
            return Page(found, number or None)
    return Page(found, None)


def _fitting(kind: str, words: str) -> Callable[[Entry], bool]:
    actions, wanted = KINDS.get(kind), words.casefold().split()

    def fits(one: Entry) -> bool:
        if actions is not None and one.get("action") not in actions:
            return False
        return not wanted or all(word in json.dumps(one, ensure_ascii=False).casefold() for word in wanted)

    return fits


def _read(line: bytes) -> Entry | None:
    """None for a line that a crash cut short."""
    try:
        one = json.loads(line)
    except ValueError:
        return None
    return one if isinstance(one, dict) and all(isinstance(one.get(name), str) for name in ("at", "action")) else None


def _backwards(file: Path, before: int | None) -> Iterator[tuple[int, bytes]]:
    """(where it begins, a line), the last one first. A file is read in blocks, however long it is."""
    try:
        log = file.open("rb")
    except FileNotFoundError:
        return
    with log:
        end = log.seek(0, os.SEEK_END)
        end = end if before is None else max(0, min(before, end))
        tail: list[bytes] = []  # of a line that begins in an earlier block, last piece first
        while end > 0:
            begin = max(0, end - BLOCK)
            log.seek(begin)
            first, *lines = log.read(end - begin).split(b"\n")
            place = end
            for line in reversed(lines):
                place -= len(line)
                if whole := line + b"".join(reversed(tail)):
                    yield place, whole
                place -= 1
                tail = []
            tail.append(first)
            end = begin
        if whole := b"".join(reversed(tail)):
            yield 0, whole
