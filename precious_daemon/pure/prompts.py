"""What a generated picture was asked for, read from its file: PNG text, the EXIF comment of a JPEG, or a table beside it.

Standard library only, and no picture is decoded: chunks and tags are walked by their lengths, and whatever makes no sense
is no prompt. A table is `prompts.csv` in the picture's folder, with a column `file` (or `image`) and a column `prompt`,
in small letters or capitals.
"""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LONGEST = 100_000  # characters
TABLE = "prompts.csv"
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYS = (b"parameters", b"prompt", b"Description")  # Stable Diffusion web UI; others
_EXIF_IFD, _USER_COMMENT, _DESCRIPTION = 0x8769, 0x9286, 0x010E
_HEAD = 256 * 1024  # bytes of a JPEG in which its EXIF is


def read(path: str) -> str | None:
    """The prompt of a picture by what its file or the table beside it says; None where neither does."""
    file = Path(path)
    try:
        return _inside(file) or _beside(file)
    except (OSError, struct.error, zlib.error, ValueError, LookupError, csv.Error):
        return None


def _inside(file: Path) -> str | None:
    with open(file, "rb") as data:
        head = data.read(8)
        if head == _PNG:
            texts = dict(_png_texts(data))
            return next((texts[key] for key in _KEYS if texts.get(key)), None)
        if head[:2] == b"\xff\xd8":
            return _exif_comment(head + data.read(_HEAD))
    return None


def _png_texts(data: BinaryIO) -> Iterator[tuple[bytes, str]]:
    """(keyword, text) of the text chunks; the picture's own data is passed over."""
    read, seek = data.read, data.seek
    for _ in range(4096):
        length, kind = struct.unpack(">I4s", read(8))
        if kind == b"IEND":
            return
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or length > 4 * LONGEST:
            seek(length + 4, 1)
            continue
        chunk = read(length)
        seek(4, 1)
        keyword, _, rest = chunk.partition(b"\0")
        if kind == b"tEXt":
            yield keyword, rest[:LONGEST].decode("latin-1")
        elif kind == b"zTXt":
            yield keyword, _inflated(rest[1:]).decode("latin-1")
        else:
            packed, rest = rest[:1] == b"\1", rest[2:]
            text = rest.split(b"\0", 2)[2]
            yield keyword, (_inflated(text) if packed else text)[: 4 * LONGEST].decode("utf-8", "replace")[:LONGEST]


def _inflated(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, LONGEST)


def _exif_comment(head: bytes) -> str | None:
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", head, at + 2)
        if head[at + 1] == 0xE1 and head[at + 4 : at + 10] == b"Exif\0\0":
            return _comment(head[at + 10 : at + 2 + length])
        at += 2 + length
    return None


def _comment(tiff: bytes) -> str | None:
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", tiff, 4)
    tags = _tags(tiff, order, first)
    inner = _tags(tiff, order, struct.unpack(order + "I", tags[_EXIF_IFD][:4])[0]) if _EXIF_IFD in tags else {}
    if raw := inner.get(_USER_COMMENT):
        code, text = raw[:8], raw[8:]
        # UNICODE is UTF-16 in no order that is written down; letters have a zero beside them
        utf16 = "utf-16-be" if text[:1] == b"\0" else "utf-16-le"
        decoded = text.decode(utf16 if code.startswith(b"UNICODE") else "utf-8", "replace")
        return decoded.strip("\0 \n")[:LONGEST] or None
    if raw := tags.get(_DESCRIPTION):
        return raw.decode("utf-8", "replace").strip("\0 \n")[:LONGEST] or None
    return None


def _tags(tiff: bytes, order: str, at: int) -> dict[int, bytes]:
    """Values of a directory of tags, by tag: bytes and texts in full, of all others the four bytes in the directory."""
    (count,) = struct.unpack_from(order + "H", tiff, at)
    found = {}
    for entry in range(min(count, 512)):
        tag, kind, size, value = struct.unpack_from(order + "HHI4s", tiff, at + 2 + 12 * entry)
        if kind in (1, 2, 7) and size > 4:
            (offset,) = struct.unpack(order + "I", value)
            found[tag] = tiff[offset : offset + min(size, 4 * LONGEST)]
        else:
            found[tag] = value
    return found


def _beside(file: Path) -> str | None:
    table = file.with_name(TABLE)
    if not table.exists():
        return None
    with open(table, newline="", encoding="utf-8", errors="replace") as text:
        for row in csv.DictReader(text):
            named = {key.strip().lower(): value for key, value in row.items() if key and value}
            if (named.get("file") or named.get("image")) == file.name and named.get("prompt"):
                return named["prompt"][:LONGEST]
    return None
