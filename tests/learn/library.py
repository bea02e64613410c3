"""A small library for the learner: drawn pictures in a cache, and the folder of a job about them."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from precious_daemon.config import Places
from precious_daemon.learn.backbone import DIMENSION, NAME
from precious_daemon.models import Label, Quality, Vote
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow

TRAIN, TEST = range(1, 17), range(17, 29)


def picture(number: int, junk: bool) -> Image.Image:
    """Coloured shapes on a coloured ground; junk is the same, out of focus and grey."""
    rng = np.random.default_rng(number)
    size = (256, 192) if number % 3 else (192, 256)
    image = Image.new("RGB", size, tuple(int(v) for v in rng.integers(60, 255, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = (int(v) for v in rng.integers(0, 180, 3))
        draw.ellipse((x, y, x + r // 2 + 8, y + r // 2 + 8), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    return image.convert("L").convert("RGB").filter(ImageFilter.GaussianBlur(9)) if junk else image


def thumbnail(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def quality(sharpness: float) -> Quality:
    return Quality(sharpness, sharpness, *[0.5] * 13)


def content_hash(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@dataclass(frozen=True)
class Library:
    """Photos 1..count; every third is junk. Each has a thumbnail in the cache, and a burst of its own."""

    places: Places
    count: int

    def fill(self) -> None:
        with closing(sqlite3.connect(self.places.cache_db)) as db, db:
            for number in range(1, self.count + 1):
                picture_bytes = thumbnail(picture(number, self.junk(number)))
                sharpness = 0.2 if self.junk(number) else 0.7
                row = [content_hash(number), picture_bytes, b"", b"", quality(sharpness + number / 1000).pack()]
                db.execute("INSERT INTO pictures (content_hash, thumbnail, proxy, hog, quality) VALUES (?, ?, ?, ?, ?)", row)

    @staticmethod
    def junk(number: int) -> bool:
        return number % 3 == 0

    def keep_embeddings(self, job: Path) -> None:
        with closing(sqlite3.connect(self.places.cache_db)) as db, db:
            for key, vector in jobfolder.read_embeddings(job, DIMENSION):
                db.execute("INSERT INTO embeddings VALUES (?, ?, ?)", [key, NAME, vector])

    def spoil(self, number: int, blob: bytes) -> None:
        with closing(sqlite3.connect(self.places.cache_db)) as db, db:
            db.execute("UPDATE pictures SET thumbnail = ? WHERE content_hash = ?", [blob, content_hash(number)])

    def rows(self) -> list[PhotoRow]:
        return [
            PhotoRow(n, content_hash(n).hex(), n, float(n), "Canon EOS", 4000, 3000, 4_000_000 + n, "JPEG", f"{n}.jpg", n)
            for n in range(1, self.count + 1)
        ]

    def label(self, numbers: Iterable[int], purpose: str, wrong: bool = False) -> list[Label]:
        return [Label(n, self.junk(n) == wrong, purpose, float(n)) for n in numbers]

    def job(self, name: str, task: str, **more: Any) -> Path:
        folder = self.places.jobs / name
        folder.mkdir(parents=True)
        common = {"cache_db": str(self.places.cache_db), "backbone": NAME, "seconds": None, "threads": 1, "seed": 0}
        jobfolder.write_json(folder, "job.json", {"task": task} | common | more)
        return folder

    def embed_job(self, name: str = "embed", **more: Any) -> Path:
        folder = self.job(name, "embed", **more)
        (folder / "wanted.bin").write_bytes(b"".join(content_hash(n) for n in range(1, self.count + 1)))
        return folder

    def learn_job(self, name: str, labels: Sequence[Label], votes: Sequence[Vote] = (), **more: Any) -> Path:
        folder = self.job(name, "learn", memory_megabytes=4096, run="20260101-020000", classes=["delete", "keep"], **more)
        jobfolder.write_photos(folder, self.rows())
        jobfolder.write_labels(folder, labels)
        jobfolder.write_votes(folder, votes)
        return folder


# the child, but for its place as the last in line for the processor: there it would wait for whatever else this machine does
EAGER = """
import sys, pathlib
from precious_daemon.work import jobfolder
jobfolder.step_back = lambda: None
from precious_daemon.learn.__main__ import main
sys.exit(main(pathlib.Path(sys.argv[1])))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    """The child as the service starts it."""
    command = [sys.executable, "-W", "error", "-c", EAGER, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy())


def labels_of(library: Library) -> list[Label]:
    return library.label(TRAIN, "train") + library.label(TEST, "test")
