"""A small library to try things on: `python -m precious_daemon.demo FOLDER [--count N] [--seed N]`.

Its photos are cuttings of pictures that scikit-image and scikit-learn ship; its junk is made from them, drawn, or both.
Everything is synthetic, so it shows how the program behaves and says nothing about anybody's taste. What each file is
stands in `truth.csv` beside the folder. The same count and seed make the same bytes.

Runs as a process of its own: the service never imports this.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from precious_daemon.demo import drawings as drawings
from precious_daemon.errors import PreciousError, RootError

SUBJECTS = {  # file: how often it is taken, compared with the others
    "astronaut.png": 3, "camera.png": 2, "chelsea.png": 3, "coffee.png": 3, "rocket.jpg": 3, "motorcycle_left.png": 3,
    "hubble_deep_field.jpg": 1, "moon.png": 1, "retina.jpg": 1, "coins.png": 1, "brick.png": 1, "grass.png": 1, "gravel.png": 1,
    "china.jpg": 4, "flower.jpg": 4,
}  # fmt: skip
CAMERAS = {"Canon": "EOS R6", "Apple": "iPhone 14", "SAMSUNG": "SM-G991B", "SONY": "ILCE-7M3"}
# one round of events, shuffled: so that already some forty files hold every kind
ROUND = ["photo"] * 9 + ["burst", "blur", "receipt", "screenshot"] * 2 + ["dark", "copy", "edit"]
JUNK = ("blur", "dark", "receipt", "screenshot")
APART = 14  # bits that the perceptual hashes of two photos differ in at least; 10 and less is the same picture


@dataclass(frozen=True, slots=True)
class Truth:
    """What one picture file is. `path` is relative to the library."""

    path: str
    kind: str  # photo, burst, copy, edit, blur, dark, receipt, screenshot
    group: int  # the frames of a burst, or a photo with its copies and edits, share one
    best: bool  # the one of its group to keep; a picture alone is its own best
    junk: bool  # its owner throws it away on seeing it alone; so not copies and edits, which show a good photo


def build(folder: Path, count: int = 120, seed: int = 0) -> list[Truth]:
    """Fill `folder`, new or empty, with `count` picture files and some companions, and write `truth.csv` beside it.

    Raises RootError where there is something in the folder. It appears whole or not at all.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RootError(f"{folder} is not empty, and a demo library is only made in a new folder. Nothing was changed.")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        truth = _Library(part, count, seed).fill()
        with open(truth_file(folder), "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([f.name for f in fields(Truth)])
            writer.writerows((t.path, t.kind, t.group, int(t.best), int(t.junk)) for t in truth)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return truth


def truth_file(folder: Path) -> Path:
    return folder.with_name("truth.csv")


def read_truth(file: Path) -> list[Truth]:
    with open(file, newline="", encoding="utf-8") as lines:
        return [Truth(r["path"], r["kind"], int(r["group"]), r["best"] == "1", r["junk"] == "1") for r in csv.DictReader(lines)]


# --- pictures ----------------------------------------------------------------------------------------------------------


def _sources() -> dict[str, Image.Image]:
    folders = (_package("skimage") / "data", _package("sklearn") / "datasets" / "images")
    found = {path.name: path for folder in folders for path in folder.iterdir() if path.name in SUBJECTS}
    pictures = {}
    for name in SUBJECTS:
        if name in found:
            with Image.open(found[name]) as picture:
                pictures[name] = picture.convert("RGB")
    return pictures


def _package(name: str) -> Path:
    """Where a package is, without importing it: these take a second each."""
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def _cutting(source: Image.Image, rng: random.Random) -> Image.Image:
    """Another photo of the same subject: its own frame, side, tilt, light and colours; 0.3 to 0.6 megapixels."""
    if rng.random() < 0.5:
        source = ImageOps.mirror(source)
    aspect = rng.choice([4 / 3, 3 / 2, 3 / 4, 1.0, 16 / 9])
    width = min(source.width, source.height * aspect) * rng.uniform(0.6, 0.97)
    height = width / aspect
    left, top = rng.uniform(0, source.width - width), rng.uniform(0, source.height - height)
    tilt = rng.uniform(-4, 4)
    hidden = abs(tilt) / 57.3 * max(width, height) / 2  # corners that the tilt leaves empty
    frame = source.crop((round(left), round(top), round(left + width), round(top + height))).rotate(
        tilt, Image.Resampling.BICUBIC
    )
    factor = (rng.uniform(0.3, 0.6) * 1e6 / (width * height)) ** 0.5
    size = (round(width * factor), round(height * factor))
    photo = frame.resize(size, Image.Resampling.LANCZOS, box=(hidden, hidden, frame.width - hidden, frame.height - hidden))
    photo = photo.filter(ImageFilter.UnsharpMask(1.6, 120, 2))
    photo = ImageEnhance.Color(photo).enhance(rng.choice([0.0, 0.8, 1.0, 1.0, 1.2, 1.4]))
    photo = ImageEnhance.Contrast(photo).enhance(rng.uniform(0.85, 1.2))
    warmth, falloff, across = rng.uniform(-0.09, 0.09), rng.uniform(0.0, 0.3), rng.uniform(-0.2, 0.2)
    pixels = np.asarray(photo, dtype=np.float32) * np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    y, x = np.ogrid[-1 : 1 : photo.height * 1j, -1 : 1 : photo.width * 1j]
    light = 1 - falloff * (x * x + y * y) / 2 + across * x
    return Image.fromarray(np.clip(pixels * light[..., None], 0, 255).astype(np.uint8))


def _grainy(photo: Image.Image, noise: np.random.Generator, sigma: float = 2.5) -> Image.Image:
    """With the noise of a sensor, so that the file is as hard to decode as a real one."""
    grain = noise.standard_normal((photo.height, photo.width, 1), dtype=np.float32) * sigma
    return Image.fromarray(np.clip(np.asarray(photo) + grain, 0, 255).astype(np.uint8))


def _shaken(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Another frame of one moment: a little shift, zoom and exposure."""
    margin = rng.uniform(0.005, 0.025)
    left, top = rng.uniform(0, margin) * photo.width, rng.uniform(0, margin) * photo.height
    box = (left, top, left + (1 - margin) * photo.width, top + (1 - margin) * photo.height)
    return ImageEnhance.Brightness(photo.resize(photo.size, Image.Resampling.BICUBIC, box=box)).enhance(rng.uniform(0.95, 1.05))


def _blurred(photo: Image.Image, rng: random.Random, least: float) -> Image.Image:
    """Out of focus, or moved; `least` in pixels per 256 of the longer side."""
    radius = max(photo.size) / 256 * rng.uniform(least, 2 * least)
    if rng.random() < 0.6:
        return photo.filter(ImageFilter.GaussianBlur(radius))
    moved = scipy.ndimage.uniform_filter1d(np.asarray(photo, dtype=np.float32), round(5 * radius), axis=rng.randrange(2))
    return Image.fromarray(moved.astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius / 2))


def _hash(photo: Image.Image) -> NDArray[np.bool_]:
    """Perceptual hash: the signs of the 64 lowest frequencies about their median."""
    grey = np.asarray(photo.convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float32)
    low = scipy.fft.dctn(grey)[:8, :8].ravel()
    return np.asarray(low > np.median(low))


# --- the library -------------------------------------------------------------------------------------------------------


class _Library:
    """A folder that fills up, with a clock that goes on from picture to picture."""

    def __init__(self, root: Path, count: int, seed: int) -> None:
        self.root, self.count = root, count
        self.rng, self.noise = random.Random(seed), np.random.default_rng(seed)
        self.sources = _sources()
        self.hashes: list[NDArray[np.bool_]] = []
        self.truth: list[Truth] = []
        self.clock = datetime(2024, 3, 2, 9, 0, tzinfo=UTC)
        self.group = self.serial = 0

    def fill(self) -> list[Truth]:
        for event in self._events():
            left = self.count - len(self.truth)
            if left <= 0:
                break
            self.group += 1
            self.clock += timedelta(minutes=self.rng.expovariate(1 / 90), seconds=20)
            if event in ("burst", "copy", "edit") and left < 2:
                event = "photo"
            getattr(self, f"_{event}")(left)
        return sorted(self.truth, key=lambda truth: truth.path)

    def _events(self) -> Iterator[str]:
        while True:
            yield from self.rng.sample(ROUND, len(ROUND))

    def _scene(self) -> Image.Image:
        def cutting() -> Image.Image:
            name = self.rng.choices(list(self.sources), [SUBJECTS[name] for name in self.sources])[0]
            return _cutting(self.sources[name], self.rng)

        return _grainy(self._unlike(cutting), self.noise)

    def _unlike(self, make: Callable[[], Image.Image]) -> Image.Image:
        """What `make` makes, tried until it is like none before; the least alike where that takes too long."""
        tries: list[tuple[int, Image.Image, NDArray[np.bool_]]] = []
        while len(tries) < 12 and not (tries and tries[-1][0] >= APART):
            picture = make()
            own = _hash(picture)
            tries.append((min((int(np.count_nonzero(own != other)) for other in self.hashes), default=64), picture, own))
        _, picture, own = max(tries, key=lambda tried: tried[0])
        self.hashes.append(own)
        return picture

    # one method an event; each is told how many files may still be made

    def _photo(self, left: int, scene: Image.Image | None = None) -> Path:
        make = self.rng.choice(list(CAMERAS))
        path = self._save(scene or self._scene(), "photo", make)
        if path.suffix == ".HEIC":
            self._beside(path.with_suffix(".MOV"), drawings.movie(self.rng))
        elif make in ("Canon", "SONY") and self.rng.random() < 0.15:
            self._beside(path.with_suffix(".xmp"), drawings.sidecar(self.rng.randint(1, 5)))
        return path

    def _burst(self, left: int) -> None:
        scene, make = self._scene(), self.rng.choice(["Canon", "SONY", "Apple"])
        length = min(left, self.rng.randint(3, 6))
        sharp = self.rng.randrange(length)
        for position in range(length):
            frame = _shaken(scene, self.rng)
            frame = frame if position == sharp else _blurred(frame, self.rng, 0.6)
            self._save(frame, "burst", make, best=position == sharp, junk=position != sharp, plain=True)
            self.clock += timedelta(milliseconds=self.rng.randint(180, 900))

    def _blur(self, left: int) -> None:
        self._save(_blurred(self._scene(), self.rng, 1.3), "blur", self.rng.choice(list(CAMERAS)), plain=True)

    def _dark(self, left: int) -> None:
        dark = ImageEnhance.Brightness(self._scene()).enhance(self.rng.uniform(0.04, 0.12))
        self._save(_grainy(dark, self.noise), "dark", self.rng.choice(list(CAMERAS)), plain=True)

    def _receipt(self, left: int) -> None:
        table = self.sources[self.rng.choice(["brick.png", "gravel.png", "grass.png"])]
        slip = self._unlike(lambda: drawings.receipt(self.rng, table))
        self._save(_grainy(slip, self.noise), "receipt", "Apple", plain=True)

    def _screenshot(self, left: int) -> None:
        picture = self.sources[self.rng.choice(list(self.sources))]
        name = f"Screenshots/Screenshot_{self.clock:%Y%m%d-%H%M%S}.png"
        screen = self._unlike(lambda: drawings.screenshot(self.rng, picture, self.clock))
        self._save(screen, "screenshot", None, name=name)

    def _copy(self, left: int) -> None:
        original = self._photo(left)
        twin = original.with_name(f"{original.stem} (1){original.suffix}")
        shutil.copy2(original, twin)
        self._note(twin, "copy", best=False, junk=False)

    def _edit(self, left: int) -> None:
        """What a messenger makes of a photo: half the size, squeezed, without EXIF."""
        scene = self._scene()
        self._photo(left, scene)
        small = scene.copy()
        small.thumbnail((max(small.size) // 2,) * 2)
        self.clock += timedelta(minutes=3)
        self._save(
            small, "edit", None, best=False, name=f"WhatsApp Images/IMG-{self.clock:%Y%m%d}-WA{self.group:04d}.jpg", quality=70
        )

    # files

    def _save(
        self, picture: Image.Image, kind: str, make: str | None, *, name: str | None = None, best: bool = True,
        junk: bool | None = None, plain: bool = False, quality: int = 90,
    ) -> Path:  # fmt: skip
        """Write a picture as its camera would. `plain`: always an upright JPEG."""
        self.serial += 1
        odd = 0.0 if plain or make is None else self.rng.random()
        heic = make == "Apple" and odd > 0.6
        path = self.root / (name or f"{self.clock:%Y/%Y-%m}/{self._name(make, heic)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {}
        if make is not None:
            turn = 6 if odd > 0.8 and not heic and picture.height > picture.width else 1
            picture = picture.transpose(Image.Transpose.ROTATE_90) if turn == 6 else picture
            options["exif"] = self._exif(make, turn).tobytes()
        if heic:
            pillow_heif.from_pillow(picture).save(path, quality=60, enc_params={"preset": "ultrafast"}, **options)
        elif path.suffix == ".png":
            picture.save(path, compress_level=3)
        else:
            picture.save(path, quality=quality, **options)
        self._note(path, kind, best, kind in JUNK if junk is None else junk)
        return path

    def _note(self, path: Path, kind: str, best: bool, junk: bool) -> None:
        os.utime(path, (self.clock.timestamp(),) * 2)
        self.truth.append(Truth(path.relative_to(self.root).as_posix(), kind, self.group, best, junk))

    def _beside(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        os.utime(path, (self.clock.timestamp(),) * 2)

    def _name(self, make: str | None, heic: bool) -> str:
        if make == "SONY":
            return f"DSC{self.serial:05d}.JPG"
        if make == "SAMSUNG":
            return f"{self.clock:%Y%m%d_%H%M%S}.jpg"
        return f"IMG_{self.serial:04d}.{'HEIC' if heic else 'JPG'}"

    def _exif(self, make: str, orientation: int) -> Image.Exif:
        exif = Image.Exif()
        stamp = f"{self.clock:%Y:%m:%d %H:%M:%S}"
        exif[0x010F], exif[0x0110], exif[0x0112], exif[0x0132] = make, CAMERAS[make], orientation, stamp
        details = exif.get_ifd(0x8769)
        details[0x9003] = details[0x9004] = stamp  # taken, digitized
        details[0x9291] = f"{self.clock.microsecond // 1000:03d}"
        details[0x829A], details[0x829D], details[0x8827] = 1 / 125, 2.8, 200  # exposure, aperture, ISO
        return exif


# --- as a program ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m precious_daemon.demo", description="Make a demo library in a new folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=120, help="picture files (120)")
    parser.add_argument("--seed", type=int, default=0, help="another number makes another library (0)")
    chosen = parser.parse_args(arguments)
    folder = chosen.folder.absolute()
    if folder.is_dir() and truth_file(folder).exists():
        sys.stdout.write(f"The demo library {folder} is there already.\n")
        return 0
    try:
        truth = build(folder, chosen.count, chosen.seed)
    except PreciousError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    except OSError as exc:
        sys.stderr.write(f"The demo library {folder} cannot be made: {exc}.\n")
        return 1
    sys.stdout.write(
        f"Made a demo library of {len(truth)} pictures in {folder}, from pictures that scikit-image and scikit-learn ship.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
