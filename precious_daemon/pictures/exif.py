"""What the camera wrote beside the picture: when, with what, how and where. Values in, values out.

Times are the camera's own clock read as if it were UTC, for that is what an owner remembers; the offset is kept beside.
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import ExifTags, Image

Tag = ExifTags.Base
Gps = ExifTags.GPS


@dataclass(frozen=True, slots=True)
class Metadata:
    """Of one photo. What the file does not say, or says in a way that makes no sense, is None."""

    taken_at: float
    taken_from: str  # exif, gps, sidecar, name or file
    taken_offset: int | None  # minutes east of UTC
    camera: str | None
    lens: str | None
    exposure: str | None  # "1/250 s, f/2.8, ISO 400, 50 mm"
    latitude: float | None  # degrees, north is positive
    longitude: float | None  # degrees, east is positive
    bracketed: bool  # the camera was told to take several exposures
    exposure_bias: float | None  # EV
    focus_distance: float | None  # metres
    content_id: str | None  # Apple's: the same in the still and the video of a Live Photo


def metadata(exif: Image.Exif, name: str, mtime: float, sidecar: bytes | None = None, xmp: bytes | None = None) -> Metadata:
    """Of a file by its EXIF, its name, the time it was last changed and, where there are such, Google Takeout's JSON and XMP."""
    details, place = _ifd(exif, ExifTags.IFD.Exif), _ifd(exif, ExifTags.IFD.GPSInfo)
    taken_at, taken_from = taken(exif, details, place, name, mtime, sidecar)
    latitude = _degrees(place.get(Gps.GPSLatitude), place.get(Gps.GPSLatitudeRef), "S", 90)
    longitude = _degrees(place.get(Gps.GPSLongitude), place.get(Gps.GPSLongitudeRef), "W", 180)
    if latitude is None or longitude is None or latitude == longitude == 0:  # 0, 0 is what receivers write before a fix
        latitude = longitude = None
    return Metadata(
        taken_at, taken_from, _offset(details) if taken_from == "exif" else None, _camera(exif),
        _text(details.get(Tag.LensModel)), _exposure(details), latitude, longitude,
        details.get(Tag.ExposureMode) == 2, _bias(details.get(Tag.ExposureBiasValue)), _number(details.get(Tag.SubjectDistance)),
        _content_id(details.get(Tag.MakerNote), xmp),
    )  # fmt: skip


def orientation(exif: Image.Exif) -> int:
    """1 to 8; anything else is upright."""
    value = exif.get(Tag.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _ifd(exif: Image.Exif, which: int) -> dict[int, Any]:
    try:
        return exif.get_ifd(which)
    except Exception:  # noqa: BLE001  damaged metadata raises anything, and is no reason to refuse a picture
        return {}


# --- when --------------------------------------------------------------------------------------------------------------

# Phones, screenshots and messengers: IMG_20240131_123005, PXL_20240131_123005123, 20240131_123005 (Samsung), VID-...,
# IMG-20240131-WA0007 (WhatsApp), WhatsApp Image 2024-01-31 at 12.30.05, signal-2024-01-31-12-30-05-123 or -123005,
# photo_2024-01-31_12-30-05 (Telegram), Screenshot_20240131-123005, Screenshot 2024-01-31 at 12.30.05 PM, WIN_20240131_12_30_05,
# 2024-01-31 12.30.05 (Dropbox), Bildschirmfoto 2024-01-31 um 12.30.05
_NAME_TIME = re.compile(
    r"(?<!\d)(?P<year>20\d\d|19\d\d)(?P<dash>[-_.]?)(?P<month>[01]\d)(?P=dash)(?P<day>[0-3]\d)"
    r"(?:(?:[-_ .T]+(?:[a-zà]{1,3} )?)(?P<hour>[0-2]?\d)(?P<colon>[-_.:h]?)(?P<minute>[0-5]\d)(?P=colon)(?P<second>[0-5]\d)"
    r"(?:\D?(?P<fraction>\d{3}))?(?!\d)(?:[\s\u202f]?(?P<half>[AaPp])\.?[Mm]\b)?|(?!\d))"
)
# seconds or milliseconds since 1970 as a name of its own or after a word: FB_IMG_1706704205123, mmexport1706704205123 (WeChat)
_NAME_EPOCH = re.compile(r"(?:^|FB_IMG_|mmexport|wx_camera_|received_|RDT_|IMG_|Snapchat-)(1[0-9]{9})(\d{3})?(?!\d)")
_FIRST_PHOTO, _TOO_LATE = datetime(1826, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def taken(
    exif: Image.Exif,
    details: dict[int, Any],
    place: dict[int, Any],
    name: str,
    mtime: float,
    sidecar: bytes | None = None,
) -> tuple[float, str]:
    """When a photo was taken, and where that is known from: the first of EXIF, GPS, Takeout, name and file that knows."""
    for tags, stamp, fraction in (
        (details, Tag.DateTimeOriginal, Tag.SubsecTimeOriginal),
        (details, Tag.DateTimeDigitized, Tag.SubsecTimeDigitized),
        (exif, Tag.DateTime, Tag.SubsecTime),
    ):
        moment = _exif_time(tags.get(stamp))
        if moment is not None:
            digits = re.match(r"\d{1,6}", str(details.get(fraction, "")).strip())
            return moment + (float(f"0.{digits[0]}") if digits else 0.0), "exif"
    for source, utc in (("gps", _gps_time(place)), ("sidecar", _takeout_time(sidecar))):
        if utc is not None:
            return _local(utc), source
    named = name_time(name)
    return (named, "name") if named is not None else (_local(mtime), "file")


def _exif_time(value: Any) -> float | None:
    text = re.match(r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d):(\d\d)", str(value).strip("\0 "))
    return _moment(*map(int, text.groups())) if text else None


def _gps_time(place: dict[int, Any]) -> float | None:
    """The receiver's clock, UTC."""
    day = re.match(r"(\d{4})\D(\d\d)\D(\d\d)", str(place.get(Gps.GPSDateStamp)))
    try:
        hour, minute, second = (float(part) for part in place[Gps.GPSTimeStamp])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not day or not all(map(math.isfinite, (hour, minute, second))):
        return None
    midnight = _moment(int(day[1]), int(day[2]), int(day[3]), 0, 0, 0)
    return None if midnight is None else midnight + hour * 3600 + minute * 60 + second


def _takeout_time(sidecar: bytes | None) -> float | None:
    """`photoTakenTime` of Google Takeout's JSON, UTC."""
    if not sidecar:
        return None
    try:
        moment = float(json.loads(sidecar)["photoTakenTime"]["timestamp"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return moment if moment and _FIRST_PHOTO < moment < _TOO_LATE else None


def name_time(name: str) -> float | None:
    """The time in a file's name, as phones, screenshots and messengers write it."""
    for found in _NAME_TIME.finditer(name):
        year, month, day, hour, minute, second = (
            int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")
        )
        if found["half"]:
            hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
        moment = _moment(year, month, day, hour, minute, second)
        if moment is not None:
            return moment + int(found["fraction"] or 0) / 1000
    if epoch := _NAME_EPOCH.search(name):
        return _local(int(epoch[1]) + int(epoch[2] or 0) / 1000)
    return None


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float | None:
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None  # digits that are no date
    return moment if _FIRST_PHOTO < moment < _TOO_LATE else None


def _local(utc: float) -> float:
    """A moment as this machine's clock on the wall showed it."""
    try:
        return utc + (datetime.fromtimestamp(utc, UTC).astimezone().utcoffset() or timedelta()).total_seconds()
    except (OverflowError, ValueError, OSError):
        return utc


def _offset(details: dict[int, Any]) -> int | None:
    for tag in (Tag.OffsetTimeOriginal, Tag.OffsetTimeDigitized, Tag.OffsetTime):
        found = re.match(r"([+-])(\d\d):?(\d\d)", str(details.get(tag, "")).strip())
        if found:
            minutes = int(found[2]) * 60 + int(found[3])
            return (-minutes if found[1] == "-" else minutes) if minutes <= 14 * 60 else None
    return None


# --- with what, how and where ------------------------------------------------------------------------------------------


def _camera(exif: Image.Exif) -> str | None:
    make, model = _text(exif.get(Tag.Make)) or "", _text(exif.get(Tag.Model)) or ""
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return name[:100] or None


def _text(value: Any) -> str | None:
    text = " ".join(str(value).replace("\0", " ").split()) if isinstance(value, str) else ""
    return text[:100] or None


def _exposure(details: dict[int, Any]) -> str | None:
    """Time, aperture, sensitivity and focal length, as photographers write them."""
    parts = []
    if time := _number(details.get(Tag.ExposureTime)):
        parts.append(f"1/{1 / time:.0f} s" if time < 0.3 else f"{time:g} s")
    if aperture := _number(details.get(Tag.FNumber)):
        parts.append(f"f/{aperture:.2g}" if aperture < 10 else f"f/{aperture:.0f}")
    iso = details.get(Tag.ISOSpeedRatings)
    if sensitivity := _number(iso[0] if isinstance(iso, tuple) and iso else iso):
        parts.append(f"ISO {sensitivity:.0f}")
    if length := _number(details.get(Tag.FocalLength)):
        parts.append(f"{length:.3g} mm")
    return ", ".join(parts) or None


_APPLE = b"Apple iOS\0\0\x01MM"
_CONTENT_ID = 0x0011
_XMP_ID = re.compile(rb"(?:ContentIdentifier|MediaGroupUUID)(?:>|=[\"'])([0-9A-Za-z-]{8,64})")


def _content_id(note: Any, xmp: bytes | None) -> str | None:
    """From an iPhone's maker note, a TIFF directory whose offsets count from the note's start; else from XMP."""
    if isinstance(note, bytes) and note.startswith(_APPLE):
        for place in range(16, min(len(note) - 11, 16 + 12 * int.from_bytes(note[14:16], "big")), 12):
            tag, kind, count, start = struct.unpack_from(">HHII", note, place)
            if (tag, kind) == (_CONTENT_ID, 2) and count <= 65:
                found = re.fullmatch(rb"[0-9A-Za-z-]{8,64}", note[start : start + count].rstrip(b"\0"))
                return found[0].decode("ascii") if found else None
    found = _XMP_ID.search(xmp or b"")
    return found[1].decode("ascii") if found else None


def _number(value: Any) -> float | None:
    """A positive, finite number of moderate size."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if 1e-6 < number < 1e7 else None


def _bias(value: Any) -> float | None:
    try:
        bias = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return round(bias, 2) if abs(bias) <= 10 else None  # false for NaN too


def _degrees(parts: Any, side: Any, negative: str, limit: float) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= limit:  # false for NaN too
        return None
    return round(-value if str(side).strip("\0 ").upper() == negative else value, 6)
