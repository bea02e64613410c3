"""Bytes of any kind of picture to pixels: scaled down while decoding where the format can, in colours every page shows."""

from __future__ import annotations

import io
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import simplejpeg
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from precious_daemon.errors import UnreadablePhoto
from precious_daemon.pictures.exif import orientation

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "HEIF", "AVIF"]
MAX_PIXELS = 250_000_000
TURNED = (5, 6, 7, 8)  # orientations that swap width and height

pillow_heif.register_heif_opener()
with suppress(ImportError):  # the extra "jxl"
    import pillow_jxl  # noqa: F401  registers itself

    FORMATS.append("JXL")
Image.init()
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded pixels, not yet turned upright, and what else the file says."""

    image: Image.Image  # RGB, RGBX, L or CMYK; no smaller than asked for unless the photo is
    width: int  # of the whole photo, upright
    height: int
    format: str
    orientation: int
    profile: bytes | None  # ICC, where it is not sRGB
    exif: Image.Exif
    xmp: bytes | None = None
    pixels: npt.NDArray[np.uint8] | None = None  # of an RGBX image, (h, w, 4): the same memory


def identify(data: io.BytesIO | io.BufferedReader) -> Image.Image:
    """Open without decoding. Raises UnreadablePhoto for what is no picture or a bomb."""
    try:
        image = Image.open(data, formats=FORMATS)
    except UnidentifiedImageError as exc:
        data.seek(0)
        raise UnreadablePhoto("is not a picture of a known kind" if data.read(1) else "is empty") from exc
    if image.width * image.height > MAX_PIXELS:
        raise UnreadablePhoto(f"has more than {MAX_PIXELS // 1_000_000} million pixels")
    return image


def decode(data: bytes, side: int) -> Picture:
    """Pixels of which the longest side has at least about `side`, unless the photo itself is smaller."""
    image = identify(io.BytesIO(data))
    kind, (width, height) = image.format or "?", image.size
    exif = image.getexif()
    turn = orientation(exif) if kind != "TIFF" else 1  # Pillow itself turns TIFF
    profile = image.info.get("icc_profile")
    scale = next((s for s in (8, 4, 2) if max(width, height) >= 0.9 * s * side), 1)
    pixels = _jpeg(data, image, scale) if kind in ("JPEG", "MPO") and image.mode == "RGB" else None
    if pixels is None:
        image.draft(image.mode, (width // scale, height // scale))  # JPEG only
        shown = plain(image)
    else:
        shown = mapped(pixels)
    if turn in TURNED:
        width, height = height, width
    return Picture(
        shown, width, height, "JPEG" if kind == "MPO" else kind, turn,
        profile if isinstance(profile, bytes) and not _is_srgb(profile) else None, exif,
        xmp if isinstance(xmp := image.info.get("xmp"), bytes) else None, pixels,
    )  # fmt: skip


def _jpeg(data: bytes, image: Image.Image, scale: int) -> npt.NDArray[np.uint8] | None:
    """(h, w, 4) from libjpeg-turbo itself, 5 ms sooner than through Pillow; None where it had a doubt."""
    width, height = image.size
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(  # four bytes a pixel, as Pillow has them
            data, "RGBX", scale > 1, scale > 1, min_height=-(-height // scale), min_width=-(-width // scale)
        )
    except ValueError:
        return None  # damaged: Pillow knows what can be forgiven
    return pixels


def mapped(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """(h, w, 4) as an image of mode RGBX, without a copy."""
    height, width, _ = pixels.shape
    return Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)


def embedded_thumbnail(image: Image.Image, turn: int) -> bytes | None:
    """The small JPEG that the camera put among the EXIF, in the shape of the photo and upright; None where there is none."""
    where = image.getexif().get_ifd(ExifTags.IFD.IFD1)
    start, length = where.get(ExifTags.Base.JpegIFOffset), where.get(ExifTags.Base.JpegIFByteCount)
    if not isinstance(start, int) or not isinstance(length, int) or not 0 < length < 65536:
        return None
    data = bytes(image.info["exif"].removeprefix(b"Exif\0\0")[start : start + length])
    pixels = simplejpeg.decode_jpeg(data, "RGB")  # raises ValueError where it is damaged
    (height, width), aspect = pixels.shape[:2], image.width / image.height
    left, top = max(0, round((width - height * aspect) / 2)), max(0, round((height - width / aspect) / 2))
    if not left and not top and turn == 1:
        return data
    return jpeg(upright(Image.fromarray(pixels).crop((left, top, width - left, height - top)), turn), 85)


def heif_thumbnail(file: io.BufferedReader, aspect: float) -> bytes | None:
    """The small picture that a phone put into a HEIC file, as a JPEG; None where there is none in the shape of the photo."""
    file.seek(0)
    photo = pillow_heif.open_heif(file)[0]
    if not photo.info.get("thumbnails"):
        return None
    small = photo.get_thumbnail(0).to_pillow()
    if abs(small.width / small.height / aspect - 1) > 0.05:
        return None
    profile = photo.info.get("icc_profile")
    return jpeg(srgb(small, profile if isinstance(profile, bytes) and not _is_srgb(profile) else None), 85)


def plain(image: Image.Image) -> Image.Image:
    """8-bit grey, RGB or CMYK: deep grey is scaled to what it holds, what is transparent stands on white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        top = 65535.0 if image.mode.startswith("I;16") else max(float(values.max()), 1.0)
        return Image.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    if image.mode in ("L", "RGB", "CMYK"):
        image.load()
        return image
    return image.convert("RGB")


# --- camera RAW --------------------------------------------------------------------------------------------------------


def decode_raw(data: bytes, side: int) -> Picture:
    """The preview that the camera put into its RAW file, or, where there is none to speak of, the RAW itself developed.

    Needs the extra "raw".
    """
    import rawpy  # only workers that meet a RAW file pay for it

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            width, height = (sizes.height, sizes.width) if sizes.flip in (5, 6) else (sizes.width, sizes.height)
            preview, turn = _raw_preview(raw), _FLIPS.get(sizes.flip, 1)
            if preview is None:
                developed = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
                return Picture(Image.fromarray(developed), width, height, "RAW", 1, None, raw_exif(data))
    except rawpy.LibRawError as exc:
        raise UnreadablePhoto(f"is no RAW file that can be read: {exc}") from exc
    if isinstance(preview, Image.Image):
        return Picture(preview, width, height, "RAW", turn, None, raw_exif(data))
    found = decode(preview, side)
    exif = found.exif if ExifTags.Base.Make in found.exif else raw_exif(data)
    if ExifTags.Base.Orientation in found.exif:
        turn = found.orientation
    return Picture(found.image, width, height, "RAW", turn, found.profile, exif)


_FLIPS = {3: 3, 5: 8, 6: 6}  # LibRaw's flip to EXIF's orientation
_SMALLEST_PREVIEW = 640  # pixels; a smaller one is a thumbnail


def _raw_preview(raw: Any) -> bytes | Image.Image | None:
    import rawpy

    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if found.format == rawpy.ThumbFormat.JPEG:
        with Image.open(io.BytesIO(found.data), formats=["JPEG"]) as image:
            return bytes(found.data) if max(image.size) >= _SMALLEST_PREVIEW else None
    return Image.fromarray(found.data) if max(found.data.shape) >= _SMALLEST_PREVIEW else None


def raw_exif(data: bytes) -> Image.Exif:
    """Of a RAW file that is a TIFF file at heart, as most are; its beginning will do."""
    exif = Image.Exif()
    if data[:4] in (b"II*\0", b"MM\0*"):
        with suppress(Exception):  # metadata is no reason to refuse a picture
            exif.load(data)
    return exif


# --- colour ------------------------------------------------------------------------------------------------------------


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB as a browser takes it for granted. Done on the small preview: the large picture is only measured."""
    if profile and (change := _change(profile, image.mode)):
        return change.apply(image)
    return image if image.mode in ("RGB", "RGBX") else image.convert("RGB")


def _is_srgb(profile: bytes) -> bool:
    return b"sRGB" in profile[:4096] or "sRGB".encode("utf-16-be") in profile[:4096]


@lru_cache(maxsize=16)
def _change(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB, or None where the profile is damaged or for another kind of picture."""
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image, turn: int) -> Image.Image:
    """As EXIF's orientation `turn` says."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


# --- sizes -------------------------------------------------------------------------------------------------------------


def about(image: Image.Image, side: int) -> Image.Image:
    """Reduced by a whole number, so that its longest side is near `side`: ten times cheaper than to any size."""
    factor = round(max(image.size) / side)
    return image.reduce(factor) if factor > 1 else image


def fitted(image: Image.Image, side: int) -> Image.Image:
    """Reduced so that its longest side is at most `side`."""
    factor = side / max(image.size)
    if factor >= 1:
        return image
    whole = math.ceil(1 / factor)
    if whole * factor < 1.05:  # near enough, and at a third of the price
        return image.reduce(whole)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=1.0)  # as sharp as bicubic here, at half the price


def jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()
