"""One file to `PhotoFacts`, in a worker process: read once, hashed once, decoded once.

Runs where a hostile file can do no harm: in a process of its own with limits on memory and time, which nobody misses.

A 12 MP JPEG is decoded by libjpeg-turbo at 1/4 of its size, which is the preview's: four fifths of the time are its Huffman
codes, which no scale saves. Sharpness is measured on 36 tiles of those pixels, before anything is reduced or compressed;
at 1/2 it would take 15 % more time. What each step costs is shown by `bench/ingest.py`.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import resource
import signal
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from blake3 import blake3
from PIL import Image

from precious_daemon.errors import UnreadablePhoto
from precious_daemon.machine import lean, sandbox
from precious_daemon.models import Glimpse, PhotoFacts, Stamp, Told
from precious_daemon.pictures import features
from precious_daemon.pictures.decode import (
    MAX_PIXELS,
    TURNED,
    Picture,
    about,
    decode,
    decode_raw,
    embedded_thumbnail,
    fitted,
    heif_thumbnail,
    identify,
    jpeg,
    mapped,
    plain,
    raw_exif,
    srgb,
    upright,
)
from precious_daemon.pictures.exif import metadata, orientation
from precious_daemon.pictures.quicktime import content_identifier
from precious_daemon.pure.captures import is_raw
from precious_daemon.pure.faces import named

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BYTES = 512 * 1024 * 1024
PREVIEW, THUMBNAIL, PROXY = 1024, 256, 128  # longest sides in pixels, the preview's roughly
PROXY_BYTES = 3072
SIDECARS = (".json", ".supplemental-metadata.json")  # what Google Takeout puts beside a photo
SIDECAR_BYTES = 256 * 1024
RAW_HEADER = 1024 * 1024  # bytes of a RAW file that hold its EXIF
SMALL_FILE = 512 * 1024  # bytes that are decoded in a few milliseconds, as a JPEG; of other formats these
SMALL_PIXELS = 500_000
TILE = 1024  # pixels of a tile at full size, a side; the page's zoom counts on it
TILES = 24  # made in one go: all of 24 megapixels


def prepare_worker(megabytes: int, folders: Iterable[str] | None = None) -> None:
    """Called once in each worker: its limits, signals left to the service, and a sandbox that reads files below these folders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    lean.keep_memory()
    sandbox.enter(folders)


def read_photo(path: str, seconds: float) -> PhotoFacts:
    """Everything that one decode gives. Raises UnreadablePhoto with the reason in words.

    A decoder that ignores its time limit ends the whole worker.
    """
    return _patiently(path, seconds, _read)


def read_tiles(path: str, place: tuple[int, int], seconds: float) -> tuple[bytes, dict[tuple[int, int], bytes]]:
    """The hash of a photo's bytes, and its pixels at full size, upright, in tiles (column, row): JPEGs of TILE a side.

    Not all where there are many: the nearest to `place`, for one decode serves them all. Raises UnreadablePhoto.
    """
    return _patiently(path, seconds, lambda path: _tiles(path, place))


def _patiently(path: str, seconds: float, read: Callable[[str], T]) -> T:
    with _time_limit(seconds):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd metadata is no reason to refuse a picture
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                return read(path)
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
    data, stamp = _contents(path)
    picture = (decode_raw if is_raw(path) else decode)(data, PREVIEW)
    said = metadata(picture.exif, os.path.basename(path), stamp.mtime_ns / 1e9, _sidecar(path), picture.xmp)
    preview = upright(srgb(about(picture.image, PREVIEW), picture.profile), picture.orientation)
    thumbnail = fitted(preview, THUMBNAIL).convert("RGB")
    small = fitted(thumbnail, PROXY)
    grey = thumbnail.convert("L")
    return PhotoFacts(
        content_hash=blake3(data).digest(),
        perceptual_hash=features.perceptual_hash(np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS))),
        width=picture.width,
        height=picture.height,
        format=picture.format,
        taken_at=said.taken_at,
        taken_from=said.taken_from,
        camera=said.camera,
        quality=features.quality(_grey_tiles(picture), np.asarray(small), picture.width, picture.height),
        hog=features.hog(np.asarray(grey.resize((features.HOG_SIDE,) * 2, Image.Resampling.BOX))).astype(np.float16).tobytes(),
        preview=jpeg(preview, 82),
        thumbnail=jpeg(thumbnail, 85),
        proxy=smallest_jpeg(small, PROXY_BYTES),
        taken_offset=said.taken_offset,
        lens=said.lens,
        exposure=said.exposure,
        latitude=said.latitude,
        longitude=said.longitude,
        bracketed=said.bracketed,
        exposure_bias=said.exposure_bias,
        focus_distance=said.focus_distance,
        content_id=said.content_id,
        people=named(picture.xmp),
        stamp=stamp,
    )


def _grey_tiles(picture: Picture) -> features.Grey:
    """`features.tiles` of a picture. Of what libjpeg-turbo decoded no more than these is made grey."""
    if picture.pixels is None:
        return features.tiles(np.asarray(picture.image.convert("L")))
    cut = features.tiles(picture.pixels)
    return np.asarray(mapped(cut.reshape(-1, *cut.shape[2:])).convert("L")).reshape(cut.shape[:3])


def _tiles(path: str, place: tuple[int, int]) -> tuple[bytes, dict[tuple[int, int], bytes]]:
    data, _ = _contents(path)
    picture = (decode_raw if is_raw(path) else decode)(data, MAX_PIXELS)
    image = upright(picture.image, picture.orientation)
    if is_raw(path) and image.size != (picture.width, picture.height):  # what the camera developed may be smaller
        image = image.resize((picture.width, picture.height), Image.Resampling.BICUBIC)
    places = [(c, r) for c in range(-(-image.width // TILE)) for r in range(-(-image.height // TILE))]
    places.sort(key=lambda at: max(abs(at[0] - place[0]), abs(at[1] - place[1])))
    found = {}
    for column, row in places[:TILES]:
        left, top = column * TILE, row * TILE
        part = image.crop((left, top, min(left + TILE, image.width), min(top + TILE, image.height)))
        found[column, row] = jpeg(srgb(part, picture.profile), 90)
    return blake3(data).digest(), found


# --- a closer look -----------------------------------------------------------------------------------------------------


def read_detail(path: str, content_hash: bytes, seconds: float) -> bytes | None:
    """`features.detail` of a photo at its full size; None where it is not what it was, or not to be had in this time.

    A 12 MP JPEG takes 120 ms, four times what the rest of the recipe takes: so only frames that compete get this look.
    """
    try:
        with _time_limit(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data, _ = _contents(path)
            if blake3(data).digest() != content_hash:
                return None
            picture = (decode_raw if is_raw(path) else decode)(data, MAX_PIXELS)
            return features.detail(np.asarray(upright(picture.image.convert("L"), picture.orientation)))
    except Exception as exc:  # noqa: BLE001  it was read before; what is known from then has to do
        log.info("%s cannot be measured at full size: %s", path, exc)
        return None


# --- a first look ------------------------------------------------------------------------------------------------------


def glimpse(paths: Iterable[str], seconds: float) -> list[Glimpse | None]:
    """What can be seen of each photo for a few milliseconds; None where that is nothing, or anything is odd.

    Most cameras and phones put a small picture into a JPEG's EXIF or into a HEIC file. Small files are decoded; of others,
    and of RAW files, only what their header says is known until they are read.
    """
    found: list[Glimpse | None] = []
    for path in paths:
        try:
            with _time_limit(seconds), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(None if is_raw(path) else _glimpse(path))
        except Exception:  # noqa: BLE001  reading it in full will say what is wrong with it
            found.append(None)
    return found


def _glimpse(path: str) -> Glimpse | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        image = identify(file)
        kind = "JPEG" if image.format == "MPO" else image.format or "?"
        exif, (width, height) = image.getexif(), image.size
        turn = orientation(exif) if kind != "TIFF" else 1  # Pillow itself turns TIFF
        thumbnail = None
        if kind == "JPEG":
            thumbnail = embedded_thumbnail(image, turn)
        elif kind == "HEIF":
            thumbnail = heif_thumbnail(file, width / height)
        if thumbnail is None and _is_small(kind, width * height, status.st_size):
            image.draft("RGB", (THUMBNAIL // 2, THUMBNAIL // 2))  # JPEG only: at 1/8
            small = fitted(srgb(plain(image), None), THUMBNAIL)
            thumbnail = jpeg(upright(small, turn), 85)
    if turn in TURNED:
        width, height = height, width
    said = metadata(exif, os.path.basename(path), status.st_mtime)
    return Glimpse(width, height, kind, said.taken_at, said.taken_from, said.camera, thumbnail or b"")


def _is_small(kind: str, pixels: int, size: int) -> bool:
    """Whether a picture is decoded in a few milliseconds."""
    return size <= SMALL_FILE and (kind == "JPEG" or pixels <= SMALL_PIXELS)


# --- videos and RAW files beside a photo ---------------------------------------------------------------------------------


def look_into(paths: Iterable[str], seconds: float) -> list[Told]:
    """What each says of itself. A file that cannot be read, or says nothing, says nothing."""
    found: list[Told] = []
    for path in paths:
        try:
            with _time_limit(seconds), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(_look_into(path))
        except Exception as exc:  # noqa: BLE001  a companion is never decoded: nothing else can be wrong with it
            log.info("%s says nothing of itself: %s", path, exc)
            found.append(Told(None, None))
    return found


def _look_into(path: str) -> Told:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Told(None, None)
        if not is_raw(path):
            return Told(content_identifier(file, status.st_size), None)
        said = metadata(raw_exif(file.read(RAW_HEADER)), "", status.st_mtime)
        return Told(said.content_id, said.taken_at if said.taken_from == "exif" else None)


# --- files -------------------------------------------------------------------------------------------------------------


def _contents(path: str) -> tuple[bytes, Stamp]:
    """The bytes of a regular file, read once, so that what is hashed is what is decoded."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadablePhoto("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadablePhoto(f"is larger than {MAX_BYTES // 1024**2} MB")
        data, after = file.read(status.st_size + 1), os.fstat(descriptor)
    unchanged = (after.st_size, after.st_mtime_ns) == (len(data), status.st_mtime_ns)
    return data, Stamp(after.st_dev, after.st_ino, len(data), after.st_mtime_ns if unchanged else -1)


def _sidecar(path: str) -> bytes | None:
    """Google Takeout's JSON, which keeps the time of photos whose EXIF was lost."""
    for suffix in SIDECARS:
        try:
            descriptor = os.open(path + suffix, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        with open(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.read(SIDECAR_BYTES)
    return None


def smallest_jpeg(image: Image.Image, limit: int) -> bytes:
    """The best JPEG of at most `limit` bytes: a secant search on the quality, fewer pixels where none fits."""
    while True:
        low, high, quality, best = 5, 95, 60, b""
        for _ in range(4):
            data = jpeg(image, quality)
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
