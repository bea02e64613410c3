"""Photos made of noise, with the features that reading them would give: small enough for property tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance

from precious_daemon.grouping.groups import Grouping, Looks, informative
from precious_daemon.grouping.twins import Twin, compare_each
from precious_daemon.models import Group, GroupKind, Quality
from precious_daemon.pictures import features
from precious_daemon.work.jobfolder import PhotoRow

SIZE = (240, 180)
GOOD = Quality(0.6, 0.7, 0.3, 0.2, 0.2, 0.0, 0.5, 0.4, 0.0, 0.0, 0.3, 0.3, 0.05, 0.9, 0.29)
CANON = "Canon EOS R6"


@lru_cache
def scene(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with large and small things in it, in colours, unlike any of another number."""
    rng = np.random.default_rng(number)
    picture = Image.fromarray(rng.integers(40, 216, (5, 6, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, r = rng.integers(0, size[0]), rng.integers(0, size[1]), rng.integers(3, 30)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        else:
            draw.rectangle((x - r, y - r // 2, x + r, y + r // 2), fill=colour)
    return picture


@lru_cache
def page(number: int, like: int | None = None) -> Image.Image:
    """A page of text; `like`: with the head of another, and most of its lines."""
    picture = Image.new("RGB", (180, 240), "white")
    draw = ImageDraw.Draw(picture)
    for line in range(14):
        rng = np.random.default_rng([like if like is not None and line % 3 else number, line])
        x = 16
        while x < 160:
            width = int(rng.integers(4, 22))
            draw.rectangle((x, 20 + 15 * line, min(x + width, 164), 25 + 15 * line), fill=(40, 40, 40))
            x += width + 5
    grain = np.random.default_rng(number).normal(0, 3, (240, 180, 1))  # of the paper
    return Image.fromarray((np.asarray(picture) * 0.9 + 12 + grain).clip(0, 255).astype(np.uint8))


def shaken(picture: Image.Image, number: int) -> Image.Image:
    """Another frame of one moment: a little to the side, a little lighter."""
    rng = np.random.default_rng(number)
    x, y = rng.uniform(2, 9, 2)
    frame = picture.resize(picture.size, box=(x, y, picture.width - 9 + x / 2, picture.height - 9 + y / 2))
    return ImageEnhance.Brightness(frame).enhance(float(rng.uniform(0.96, 1.04)))


def _colours(picture: Image.Image) -> NDArray[np.float64]:
    """In place of an embedding: which colours there are, wherever they are."""
    bins = (np.asarray(picture) // 43).reshape(-1, 3) @ np.array([36, 6, 1])
    return np.sqrt(np.bincount(bins, minlength=216) / len(bins))


class Album:
    """A library that never was on a disk."""

    def __init__(self) -> None:
        self.photos: list[PhotoRow] = []
        self.pictures: list[Image.Image] = []
        self.quality: list[Quality | None] = []
        self.twins: list[Twin] = []
        self.compared: set[str] = set()

    def add(
        self,
        name: str,
        picture: Image.Image,
        *,
        size: tuple[int, int] | None = None,
        camera: str | None = None,
        at: float | None = None,
        content: str | None = None,
        quality: Quality | None = None,
        **more: object,
    ) -> int:
        number = len(self.photos) + 1
        grey = picture.convert("L")
        code = features.perceptual_hash(np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS)))
        measured = features.quality(features.tiles(np.asarray(grey)), np.asarray(picture), *picture.size)
        width, height = size or (picture.width * 16, picture.height * 16)
        row = PhotoRow(number, content or f"{number:064x}", code, at, camera, width, height, 1000, "JPEG", f"2023/{name}", 0)
        self.photos.append(PhotoRow(*[more.get(f, getattr(row, f)) for f in PhotoRow.__dataclass_fields__]))  # type: ignore[arg-type]
        self.pictures.append(picture)
        self.quality.append(quality or measured)
        return number

    def looks(self) -> Looks:
        def thumbnail(i: int) -> NDArray[np.uint8]:
            return np.asarray(self.pictures[i])

        embedding = np.array([_colours(picture) for picture in self.pictures], np.float16).reshape(-1, 216)
        return Looks(self.quality, np.zeros((len(self.photos), 1), np.float16), embedding, thumbnail)

    def look(self, steps: int | None = None) -> None:
        """Compare what is new with all, or so many of it."""
        looks = self.looks()
        among = informative(self.photos, looks)
        each = compare_each(self.photos, among, looks.embedding, looks.thumbnail, frozenset(self.compared))
        for step in islice(each, steps):
            self.twins += step.twins
            self.compared.add(self.photos[step.photo].content_hash)

    def groups(self, *kinds: GroupKind) -> list[Group]:
        self.look()
        found = Grouping(self.photos, self.looks(), self.twins).groups({})
        return [g for g in found if not kinds or g.kind in kinds]

    def shuffled(self, order: Sequence[int]) -> Album:
        """The same photos, come in another order and so with other ids."""
        other = Album()
        for number, i in enumerate(order, 1):
            row = self.photos[i]
            values = {f: getattr(row, f) for f in PhotoRow.__dataclass_fields__} | {"id": number}
            other.photos.append(PhotoRow(**values))
            other.pictures.append(self.pictures[i])
            other.quality.append(self.quality[i])
        return other

    def names(self, group: Group) -> list[str]:
        names = {photo.id: photo.path.removeprefix("2023/") for photo in self.photos}
        return [names[m.photo_id] for m in group.members]
