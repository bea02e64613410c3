"""The one thing wanted of a video: the identifier by which a Live Photo's two files know each other.

It stands in the movie's metadata as `com.apple.quicktime.content.identifier`: moov > meta > keys names it, and ilst holds its
value (Apple, "QuickTime File Format", Metadata). The file may say anything: sizes are held against what is there, and no more
is read than a few headers and one small table.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

KEY = b"com.apple.quicktime.content.identifier"
MOST_ATOMS = 500  # looked at in one file; the movie's header is among the first or the last few
MOST_BYTES = 256 * 1024  # of metadata
IDENTIFIER = re.compile(rb"[0-9A-Za-z-]{8,64}")


def content_identifier(file: BinaryIO, size: int) -> str | None:
    """Of an open video of `size` bytes; None where there is none, or where the file is no such video."""
    left = MOST_ATOMS
    start, end = 0, size
    for wanted in (b"moov", b"meta"):
        for kind, first, after in _atoms(file, start, end, left):
            left -= 1
            if kind == wanted:
                start, end = first, after
                break
        else:
            return None
    file.seek(start)
    return _identifier(file.read(min(end - start, MOST_BYTES)))


def _atoms(file: BinaryIO, start: int, end: int, most: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte inside, first byte after) of each atom between two places."""
    for _ in range(most):
        file.seek(start)
        header = file.read(16)
        if len(header) < 8 or start + 8 > end:
            return
        length, kind, inside = int.from_bytes(header[:4], "big"), header[4:8], 8
        if length == 1 and len(header) == 16:
            length, inside = int.from_bytes(header[8:], "big"), 16
        elif length == 0:
            length = end - start  # the last one: to the end
        if not inside <= length <= end - start:
            return
        yield kind, start + inside, start + length
        start += length


def _identifier(meta: bytes) -> str | None:
    if meta[4:8] != b"hdlr":
        meta = meta[4:]  # MP4 has a version before the first atom, QuickTime has none
    parts = dict(_parts(meta))
    keys = [key[4:] for _, key in zip(range(1000), _sized(parts.get(b"keys", b"")[8:]), strict=False)]
    if KEY not in keys:
        return None
    for kind, value in _parts(parts.get(b"ilst", b"")):
        if int.from_bytes(kind, "big") == keys.index(KEY) + 1 and value[4:8] == b"data":
            found = IDENTIFIER.fullmatch(value[16:].rstrip(b"\0"))
            return found[0].decode("ascii") if found else None
    return None


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for part in _sized(data):
        yield part[:4], part[4:]


def _sized(data: bytes) -> Iterator[bytes]:
    """The parts of a table in which each begins with its length, without those."""
    place = 0
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if not 8 <= length <= len(data) - place:
            return
        yield data[place + 4 : place + length]
        place += length
