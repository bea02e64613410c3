"""Times, cameras and places, as cameras, phones and messengers write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from precious_daemon.pictures.exif import Metadata, metadata, name_time

NOON = 1706704205.0  # 2024-01-31 12:30:05
DAY = 1706659200.0


def said(
    tags: dict[int, Any] | None = None,
    details: dict[int, Any] | None = None,
    place: dict[int, Any] | None = None,
    name: str = "DSC00042.JPG",
    sidecar: bytes | None = None,
) -> Metadata:
    exif = Image.Exif()
    exif.update(tags or {})
    exif.get_ifd(0x8769).update(details or {})
    exif.get_ifd(0x8825).update(place or {})
    written = Image.Exif()
    written.load(exif.tobytes())
    return metadata(written, name, 1000.0, sidecar)


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("IMG_20240131_123005.jpg", NOON),
        ("PXL_20240131_123005123.MP.jpg", NOON + 0.123),
        ("20240131_123005.jpg", NOON),  # Samsung
        ("20240131_123005(1).jpg", NOON),
        ("IMG_20240131_123005_HDR.jpg", NOON),
        ("MVIMG_20240131_123005.jpg", NOON),
        ("WIN_20240131_12_30_05_Pro.jpg", NOON),
        ("2024-01-31 12.30.05.jpg", NOON),  # Dropbox
        ("2024-01-31T12:30:05.jpg", NOON),
        ("IMG-20240131-WA0007.jpg", DAY),  # WhatsApp on Android
        ("WhatsApp Image 2024-01-31 at 12.30.05.jpeg", NOON),
        ("WhatsApp Image 2024-01-31 at 12.30.05 PM (1).jpeg", NOON),
        ("signal-2024-01-31-123005.jpg", NOON),
        ("signal-2024-01-31-12-30-05-123.jpg", NOON + 0.123),
        ("signal-2024-01-31-12-30-05-123-1.jpg", NOON + 0.123),
        ("photo_2024-01-31_12-30-05.jpg", NOON),  # Telegram
        ("Screenshot_20240131-123005.png", NOON),
        ("Screenshot_20240131-123005_Chrome.jpg", NOON),
        ("Screenshot_2024-01-31-12-30-05-123_com.android.chrome.jpg", NOON + 0.123),  # Xiaomi
        ("Screenshot 2024-01-31 at 12.30.05.png", NOON),
        ("Screenshot 2024-01-31 at 12.30.05 AM.png", NOON - 12 * 3600),
        ("Screenshot from 2024-01-31 12-30-05.png", NOON),  # GNOME
        ("Screenshot 2024-01-31 123005.png", NOON),  # Windows
        ("Bildschirmfoto 2024-01-31 um 12.30.05.png", NOON),
        ("Capture d’écran 2024-01-31 à 12.30.05.png", NOON),
        ("2024-01-31.jpg", DAY),
        ("Scan 2024_01_31.jpg", DAY),
    ],
)
def test_name_tells_the_time(name: str, moment: float) -> None:
    assert name_time(name) == pytest.approx(moment, abs=1e-3)


@pytest.mark.parametrize("name", ["FB_IMG_1706704205123.jpg", "mmexport1706704205123.jpg", "1706704205123.jpg"])
def test_name_that_counts_since_1970_tells_the_time_on_the_wall(name: str) -> None:
    found = name_time(name)
    assert found is not None
    assert abs(found - NOON - 0.123) <= 14 * 3600


@pytest.mark.parametrize(
    "name", ["IMG_20241399_000000.jpg", "DSC00042.jpg", "12345678901234567.jpg", "IMG_0001.HEIC", "2024.jpg"]
)
def test_digits_that_are_no_date_tell_nothing(name: str) -> None:
    assert name_time(name) is None


def test_the_first_source_that_knows_is_believed() -> None:
    takeout = json.dumps({"photoTakenTime": {"timestamp": "1600000000"}}).encode()
    gps = {29: "2023:05:06", 7: (7.0, 8.0, 9.0)}
    original, name = {0x9003: "2024:01:31 12:30:05"}, "IMG_20200202_020202.jpg"
    assert said(details=original, place=gps, name=name, sidecar=takeout).taken_from == "exif"
    assert said(place=gps, name=name, sidecar=takeout).taken_from == "gps"
    assert said(name=name, sidecar=takeout).taken_from == "sidecar"
    assert said(name=name, sidecar=b"{broken").taken_from == "name"
    assert said().taken_from == "file"


def test_fractions_and_the_offset_are_kept() -> None:
    found = said(details={0x9003: "2024:01:31 12:30:05", 0x9291: "25 ", 0x9011: "-03:30"})
    assert (found.taken_at, found.taken_offset) == (NOON + 0.25, -210)


@pytest.mark.parametrize("value", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2024:02:31 10:00:00", ""])
def test_clock_that_was_never_set_is_passed_over(value: str) -> None:
    assert said(details={0x9003: value}, tags={0x0132: "2024:01:31 12:30:05"}).taken_at == NOON


def test_exposure_reads_as_photographers_write_it() -> None:
    found = said(details={0x829A: 0.004, 0x829D: 2.8, 0x8827: 400, 0x920A: 50.0, 0xA434: "RF 50mm F1.8 STM"})
    assert (found.exposure, found.lens) == ("1/250 s, f/2.8, ISO 400, 50 mm", "RF 50mm F1.8 STM")
    assert said(details={0x829A: 2.0, 0x829D: 11.0}).exposure == "2 s, f/11"
    assert said().exposure is None


def test_place_has_a_sign_and_is_left_out_where_it_is_none() -> None:
    found = said(place={1: "S", 2: (33.0, 51.0, 24.12), 3: "E", 4: (151.0, 12.0, 51.0)})
    assert (found.latitude, found.longitude) == (pytest.approx(-33.856700), pytest.approx(151.214167))
    assert said(place={1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}).latitude is None
    assert said(place={1: "N", 2: (95.0, 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)}).longitude is None


def test_camera_is_named_once() -> None:
    assert said({0x010F: "Canon", 0x0110: "Canon EOS R6"}).camera == "Canon EOS R6"
    assert said({0x010F: "SAMSUNG", 0x0110: "SM-G991B"}).camera == "SAMSUNG SM-G991B"


@given(st.text(max_size=80))
def test_no_name_is_too_odd(name: str) -> None:
    found = name_time(name)
    assert found is None or -5e9 < found < 5e9


@given(st.binary(max_size=200))
def test_no_metadata_is_too_odd(data: bytes) -> None:
    exif = Image.Exif()
    try:
        exif.load(b"Exif\0\0II*\0\x08\0\0\0" + data)
    except Exception:  # noqa: BLE001  Pillow refuses it: then there is none
        return
    assert metadata(exif, "a.jpg", 0.0, data).taken_from


def test_what_tells_a_set_of_frames_from_a_burst_is_read() -> None:
    found = said(details={0xA402: 2, 0x9204: IFDRational(-4, 3), 0x9206: IFDRational(45, 100)})
    assert (found.bracketed, found.exposure_bias, found.focus_distance) == (True, -1.33, 0.45)
    odd = said(details={0xA402: 0, 0x9204: IFDRational(1, 0), 0x9206: IFDRational(0, 1)})
    assert (odd.bracketed, odd.exposure_bias, odd.focus_distance) == (False, None, None)
