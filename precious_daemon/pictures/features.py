"""Arrays in, numbers out: perceptual hash, HOG, and the measures of sharpness, exposure and colour."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from precious_daemon.models import Quality

Grey = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

HOG_SIDE = 64
HOG_CELL = 8
HOG_ORIENTATIONS = 9
TILE = 64
TILES = 6
PARTS = 16  # across and down, of which each is looked at in full size
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def perceptual_hash(grey: Grey) -> int:
    """64-bit pHash of a (32, 32) grey image: signs of its 8 x 8 lowest DCT-II coefficients against their median.

    Bit for bit `imagehash.phash` on the same 32 x 32 pixels; the first coefficient is the highest bit.
    """
    basis = _dct_basis(32, 8)
    low = basis @ grey.astype(np.float64) @ basis.T
    bits = (low > np.median(low)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


@lru_cache
def _dct_basis(size: int, count: int) -> npt.NDArray[np.float64]:
    """The first `count` rows of SciPy's unnormalized DCT-II of `size` points."""
    k, n = np.arange(count)[:, None], np.arange(size)[None, :]
    return np.asarray(2 * np.cos(np.pi * k * (2 * n + 1) / (2 * size)))


def hog(grey: Grey) -> Floats:
    """Histogram of oriented gradients (Dalal and Triggs 2005) of a (64, 64) grey image: 1,764 numbers.

    As `skimage.feature.hog` with 9 orientations, 8 x 8 pixels a cell, 2 x 2 cells a block and L2-Hys, ten times faster.
    """
    image = grey.astype(np.float32)
    rows, columns = np.zeros_like(image), np.zeros_like(image)
    rows[1:-1] = image[2:] - image[:-2]
    columns[:, 1:-1] = image[:, 2:] - image[:, :-2]
    angle = np.rad2deg(np.arctan2(rows, columns)) % 180
    which = np.minimum((angle * (HOG_ORIENTATIONS / 180)).astype(np.intp), HOG_ORIENTATIONS - 1)
    cells = HOG_SIDE // HOG_CELL
    place = _cell_index() * HOG_ORIENTATIONS + which
    sums = np.bincount(place.ravel(), np.hypot(rows, columns).ravel(), cells * cells * HOG_ORIENTATIONS)
    histogram = sums.reshape(cells, cells, HOG_ORIENTATIONS) / (HOG_CELL * HOG_CELL)
    blocks = np.stack([histogram[i : cells - 1 + i, j : cells - 1 + j] for i in (0, 1) for j in (0, 1)], axis=2)
    blocks = blocks.reshape(cells - 1, cells - 1, -1)
    blocks = np.minimum(blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-10), 0.2)
    blocks = blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-10)
    return np.asarray(blocks.ravel(), dtype=np.float32)


@lru_cache
def _cell_index() -> npt.NDArray[np.intp]:
    index = np.arange(HOG_SIDE) // HOG_CELL
    return np.asarray(index[:, None] * (HOG_SIDE // HOG_CELL) + index[None, :], dtype=np.intp)


def tile_boxes(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """(left, top, right, bottom) of up to 6 x 6 tiles spread evenly over a picture, all of one size."""
    across, down = min(TILE, width), min(TILE, height)
    lefts = np.linspace(0, width - across, min(TILES, max(1, width // across))).astype(int)
    tops = np.linspace(0, height - down, min(TILES, max(1, height // down))).astype(int)
    return [(int(x), int(y), int(x) + across, int(y) + down) for y in tops for x in lefts]


def tiles(pixels: Pixels) -> Pixels:
    """(h, w, ...) -> (n, h, w, ...): the tiles of `tile_boxes`."""
    boxes = tile_boxes(pixels.shape[1], pixels.shape[0])
    return np.stack([pixels[top:bottom, left:right] for left, top, right, bottom in boxes])


def quality(large: Grey, small: Pixels, width: int, height: int) -> Quality:
    """Measures of one photo.

    `large` is grey, (n, h, w): `tiles` as near to full size as was decoded. Sharpness is measured on them, before anything
    is compressed. `small` is RGB, (h, w, 3), about 128 px. `width` and `height` are the photo's own.
    """
    laplacian, spread = _detail(large)
    colours: Floats = small.astype(np.float32)
    grey = colours @ _LUMA
    slope, high = _spectrum(grey)
    gradient = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    red, green, blue = np.moveaxis(colours, -1, 0)
    top, bottom = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    red_green, yellow_blue = red - green, 0.5 * (red + green) - blue
    # Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images", eq. 11
    colour = math.hypot(float(red_green.std()), float(yellow_blue.std())) + 0.3 * math.hypot(
        float(red_green.mean()), float(yellow_blue.mean())
    )
    counts = np.bincount(grey.astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / grey.size
    return Quality(
        sharpness=_log_scale(float(np.median(laplacian))),
        sharpest_tile=_log_scale(float(np.sort(laplacian)[-3:].mean())),
        spectrum_slope=slope,
        high_frequency=high,
        edge_density=float((gradient > 24).mean()) if gradient.size else 0.0,
        flatness=float((spread < 4).mean()),
        brightness=float(grey.mean()) / 255,
        contrast=float(grey.std()) / 128,
        shadows=float((grey < 8).mean()),
        highlights=float((grey > 247).mean()),
        saturation=float(((top - bottom) / np.maximum(top, 1)).mean()),
        colourfulness=min(colour / 128, 1.0),
        white_paper=float(((bottom > 190) & (top - bottom < 24)).mean()),
        entropy=float(-(shares * np.log2(shares)).sum()) / 8,
        aspect=math.log(max(width, 1) / max(height, 1)),
    )


def detail(full: Grey) -> bytes:
    """How sharp each of 16 x 16 parts of a picture is, from pixels at their full size: a byte for each, by rows.

    One tile of 64 pixels in the middle of each part. The four pixels around a corner are averaged first, which takes three
    quarters of the noise's variance and little of an edge; then the variance of the Laplacian, on a logarithmic scale.
    """
    height, width = full.shape
    found = np.zeros((PARTS, PARTS))
    for row, middle in enumerate(((np.arange(PARTS) + 0.5) * height / PARTS).astype(int)):
        top = max(0, min(middle - TILE // 2, height - TILE))
        for column, centre in enumerate(((np.arange(PARTS) + 0.5) * width / PARTS).astype(int)):
            left = max(0, min(centre - TILE // 2, width - TILE))
            tile = full[top : top + TILE, left : left + TILE].astype(np.int16)
            if min(tile.shape) < 8:
                continue
            soft = tile[1:, 1:] + tile[1:, :-1] + tile[:-1, 1:] + tile[:-1, :-1]
            edges = soft[2:-2, :-4] + soft[2:-2, 4:] + soft[:-4, 2:-2] + soft[4:, 2:-2] - 4 * soft[2:-2, 2:-2]
            found[row, column] = _log_scale(float((edges / 4).var()))
    return np.round(found * 255).astype(np.uint8).tobytes()


def _detail(large: Grey) -> tuple[Floats, Floats]:
    """Variance of the 4-neighbour Laplacian, and standard deviation, of each tile of (n, h, w)."""
    if min(large.shape[1:]) < 3:
        return np.zeros(1, np.float32), np.zeros(1, np.float32)
    grey = large.astype(np.int16)
    laplacian = grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] + grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] - 4 * grey[:, 1:-1, 1:-1]
    return _variance(laplacian), np.sqrt(_variance(grey))


def _variance(values: npt.NDArray[np.int16]) -> Floats:
    """Variance of each of (n, ...) sets."""
    rows = values.reshape(len(values), -1).astype(np.float32)
    mean = rows.mean(axis=1)
    rows -= mean[:, None]
    return np.asarray(np.einsum("ij,ij->i", rows, rows) / rows.shape[1], dtype=np.float32)


def _spectrum(grey: Floats) -> tuple[float, float]:
    """Fall of the radial power spectrum (log-log slope, scaled to about 0..1) and the share of power above a quarter
    of the sampling rate."""
    side = min(grey.shape)
    if side < 16:
        return 0.0, 0.0
    window, rings, ring_sizes, high, log_radius = _rings(side)
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    square = grey[top : top + side, left : left + side]
    power = np.abs(np.fft.rfft2((square - square.mean()) * window)) ** 2
    ring_power = np.bincount(rings, power.ravel()) / ring_sizes
    fall = np.log(ring_power[2 : side // 2] + 1e-3)
    slope = float(log_radius @ fall / (log_radius @ log_radius))  # least squares: log_radius has mean zero
    total = float(power.sum())
    return float(np.clip(-slope / 8, 0, 1)), float(power.ravel()[high].sum() / total) if total > 0 else 0.0


@lru_cache(maxsize=64)
def _rings(side: int) -> tuple[Floats, npt.NDArray[np.intp], Floats, npt.NDArray[np.intp], Floats]:
    """Of a square spectrum: window, ring of each frequency, sizes of the rings, indexes of the high frequencies, and the
    centred logarithms of the radii from 2 to below half the side."""
    window = np.hanning(side).astype(np.float32)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]).ravel()
    rings = np.minimum((radius * side).astype(np.intp), side // 2)
    log_radius = np.log(np.arange(2, side // 2))
    return (
        np.outer(window, window),
        rings,
        np.maximum(np.bincount(rings), 1).astype(np.float32),
        np.flatnonzero(radius > 0.25),
        (log_radius - log_radius.mean()).astype(np.float32),
    )


def _log_scale(variance: float) -> float:
    """0 for no detail at all, about 1 for the sharpest: log(1 + variance) / 10."""
    return min(math.log1p(variance) / 10, 1.0)
