"""What a night costs: 45 labels among 5,000 photos from nothing to scores, and a million photos that were looked at before.

    python -m bench.night [--library DIR] [--photos N] [--many N] [--quick]

The photos are cuttings of the pictures in DIR, or else of a library of example pictures, at the size of previews. Whoever
labels them throws away those that are blurred. The many have features as a network's would be, around a few hundred centres.
Each part is a child process as the service starts it: at the lowest priority, so that on a busy machine it takes the longer.
What it took of the processors tells what it would take on a machine with nothing else to do: between half of that and all of it.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from bench.common import Figure, arguments, demo_library, report, say
from precious_daemon.config import Places
from precious_daemon.models import Label, Quality
from precious_daemon.store import Store
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow

BACKBONE, DIMENSION = "efficientnet-lite2-260", 1280
LABELS, TESTED = 45, 30
SIDE = 1000  # pixels of a preview
DISTINCT = 1_000  # pictures; a larger library has each several times, which costs the same
KINDS = 300  # centres of the many
BLOCK = 20_000


def content(number: int) -> bytes:
    return number.to_bytes(32, "little")


def junk(number: int) -> bool:
    return number % 4 == 0


def previews(sources: Sequence[Path], count: int) -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as image:
            image.draft("RGB", (SIDE, SIDE))
            picture = image.convert("RGB")
        width, height = (int(side * rng.uniform(0.6, 1)) for side in picture.size)
        left, top = int(rng.integers(picture.width - width + 1)), int(rng.integers(picture.height - height + 1))
        picture = picture.crop((left, top, left + width, top + height))
        picture.thumbnail((SIDE, SIDE))
        if junk(number):
            picture = picture.filter(ImageFilter.GaussianBlur(6))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=85)
        yield out.getvalue()


def quality(number: int) -> bytes:
    sharpness = 0.2 if junk(number) else 0.7
    return Quality(sharpness, sharpness, *[0.4 + number % 100 / 500] * 13).pack()


def job(places: Places, name: str, task: str, count: int) -> Path:
    folder = places.jobs / name
    folder.mkdir(parents=True)
    about = {
        "task": task, "cache_db": str(places.cache_db), "backbone": BACKBONE, "seconds": None, "threads": 0, "seed": 0,
        "memory_megabytes": 100_000, "run": name,
    }  # fmt: skip
    jobfolder.write_json(folder, "job.json", about)
    (folder / "wanted.bin").write_bytes(b"".join(content(n) for n in range(count)))
    jobfolder.write_photos(
        folder,
        (PhotoRow(n, content(n).hex(), n, None, "Canon", 4000, 3000, 4_000_000 + n, "JPEG", f"{n}.jpg", n) for n in range(count)),
    )
    said = np.random.default_rng(1).choice(count, LABELS + TESTED, replace=False).tolist()
    labels = [Label(n, not junk(n), "train" if at < LABELS else "test", float(at)) for at, n in enumerate(said)]
    jobfolder.write_labels(folder, labels)
    jobfolder.write_votes(folder, [])
    return folder


def child(folder: Path) -> tuple[float, dict[str, float]]:
    """(seconds, when it first said what it does). A child that fails ends the benchmark."""
    began, said = time.perf_counter(), dict[str, float]()
    command = [sys.executable, "-m", "precious_daemon.learn", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            said.setdefault(json.loads(line)["what"], time.perf_counter() - began)
    if process.returncode:
        sys.exit(f"{folder.name} ended with {process.returncode}")
    return time.perf_counter() - began, said


def small(places: Places, library: Path, count: int) -> dict[str, Figure]:
    sources = sorted(path for path in library.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    with closing(sqlite3.connect(places.cache_db)) as db, db:
        for number, jpeg in enumerate(previews(sources, min(count, DISTINCT))):
            for same in range(number, count, DISTINCT):
                db.execute("INSERT INTO pictures (content_hash, thumbnail, proxy, hog, quality) VALUES (?, ?, ?, ?, ?)",
                           [content(same), jpeg, b"", b"", quality(same)])  # fmt: skip
    embedding = job(places, "embed", "embed", count)
    embed_seconds, _ = child(embedding)
    say(f"looked at in {embed_seconds:.0f} s")
    with closing(sqlite3.connect(places.cache_db)) as db, db:
        rows = ((key, BACKBONE, vector) for key, vector in jobfolder.read_embeddings(embedding, DIMENSION))
        db.executemany("INSERT INTO embeddings VALUES (?, ?, ?)", rows)
    learning = job(places, "learn", "learn", count)
    learn_seconds, _ = child(learning)
    made = jobfolder.read_json(learning, "report.json")
    looked = jobfolder.read_json(embedding, "meta.json")["cost"]
    whole = count >= 5_000
    return {
        f"looking at {count:,} photos": Figure(embed_seconds, "s"),
        f"looking at a photo, {BACKBONE}": Figure(1000 * embed_seconds / count, "ms"),
        "memory while looking": Figure(looked["peak_rss_mb"], "MB", 2_000),
        f"learning from {LABELS} labels among {count:,}": Figure(learn_seconds, "s"),
        "memory while learning": Figure(made["cost"]["peak_rss_mb"], "MB", 2_000),
        f"{LABELS} labels and {count:,} unlabelled": Figure(embed_seconds + learn_seconds, "s", 600 if whole else None),
        "of the processors' time": Figure(looked["processor_seconds"] + made["cost"]["processor_seconds"], "s"),
        "average precision, held out": Figure(made["learners"][made["champion"]]["test"]["average_precision"], ""),
    }


def many(places: Places, count: int) -> dict[str, Figure]:
    rng = np.random.default_rng(2)
    centres = np.maximum(rng.normal(0, 1, (KINDS, DIMENSION)), 0)
    kind = [4 * (n // 4 % (KINDS // 4)) + n % 4 for n in range(BLOCK)]  # of every fourth kind all are junk
    made = np.maximum(centres[kind] + rng.normal(0, 0.7, (BLOCK, DIMENSION)), 0).astype("<f2")
    vectors = [vector.tobytes() for vector in made]  # each block of photos has the same: that costs no less
    with closing(sqlite3.connect(places.cache_db)) as db:
        db.execute("PRAGMA synchronous=OFF")
        for start in range(0, count, BLOCK):
            numbers = range(start, min(start + BLOCK, count))
            db.executemany(
                "INSERT INTO pictures (content_hash, thumbnail, proxy, hog, quality) VALUES (?, x'', x'', x'', ?)",
                ((content(n), quality(n)) for n in numbers),
            )
            rows = ((content(n), BACKBONE, vectors[n % BLOCK]) for n in numbers)
            db.executemany("INSERT INTO embeddings VALUES (?, ?, ?)", rows)
            db.commit()
            if start % 200_000 == 0:
                say(f"{start:,} of {count:,} photos")
    learning = job(places, "many", "learn", count)
    seconds, said = child(learning)
    told = jobfolder.read_json(learning, "report.json")
    reading, scoring = said["comparing photos"] - said["reading photos and answers"], seconds - said["scoring every photo"]
    return {
        f"reading {count:,} photos' features": Figure(reading, "s"),
        f"scoring {count:,} photos": Figure(scoring, "s"),
        f"{count:,} photos, read and scored": Figure(reading + scoring, "s", 120 if count >= 1_000_000 else None),
        f"learning in a library of {count:,}": Figure(seconds, "s"),
        "of the processors' time, all of it": Figure(told["cost"]["processor_seconds"], "s"),
        f"memory, {count:,} photos": Figure(told["cost"]["peak_rss_mb"], "MB"),
        f"average precision, {count:,} photos": Figure(told["learners"][told["champion"]]["test"]["average_precision"], ""),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--library", type=Path, help="a folder of pictures")
    parser.add_argument("--photos", type=int, help="default: 5000, or 60 with --quick")
    parser.add_argument("--many", type=int, help="default: a million, or 10000 with --quick; 0 leaves them out")
    args = parser.parse_args()
    few, lots = (60, 10_000) if args.quick else (5_000, 1_000_000)
    few, lots = few if args.photos is None else args.photos, lots if args.many is None else args.many
    began = os.getloadavg()[0]
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="night-") as folder:
        for name in ["small"] * (few > 0) + ["many"] * (lots > 0):
            here = Path(folder) / name
            places = Places(here / "config.toml", here / "data", here / "cache", here / "run")
            with Store(places):
                pass
            if name == "small":
                library = args.library or demo_library(Path(folder) / "demo", min(400, max(60, few // 4)))
                figures |= small(places, library, few)
            else:
                figures |= many(places, lots)
    load = {"load before": round(began, 1), "load after": round(os.getloadavg()[0], 1)}
    report("night", {"labels": LABELS, "backbone": BACKBONE} | load, figures)


if __name__ == "__main__":
    main()
