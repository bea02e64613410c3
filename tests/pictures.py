"""Pictures for tests, made on the spot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter


def picture(seed: int, size: tuple[int, int] = (320, 240), blur: float = 0.0) -> Image.Image:
    """A colourful picture with detail at several scales; another for another seed."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC))
        for n in (3, 9, 40)
    ]
    image = Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def save(path: Path, seed: int, size: tuple[int, int] = (320, 240), *, age: float = 60, taken: str | None = None) -> Path:
    """Write a JPEG that was last changed `age` seconds ago, so that it counts as settled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    picture(seed, size).save(path, quality=90, exif=exif)
    settle(path, age)
    return path


def settle(path: Path, age: float = 60) -> None:
    """Make a file look as if it had been written a while ago."""
    import time

    then = time.time() - age
    os.utime(path, (then, then))
