"""What people do to photos, and sets of frames that they take, added to a library that has its truth beside it."""

from __future__ import annotations

import csv
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pillow_heif
from PIL import Image, ImageEnhance, ImageOps, ImageStat

pillow_heif.register_heif_opener()
TURN = Image.Transpose
Photo = Image.Image


def _crop(photo: Photo, rng: random.Random) -> Photo:
    share = rng.uniform(0.55, 0.92)
    width, height = int(photo.width * share), int(photo.height * share * rng.choice([1, 1, 0.85]))
    left, top = rng.randint(0, photo.width - width), rng.randint(0, photo.height - height)
    return photo.crop((left, top, left + width, top + height))


def _sepia(photo: Photo, _: random.Random) -> Photo:
    return ImageOps.colorize(photo.convert("L"), "black", (255, 222, 173))


ALTERATIONS: dict[str, Callable[[Photo, random.Random], Photo]] = {
    "mirrored": lambda photo, _: photo.transpose(TURN.FLIP_LEFT_RIGHT),
    "flipped": lambda photo, _: photo.transpose(TURN.FLIP_TOP_BOTTOM),
    "right": lambda photo, _: photo.transpose(TURN.ROTATE_270),
    "over": lambda photo, _: photo.transpose(TURN.ROTATE_180),
    "left": lambda photo, _: photo.transpose(TURN.ROTATE_90),
    "grey": lambda photo, _: photo.convert("L").convert("RGB"),
    "sepia": _sepia,
    "vivid": lambda photo, _: ImageEnhance.Color(photo).enhance(2.0),
    "light": lambda photo, rng: ImageEnhance.Brightness(photo).enhance(rng.uniform(1.2, 1.4)),
    "dark": lambda photo, rng: ImageEnhance.Brightness(photo).enhance(rng.uniform(0.5, 0.8)),
    "contrast": lambda photo, _: ImageEnhance.Contrast(photo).enhance(1.4),
    "crop": _crop,
    "cut": _crop,
}


def alter(library: Path, count: int, seed: int = 0) -> None:
    """Alterations of `count` photos of a library, and sets of frames of a fourth as many others; truth.csv is added to."""
    rng = random.Random(seed)
    truth = library.parent / "truth.csv"
    with open(truth, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    photos = [row for row in rows if row["kind"] == "photo"]
    rng.shuffle(photos)
    new = []
    for number, row in enumerate(photos[:count]):
        photo = _open(library / row["path"])
        bare = ImageStat.Stat(photo.convert("HSV")).mean[1] < 40  # hardly any colours to take away
        choice = [name for name in sorted(ALTERATIONS) if not (bare and name in ("grey", "vivid"))]
        for name in rng.sample(choice, 2):
            new.append((f"altered/{number}-{name}.jpg", "altered", row["group"]))
            _save(library / new[-1][0], ALTERATIONS[name](photo, rng))
    for number, row in enumerate(photos[count : count + max(3, count // 4)]):
        kind, photo = ("bracket", "panorama", "lapse")[number % 3], _open(library / row["path"])
        start = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=number)
        for place, (frame, at, seconds) in enumerate(_set(kind, photo, rng)):
            new.append((f"sets/{kind}-{number}-{place:02}.jpg", "set", f"set {number}"))
            _save(library / new[-1][0], frame, _exif(start + timedelta(seconds=at), seconds))
    with open(truth, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "kind", "group", "best"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        writer.writerows({"path": path, "kind": kind, "group": group, "best": 0} for path, kind, group in new)


def _open(path: Path) -> Photo:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _set(kind: str, photo: Photo, rng: random.Random) -> Iterator[tuple[Photo, float, float]]:
    """(frame, seconds after the first, exposure time)."""
    if kind == "bracket":
        for place, stops in enumerate((0, -2, 2)):
            yield ImageEnhance.Brightness(photo).enhance(2 ** (stops / 2.2)), 0.3 * place, 2.0**stops / 125
    elif kind == "panorama":
        width = photo.width // 2
        for place in range(4):
            left = (photo.width - width) * place // 3
            yield photo.crop((left, 0, left + width, photo.height)), place * rng.uniform(2.5, 3.5), 1 / 125
    else:
        for place in range(10):
            yield (
                ImageEnhance.Brightness(photo).enhance(1 + 0.02 * place),
                15.0 * place,
                1 / 125,
            )


def _exif(at: datetime, seconds: float) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "NIKON", "Z 6"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9291] = f"{at:%Y:%m:%d %H:%M:%S}", f"{at.microsecond // 1000:03}"
    details[0x829A], details[0x829D], details[0x8827] = seconds, 8.0, 100
    return exif


def _save(path: Path, photo: Photo, exif: Image.Exif | None = None) -> None:
    path.parent.mkdir(exist_ok=True)
    photo.save(path, quality=90, exif=exif or b"")
    then = time.time() - 3600
    os.utime(path, (then, then))
