"""Pictures for tests, made on the spot."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter


def picture(seed: int, size: tuple[int, int] = (320, 240), blur: float = 0.0) -> Image.Image:
    """A colourful picture with detail at several scales; another for another seed."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC))
        for n in (3, 9, 40)
    ]
    image = Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def save(
    path: Path,
    seed: int,
    size: tuple[int, int] = (320, 240),
    *,
    age: float = 60,
    taken: str | None = None,
    thumbnail: bool = False,
    orientation: int = 1,
) -> Path:
    """Write a JPEG that was last changed `age` seconds ago, so that it counts as settled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = picture(seed, size)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    full = camera_exif(image.resize((160, 120)), taken or "2024:01:31 12:30:05", orientation) if thumbnail else exif
    image.save(path, quality=90, exif=full)
    settle(path, age)
    return path


def camera_exif(small: Image.Image, taken: str, orientation: int = 1) -> bytes:
    """EXIF as cameras write it, with a thumbnail, which Pillow reads and cannot write."""
    out = io.BytesIO()
    small.save(out, "JPEG")
    data, moment = out.getvalue(), taken.encode() + b"\0"

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, kind, count, value)

    first = 8
    second = first + 2 + 2 * 12 + 4
    end = second + 2 + 2 * 12 + 4
    tiff = b"II*\0" + struct.pack("<I", first)
    tiff += struct.pack("<H", 2) + entry(0x0112, 3, 1, orientation) + entry(0x0132, 2, len(moment), end)
    tiff += struct.pack("<I", second)
    tiff += struct.pack("<H", 2) + entry(0x0201, 4, 1, end + len(moment)) + entry(0x0202, 4, 1, len(data))
    return b"Exif\0\0" + tiff + struct.pack("<I", 0) + moment + data


def settle(path: Path, age: float = 60) -> None:
    """Make a file look as if it had been written a while ago."""
    import time

    then = time.time() - age
    os.utime(path, (then, then))


# --- Live Photos: what Apple's cameras write, and no library does ---


def live_still(path: Path, seed: int, identifier: str, size: tuple[int, int] = (64, 48)) -> Path:
    """A JPEG whose maker note holds the identifier that its video has too."""
    text = identifier.encode() + b"\0"
    note = b"Apple iOS\0\0\x01MM" + struct.pack(">HHHII", 1, 0x0011, 2, len(text), 32) + b"\0" * 4 + text
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = note
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path, quality=90, exif=exif)
    settle(path)
    return path


def live_video(path: Path, identifier: str, *, full_box: bool = False) -> Path:
    """The metadata of a QuickTime movie after some megabytes of film, and no film to be seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(movie(identifier, full_box))
    settle(path)
    return path


def movie(identifier: str, full_box: bool = False) -> bytes:
    def atom(kind: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(">I", len(body) + 8) + kind + body

    def key(name: str) -> bytes:
        return atom(b"mdta", name.encode())

    def value(number: int, text: str) -> bytes:
        return atom(struct.pack(">I", number), atom(b"data", struct.pack(">II", 1, 0), text.encode()))

    keys = [key("com.apple.quicktime.make"), key("com.apple.quicktime.content.identifier")]
    meta = [
        atom(b"hdlr", b"\0" * 8 + b"mdta" + b"\0" * 12),
        atom(b"keys", struct.pack(">II", 0, len(keys)), *keys),
        atom(b"ilst", value(1, "Apple"), value(2, identifier)),
    ]
    film = struct.pack(">I4sQ", 1, b"mdat", 16 + 1000) + b"\0" * 1000
    header = atom(b"moov", atom(b"mvhd", b"\0" * 100), atom(b"meta", *([b"\0" * 4] if full_box else []), *meta))
    return atom(b"ftyp", b"qt  ") + film + header
