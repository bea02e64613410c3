"""Hashes, HOG and measures against the libraries that define them, and against what they should say."""

from __future__ import annotations

from dataclasses import astuple

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from skimage.feature import hog as reference_hog

from precious_daemon.models import Quality
from precious_daemon.pictures import features
from tests.pictures import picture


def measured(image: Image.Image) -> Quality:
    return features.quality(features.tiles(np.asarray(image.convert("L"))), np.asarray(image.resize((128, 96))), *image.size)


@pytest.mark.parametrize("seed", range(8))
def test_perceptual_hash_is_imagehash_phash(seed: int) -> None:
    grey = picture(seed).convert("L")
    ours = features.perceptual_hash(np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS)))
    assert f"{ours:016x}" == str(imagehash.phash(grey))


@pytest.mark.parametrize("seed", range(8))
def test_hog_is_scikit_images(seed: int) -> None:
    grey = np.asarray(picture(seed).convert("L").resize((64, 64)))
    reference = reference_hog(grey, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), block_norm="L2-Hys")
    np.testing.assert_allclose(features.hog(grey), reference, atol=2e-6)


def test_hog_of_a_flat_picture_is_zero() -> None:
    assert not features.hog(np.full((64, 64), 128, np.uint8)).any()


@pytest.mark.parametrize("seed", range(5))
def test_blurred_picture_measures_less_sharp(seed: int) -> None:
    sharp, soft = measured(picture(seed, (640, 480))), measured(picture(seed, (640, 480), blur=2))
    assert soft.sharpness < sharp.sharpness
    assert soft.sharpest_tile < sharp.sharpest_tile
    assert soft.high_frequency < sharp.high_frequency


def test_laplacian_is_the_textbook_one() -> None:
    image = picture(4, (60, 50))  # one tile
    grey = np.asarray(image.convert("L")).astype(float)
    reference = (grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1] - 4 * grey[1:-1, 1:-1]).var()
    assert measured(image).sharpness == pytest.approx(np.log1p(reference) / 10, abs=1e-5)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_tiles_lie_within_the_picture_and_are_of_one_size(width: int, height: int) -> None:
    boxes = features.tile_boxes(width, height)
    assert 1 <= len(boxes) <= 36
    assert len({(right - left, bottom - top) for left, top, right, bottom in boxes}) == 1
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in boxes)


def test_dark_picture_measures_dark() -> None:
    dark = measured(ImageEnhance.Brightness(picture(1)).enhance(0.05))
    assert dark.brightness < 0.1
    assert dark.shadows > 0.5


def test_white_paper_is_told_from_colour() -> None:
    assert measured(Image.new("RGB", (200, 300), (250, 250, 248))).white_paper == 1.0
    assert measured(picture(1)).white_paper < 0.05


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (1000, 1), (97, 97)])
def test_smallest_pictures_have_finite_measures(size: tuple[int, int]) -> None:
    image = picture(1, size)
    quality = features.quality(features.tiles(np.asarray(image.convert("L"))), np.asarray(image), *size)
    assert np.isfinite(astuple(Quality.unpack(quality.pack()))).all()
