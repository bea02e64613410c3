"""One file to `PhotoFacts`, in a worker process: read once, hashed once, decoded once.

Runs where a hostile file can do no harm: in a process of its own with limits on memory and time, which nobody misses.
"""

from __future__ import annotations

import faulthandler
import io
import os
import re
import resource
import signal
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pillow_heif
from blake3 import blake3
from PIL import ExifTags, Image, UnidentifiedImageError

from precious_daemon import features
from precious_daemon.errors import UnreadablePhoto
from precious_daemon.models import PhotoFacts

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "HEIF", "AVIF")
MAX_BYTES = 512 * 1024 * 1024
MAX_PIXELS = 250_000_000
PREVIEW, THUMBNAIL, PROXY = 1024, 256, 128  # longest sides in pixels, the preview's roughly
PROXY_BYTES = 3072

pillow_heif.register_heif_opener()
Image.init()
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def prepare_worker(megabytes: int) -> None:
    """Called once in each worker: its limits, and signals left to the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def read_photo(path: str, seconds: float) -> PhotoFacts:
    """Everything that one decode gives. Raises UnreadablePhoto with the reason in words.

    A decoder that does not come back in time even to that takes the worker with it.
    """
    with _time_limit(seconds):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd metadata is no reason to refuse a picture
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                return _read(path)
        except UnreadablePhoto:
            raise
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise UnreadablePhoto(f"cannot be read: {exc.strerror or exc}") from exc
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as exc:
            raise UnreadablePhoto(f"claims more than {MAX_PIXELS // 1_000_000} million pixels") from exc
        except MemoryError as exc:
            raise UnreadablePhoto("needs more memory than a worker may take") from exc
        except Exception as exc:  # decoders raise anything on damaged files; the edge of the job
            raise UnreadablePhoto(f"cannot be decoded: {type(exc).__name__}: {exc}") from exc


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def too_long(*_: object) -> None:
        raise UnreadablePhoto(f"took longer than {seconds:g} s to decode")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(seconds + 2, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _read(path: str) -> PhotoFacts:
    data, mtime = _contents(path)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as exc:
        raise UnreadablePhoto("is not a picture of a known kind" if data else "is empty") from exc
    kind, (width, height) = image.format or "?", image.size
    exif = image.getexif()
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(f"has more than {MAX_PIXELS // 1_000_000} million pixels")
    image.draft("RGB", (PREVIEW, PREVIEW))  # JPEG only: libjpeg decodes at 1/2, 1/4 or 1/8 of the size
    picture = _rgb(image)
    large = np.asarray(picture.convert("L"))
    preview = _turned(_about(picture, PREVIEW), orientation)
    thumbnail = _fitted(preview, THUMBNAIL)
    small = _fitted(thumbnail, PROXY)
    grey = thumbnail.convert("L")
    taken_at, taken_from = taken(exif, os.path.basename(path), mtime)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return PhotoFacts(
        content_hash=blake3(data).digest(),
        perceptual_hash=features.perceptual_hash(np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS))),
        width=width,
        height=height,
        format="JPEG" if kind == "MPO" else kind,
        taken_at=taken_at,
        taken_from=taken_from,
        camera=_camera(exif),
        quality=features.quality(large, np.asarray(small), width, height),
        hog=features.hog(np.asarray(grey.resize((features.HOG_SIDE,) * 2, Image.Resampling.BOX))).astype(np.float16).tobytes(),
        preview=_jpeg(preview, 82),
        thumbnail=_jpeg(thumbnail, 85),
        proxy=smallest_jpeg(small, PROXY_BYTES),
    )


def _contents(path: str) -> tuple[bytes, float]:
    """The bytes of a regular file, read once, so that what is hashed is what is decoded."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadablePhoto("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadablePhoto(f"is larger than {MAX_BYTES // 1024**2} MB")
        return file.read(MAX_BYTES + 1), status.st_mtime


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit RGB: deep grey is scaled to what it holds, what is transparent stands on white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        top = 65535.0 if image.mode.startswith("I;16") else max(float(values.max()), 1.0)
        return Image.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")


def _about(image: Image.Image, side: int) -> Image.Image:
    """Reduced by a whole number, so that its longest side is near `side`: ten times cheaper than to any size."""
    factor = round(max(image.size) / side)
    return image.reduce(factor) if factor > 1 else image


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """Reduced so that its longest side is at most `side`."""
    factor = side / max(image.size)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.1)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turned(image: Image.Image, orientation: Any) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image.transpose(turn) if turn is not None else image


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def smallest_jpeg(image: Image.Image, limit: int) -> bytes:
    """The best JPEG of at most `limit` bytes: a secant search on the quality, fewer pixels where none fits."""
    while True:
        low, high, quality, best = 5, 95, 60, b""
        for _ in range(4):
            data = _jpeg(image, quality)
            if len(data) <= limit:
                best, low = max(best, data, key=len), quality + 1
            else:
                high = quality - 1
            if low > high or limit * 0.94 <= len(data) <= limit:
                break
            # size grows about as quality^0.7 in the middle range
            quality = max(low, min(high, round(quality * (limit / len(data)) ** 1.4)))
        if best:
            return best
        image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)), Image.Resampling.BOX)


# --- EXIF --------------------------------------------------------------------------------------------------------------

_NAME_TIME = re.compile(
    r"(?<!\d)(20\d\d|19\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?:[-_ .T]*(?:at )?([0-2]\d)[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d))?"
)


def taken(exif: Image.Exif, name: str, mtime: float) -> tuple[float, str]:
    """When the photo was taken, by the camera's own clock read as UTC, and where that is known from."""
    details = exif.get_ifd(ExifTags.IFD.Exif)
    for tags, stamp, fraction in (
        (details, ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal),
        (details, ExifTags.Base.DateTimeDigitized, ExifTags.Base.SubsecTimeDigitized),
        (exif, ExifTags.Base.DateTime, None),
    ):
        moment = _exif_time(tags.get(stamp))
        if moment is not None:
            digits = re.match(r"\d{1,6}", str(details.get(fraction, "") if fraction else "").strip())
            return moment + (float(f"0.{digits[0]}") if digits else 0.0), "exif"
    found = _NAME_TIME.search(name)
    if found:
        try:
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp(), "name"
        except ValueError:
            pass  # digits that are no date
    local = datetime.fromtimestamp(mtime, UTC).astimezone()
    return mtime + (local.utcoffset() or timedelta()).total_seconds(), "file"


def _exif_time(value: Any) -> float | None:
    try:
        return datetime.strptime(str(value).strip("\0 ")[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _camera(exif: Image.Exif) -> str | None:
    make, model = (
        " ".join(str(exif.get(tag, "")).replace("\0", " ").split()) for tag in (ExifTags.Base.Make, ExifTags.Base.Model)
    )
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return name[:100] or None
