"""One file to facts."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from blake3 import blake3
from PIL import Image

from precious_daemon.errors import UnreadablePhoto
from precious_daemon.models import Glimpse, PhotoFacts
from precious_daemon.pictures.ingest import PROXY_BYTES, glimpse, read_photo, smallest_jpeg
from tests.pictures import camera_exif, picture, save


def read(path: Path) -> PhotoFacts:
    return read_photo(str(path), 10)


def look(path: Path) -> Glimpse | None:
    return glimpse([str(path)], 10)[0]


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF"])
def test_every_format_gives_all_facts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"photo.{kind.lower()}"
    if kind == "HEIF":
        pillow_heif.from_pillow(picture(3, (640, 480))).save(path)
    else:
        picture(3, (640, 480)).save(path, kind)
    facts = read(path)
    assert (facts.format, facts.width, facts.height) == (kind, 640, 480)
    assert facts.content_hash == blake3(path.read_bytes()).digest()
    assert max(opened(facts.thumbnail).size) == 256
    assert opened(facts.preview).size == (640, 480)
    assert len(facts.proxy) <= PROXY_BYTES


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1", "I;16"])
def test_every_kind_of_pixel_is_readable(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    if mode == "I;16":
        ramp = np.linspace(0, 65535, 320 * 240).reshape(240, 320).astype(np.uint16)
        Image.fromarray(ramp).save(path)
    else:
        picture(3).convert(mode).save(path)
    facts = read(path)
    brightness = np.asarray(opened(facts.thumbnail).convert("L")).mean()
    assert 60 < brightness < 200, "not scaled to black or white"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured_to_the_pixel(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (300, 200), (200, 200, 200))
    upright.paste((255, 0, 0), (0, 0, 100, 100))  # red at the top left
    undo = {
        1: (), 2: (Image.Transpose.FLIP_LEFT_RIGHT,), 3: (Image.Transpose.ROTATE_180,), 4: (Image.Transpose.FLIP_TOP_BOTTOM,),
        5: (Image.Transpose.TRANSPOSE,), 6: (Image.Transpose.ROTATE_90,), 7: (Image.Transpose.TRANSVERSE,),
        8: (Image.Transpose.ROTATE_270,),
    }  # fmt: skip
    stored = upright
    for turn in undo[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    facts = read(tmp_path / "photo.jpg")
    assert (facts.width, facts.height) == (300, 200)
    shown = np.asarray(opened(facts.preview)).astype(int)
    assert shown.shape == (200, 300, 3)
    assert (abs(shown[50, 50] - [254, 0, 0]) < 12).all()
    assert (abs(shown[150, 250] - [200, 200, 200]) < 12).all()


def test_time_and_camera_come_from_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R6"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9291] = "2024:01:31 12:30:05", "250"
    picture(1).save(tmp_path / "photo.jpg", exif=exif)
    facts = read(tmp_path / "photo.jpg")
    assert (facts.taken_at, facts.taken_from, facts.camera) == (1706704205.25, "exif", "Canon EOS R6")


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("IMG_20240131_123005.jpg", 1706704205),
        ("PXL_20240131_123005123.jpg", 1706704205.123),
        ("Screenshot 2024-01-31 at 12.30.05.png", 1706704205),
        ("Screenshot_20240131-123005.png", 1706704205),
        ("IMG-20240131-WA0007.jpg", 1706659200),
    ],
)
def test_time_comes_from_the_name_where_exif_has_none(tmp_path: Path, name: str, taken: float) -> None:
    picture(1).save(tmp_path / name)
    facts = read(tmp_path / name)
    assert (facts.taken_at, facts.taken_from) == (taken, "name")


@pytest.mark.parametrize("name", ["IMG_20241399_000000.jpg", "DSC00042.jpg", "12345678901234.jpg"])
def test_digits_that_are_no_date_leave_the_file_time(tmp_path: Path, name: str) -> None:
    save(tmp_path / name, 1)
    assert read(tmp_path / name).taken_from == "file"


@pytest.mark.parametrize("size", [(128, 96), (40, 30), (1, 1), (128, 2)])
@pytest.mark.parametrize("limit", [3072, 900])
def test_proxy_never_exceeds_its_bytes(size: tuple[int, int], limit: int) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    assert 0 < len(smallest_jpeg(noise, limit)) <= limit


def test_proxy_uses_the_bytes_it_has() -> None:
    image = picture(5, (128, 96))
    assert len(smallest_jpeg(image, PROXY_BYTES)) > 0.7 * PROXY_BYTES


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"not a picture", "known kind"), (b"\xff\xd8\xff\xe0broken", "decoded|known kind|read")],
)
def test_broken_file_says_what_is_wrong(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadablePhoto, match=reason):
        read(path)


def test_truncated_photo_is_broken(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.jpg", 1, (800, 600))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadablePhoto, match="truncated"):
        read(path)


def test_bomb_is_an_error_and_not_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20000, 20000)).save(path)
    with pytest.raises(UnreadablePhoto, match="million pixels"):
        read(path)


def test_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadablePhoto, match="regular file"):
        read(tmp_path / "pipe.jpg")


# --- a first look ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("orientation", "size"), [(1, (160, 120)), (6, (120, 160)), (8, (120, 160))])
def test_first_look_is_the_cameras_thumbnail_upright(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    seen = look(save(tmp_path / "a.jpg", 1, (1600, 1200), thumbnail=True, orientation=orientation))
    assert seen is not None
    facts = read(tmp_path / "a.jpg")
    assert opened(seen.thumbnail).size == size
    assert (seen.width, seen.height, seen.taken_at) == (facts.width, facts.height, facts.taken_at)
    reference = opened(facts.thumbnail).resize(size)
    assert np.abs(np.asarray(reference).astype(int) - np.asarray(opened(seen.thumbnail))).mean() < 8


def test_first_look_cuts_the_bars_off_a_thumbnail_of_another_shape(tmp_path: Path) -> None:
    image = picture(1, (1500, 1000))
    boxed = Image.new("RGB", (160, 120))
    boxed.paste(image.resize((160, 107)), (0, 6))
    image.save(tmp_path / "a.jpg", exif=camera_exif(boxed, "2024:01:31 12:30:05"))
    seen = look(tmp_path / "a.jpg")
    assert seen is not None
    assert opened(seen.thumbnail).size == (160, 106)
    assert np.asarray(opened(seen.thumbnail))[0].mean() > 40, "no black bar"


def test_small_photo_without_a_thumbnail_is_seen_as_well(tmp_path: Path) -> None:
    seen = look(save(tmp_path / "a.jpg", 1, (1600, 1200)))
    assert seen is not None
    assert max(opened(seen.thumbnail).size) == 200


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF"])
def test_small_photo_of_any_format_is_seen_at_once_and_of_a_large_one_its_shape(tmp_path: Path, kind: str) -> None:
    for size, seen in (((400, 300), True), ((2400, 1800), False)):
        path = tmp_path / f"photo-{size[0]}.{kind.lower()}"
        if kind == "HEIF":
            pillow_heif.from_pillow(picture(3, size)).save(path)
        else:
            picture(3, size).save(path, kind)
        found = look(path)
        assert found is not None
        assert (found.width, found.height, found.format) == (*size, kind)
        assert (opened(found.thumbnail).size == (256, 192)) if seen else not found.thumbnail


def test_phones_small_picture_in_a_heic_file_is_seen_at_once(tmp_path: Path) -> None:
    photo = pillow_heif.from_pillow(picture(3, (2400, 1800)))
    photo[0].info["thumbnails"] = [320]
    photo.save(tmp_path / "a.heic", thumbnails=[320])
    found = look(tmp_path / "a.heic")
    assert found is not None
    assert opened(found.thumbnail).size == (320, 240)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe1\x00"])
def test_first_look_at_what_is_odd_is_left_to_reading(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert look(tmp_path / "a.jpg") is None
    assert look(tmp_path / "none.jpg") is None
