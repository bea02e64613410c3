"""Formats, colours and orientations: what comes out is what a viewer would show."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms

from precious_daemon.errors import UnreadablePhoto
from precious_daemon.models import PhotoFacts
from precious_daemon.pictures import features, ingest
from precious_daemon.pictures.decode import decode, fitted
from precious_daemon.pictures.ingest import read_photo
from tests.pictures import picture

RED, GREY = (220, 30, 30), (200, 200, 200)


def read(path: Path) -> PhotoFacts:
    return read_photo(str(path), 10)


def shown(facts: PhotoFacts) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(facts.preview)).convert("RGB")).astype(int)


def cornered(size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Grey with red at the top left."""
    image = Image.new("RGB", size, GREY)
    image.paste(RED, (0, 0, size[0] // 3, size[1] // 2))
    return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "JXL"])
def test_every_format_is_turned_upright_once(tmp_path: Path, kind: str) -> None:
    if kind == "JXL":
        pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = cornered().transpose(Image.Transpose.ROTATE_90)
    path = tmp_path / f"photo.{kind.lower()}"
    if kind == "HEIF":
        pillow_heif.from_pillow(stored).save(path, exif=exif.tobytes(), quality=95)
    else:
        stored.save(path, kind, exif=exif.tobytes(), quality=95)
    facts = read(path)
    assert (facts.format, facts.width, facts.height) == (kind, 300, 200)
    pixels = shown(facts)
    assert pixels.shape == (200, 300, 3)
    assert abs(pixels[40, 40] - RED).max() < 20
    assert abs(pixels[160, 260] - GREY).max() < 20


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_large_jpeg_is_scaled_and_keeps_its_colours(tmp_path: Path, scale: int) -> None:
    cornered((1020 * scale, 680 * scale)).save(tmp_path / "a.jpg", quality=92)
    facts = read(tmp_path / "a.jpg")
    assert (facts.width, facts.height) == (1020 * scale, 680 * scale)
    pixels = shown(facts)
    assert 900 <= pixels.shape[1] <= 1100
    assert abs(pixels[100, 100] - RED).max() < 12
    assert abs(pixels[600, 900] - GREY).max() < 12


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_grey_and_print_jpegs_look_as_they_should(tmp_path: Path, mode: str, progressive: bool) -> None:
    cornered((1600, 1200)).convert(mode).save(tmp_path / "a.jpg", quality=95, progressive=progressive)
    pixels = shown(read(tmp_path / "a.jpg"))
    expected = np.asarray(cornered().convert(mode).convert("RGB")).astype(int)
    assert abs(pixels[50, 50] - expected[20, 20]).max() < 12
    assert abs(pixels[-50, -50] - expected[-20, -20]).max() < 12


def test_colour_profile_is_honoured(tmp_path: Path) -> None:
    """The numbers of a Lab white point warmer than sRGB's, as the profile's own conversion says they look."""
    image = cornered((400, 300))
    lab = ImageCms.createProfile("LAB", 5000)
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    ImageCms.applyTransform(image, to_lab).save(tmp_path / "a.tif", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    pixels = shown(read(tmp_path / "a.tif"))
    assert abs(pixels[50, 50] - RED).max() < 12
    assert abs(pixels[-50, -50] - GREY).max() < 12


def test_damaged_profile_does_not_matter(tmp_path: Path) -> None:
    cornered().save(tmp_path / "a.jpg", icc_profile=b"nonsense" * 20, quality=95)
    assert abs(shown(read(tmp_path / "a.jpg"))[40, 40] - RED).max() < 12


def test_deep_png_keeps_its_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 320 * 240).reshape(240, 320).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    pixels = shown(read(tmp_path / "a.png"))
    assert pixels[0].mean() < 6
    assert 120 < pixels[120].mean() < 136
    assert pixels[-1].mean() > 249


def test_first_frame_of_an_animation_stands_for_it(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), RED).save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (64, 48), GREY)], duration=50
    )
    assert abs(shown(read(tmp_path / "a.gif"))[20, 20] - RED).max() < 16


# --- camera RAW --------------------------------------------------------------------------------------------------------


def save_dng(path: Path, preview: Image.Image | None) -> Path:
    """A DNG of 64 x 48 photosites, red at the top left; with a JPEG preview in front where one is given."""
    plain = np.asarray(cornered((1280, 960)).resize((1280, 960))).astype(np.uint16) * 64
    mosaic = np.empty((960, 1280), np.uint16)
    for (y, x), channel in {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 2}.items():
        mosaic[y::2, x::2] = plain[y::2, x::2, channel]
    matrix = [v for n in (3.24, -1.54, -0.5, -0.97, 1.88, 0.04, 0.06, -0.2, 1.06) for v in (int(n * 100), 100)]
    dng = [
        (50706, 1, 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
        (50708, 2, 5, "Test", True),  # UniqueCameraModel
        (50721, 10, 9, matrix, True),  # ColorMatrix1
        (50728, 5, 3, [1, 1, 1, 1, 1, 1], True),  # AsShotNeutral
    ]
    cfa = [
        (33421, 3, 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, 1, 4, bytes([0, 1, 1, 2]), True),  # CFAPattern
        (50714, 3, 1, 0, True),  # BlackLevel
        (50717, 4, 1, 16383, True),  # WhiteLevel
    ]
    with tifffile.TiffWriter(path) as tif:
        if preview is not None:
            tif.write(np.asarray(preview), subfiletype=1, subifds=1, extratags=dng, photometric="rgb")
            tif.write(mosaic, subfiletype=0, photometric=32803, extratags=cfa)
        else:
            tif.write(mosaic, subfiletype=0, photometric=32803, extratags=dng + cfa)
    return path


def test_raw_without_a_preview_is_developed(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    facts = read(save_dng(tmp_path / "a.dng", None))
    assert facts.format == "RAW"
    assert (facts.width, facts.height) == (1280, 960)
    pixels = shown(facts)
    red, green, blue = pixels[100, 100]
    assert red > green + 40
    assert red > blue + 40


def test_preview_in_a_raw_stands_for_it(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    facts = read(save_dng(tmp_path / "a.dng", picture(3, (800, 600))))
    assert (facts.format, facts.width, facts.height) == ("RAW", 1280, 960)
    assert shown(facts).shape == (600, 800, 3)


def test_raw_that_is_none_says_so(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    (tmp_path / "a.nef").write_bytes(b"no RAW file" * 100)
    with pytest.raises(UnreadablePhoto, match="RAW"):
        read(tmp_path / "a.nef")


def test_only_the_tiles_that_are_measured_are_made_grey_and_are_the_same(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((1600, 1200)).save(tmp_path / "a.jpg", quality=90)
    decoded = decode((tmp_path / "a.jpg").read_bytes(), 400)
    assert decoded.pixels is not None
    assert decoded.image.mode == "RGBX"
    whole = np.asarray(decoded.image.convert("L"))
    assert np.array_equal(ingest._grey_tiles(decoded), features.tiles(whole))


@pytest.mark.parametrize(("size", "shrunk"), [((1024, 768), (256, 192)), ((1000, 750), (250, 188)), ((1300, 650), (256, 128))])
def test_thumbnail_is_no_larger_than_asked_and_hardly_smaller(size: tuple[int, int], shrunk: tuple[int, int]) -> None:
    small = fitted(Image.new("RGB", size, RED), 256)
    assert small.size == shrunk
    assert small.getcolors() == [(shrunk[0] * shrunk[1], RED)]
