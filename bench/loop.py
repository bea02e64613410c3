"""Time and memory of each station on one library, from the first scan to an undone deletion.

    python -m bench.loop [--library DIR | --photos N... [--made-up-looks] [--found DIR]] [--workers N] [--quick]

With `--photos` so many small pictures are made as files, and taken through the loop by a process for each N: 10000 100000 1000000
says how each station grows, as the power of N that its time, memory and disk follow from one size to the next. With
`--made-up-looks` the network, which takes the same for every photo and 15 hours for a million on two cores, sees none: each photo
gets a vector near one of 40 made-up ones, of which the dark photos have 8, and the other stations work with that. A million take
two hours: with `--found` each size's figures are kept in a folder, and a size whose figures are there is not measured again.

DIR holds pictures, and beside it may stand truth.csv (path, kind, ...): photos of kind blur, dark, receipt or screenshot
are those that the made-up owner throws away. Without DIR a library of example pictures is made.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bench.common import Figure, arguments, demo_library, report, rss_mb, say
from bench.synthetic import write_pictures
from precious_daemon.jobs.networks import BUILT_IN
from precious_daemon.service import Service
from precious_daemon.store import Database, pictures

JUNK = {"blur", "dark", "receipt", "screenshot"}
DIMENSION = 1280  # of the built-in network's features


def junk_of(library: Path) -> set[str]:
    for file in (library.parent / "truth.csv", library / "truth.csv"):
        if file.exists():
            with open(file, newline="") as rows:
                return {row["path"] for row in csv.DictReader(rows) if row["kind"] in JUNK}
    return set()


async def make_up_looks(service: Service, dark: set[str]) -> None:
    """In a process of its own, as the network would: the service holds no arrays."""

    def part(db: Database, after: int) -> list[tuple[int, bytes, str]]:
        sql = "SELECT id, content_hash, path FROM photos WHERE id > ? AND state = 'present' ORDER BY id LIMIT 5000"
        return [(row[0], row[1], os.fsdecode(row[2])) for row in db.execute(sql, [after])]

    last = 0
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
        while found := await service.store.aread(part, last):
            last = found[-1][0]
            vectors = await asyncio.wrap_future(child.submit(made_up_vectors, [path in dark for _, _, path in found], last))
            rows = [(content, vector) for (_, content, _), vector in zip(found, vectors, strict=True)]
            await service.store.awrite(pictures.put_embeddings, BUILT_IN, rows)


def made_up_vectors(dark: list[bool], seed: int) -> list[bytes]:
    import numpy as np

    centres = np.random.default_rng(0).standard_normal((40, DIMENSION), dtype=np.float32)
    rng = np.random.default_rng(seed)
    of = np.array([rng.integers(8) if it_is else rng.integers(8, 40) for it_is in dark])
    vectors = (centres[of] + rng.standard_normal((len(dark), DIMENSION), dtype=np.float32)).astype(np.float16)
    return [vector.tobytes() for vector in vectors]


async def measure(library: Path, home: Path, labels: int, workers: int, made_up: bool) -> dict[str, Figure]:
    os.environ["PRECIOUS_HOME"] = str(home)
    from precious_daemon import config
    from precious_daemon.asking import answering, ask
    from precious_daemon.models import Choice, PhotoState, Question
    from precious_daemon.running.daemon import running
    from precious_daemon.status import snapshot
    from precious_daemon.store import photos, suggestions
    from precious_daemon.suggesting import review

    junk = junk_of(library)
    places = config.places()
    settings = config.parse({"ask": {"train_labels": labels, "test_labels": labels}, "ingest": {"workers": workers}})
    figures: dict[str, Figure] = {}

    async def timed(name: str, work: Callable[[], Awaitable[object]]) -> float:
        say(name)
        began = time.perf_counter()
        await work()
        took = time.perf_counter() - began
        figures[f"{name}, seconds"] = Figure(took, "s")
        figures[f"{name}, RSS of the service after it"] = Figure(rss_mb(), "MB")
        figures[f"{name}, largest child so far"] = Figure(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000, "MB")
        figures[f"{name}, disk after it"] = Figure(sum(f.stat().st_size for f in home.rglob("*") if f.is_file()) / 1e6, "MB")
        return took

    async with running(places, settings, [str(library)], port=0, watching=False) as started:
        service, jobs = started.service, started.service.jobs
        await timed("scan", lambda: jobs.run("scan"))
        took = await timed("read", jobs.arrivals.reading_done)
        count = (await service.store.aread(photos.counts))[PhotoState.PRESENT]
        figures["read, photos a second"] = Figure(count / took, "photos/s")
        if made_up:
            for name in ("group", "suggest"):  # which began by themselves, and would have the network look
                await jobs.stop_job(name)
            await make_up_looks(service, junk)
        else:
            took = await timed("embed", lambda: jobs.run("embed"))
            figures["embed, photos a second"] = Figure(count / took, "photos/s")
        await timed("group", lambda: jobs.run("group"))
        await timed("scan again", lambda: jobs.run("scan"))

        say("ask and answer")
        rng, pair_ms, label_ms = random.Random(0), [], []
        for _ in range(100):
            began = time.perf_counter()
            asked = await ask.next_pair(service, 1)
            assert asked
            first, second = (photo.path in junk for photo in asked.photos)
            choice = Choice.FIRST if (first, rng.random()) < (second, rng.random()) else Choice.SECOND
            await answering.answer(service, 1, Question.PAIR, choice, [photo.uid for photo in asked.photos], asked.purpose)
            pair_ms.append((time.perf_counter() - began) * 1000)
        for _ in range(2 * labels):
            began = time.perf_counter()
            asked = await ask.next_label(service, 1)
            if asked is None:
                break
            choice = Choice.DELETE if asked.photos[0].path in junk else Choice.KEEP
            await answering.answer(service, 1, asked.question, choice, [asked.photos[0].uid], asked.purpose)
            label_ms.append((time.perf_counter() - began) * 1000)
        figures["pair asked and stored, median"] = Figure(statistics.median(pair_ms), "ms")
        figures["label asked and stored, median"] = Figure(statistics.median(label_ms), "ms")

        await timed("learn", lambda: jobs.run("learn"))
        metrics = (await snapshot(service))["model"]["metrics"]
        figures["average precision for delete, held out"] = Figure(metrics["average_precision"], "")
        await timed("suggest and deliver", lambda: jobs.run("suggest"))
        rows = await service.store.aread(suggestions.page, 1)
        chosen = [row.uid for row in rows[:20]]
        moved = []

        async def approve() -> None:
            moved.extend(await review.approve_and_apply(service, 1, chosen, len(chosen)))

        took = await timed(f"trash {len(chosen)}", approve)
        figures["trash, units a second"] = Figure(len(chosen) / took, "units/s")
        await timed(f"undo {len(chosen)}", lambda: review.undo(service, 1, [outcome.unit.uid for outcome in moved]))
    figures["largest child, RSS"] = Figure(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000, "MB", 2000)
    figures["service, RSS"] = Figure(rss_mb(), "MB")
    figures["load average at the end"] = Figure(os.getloadavg()[0], "")
    for name, file in (("library.db", places.library_db), ("cache.db", places.cache_db)):
        figures[f"{name}, a photo"] = Figure(file.stat().st_size / count / 1000, "KB")
    return {"photos": Figure(count, "")} | figures


def at_sizes(sizes: list[int], scratch: Path, options: list[str], kept: Path) -> dict[str, Figure]:
    """Each size in a process of its own, and by which power of the photos each figure grew from the size before."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    kept.mkdir(parents=True, exist_ok=True)
    for count in sizes:
        file = kept / f"{count}.json"
        if not file.exists():
            say(f"{count:,} photos")
            library = scratch / str(count) / "library"
            write_pictures(library, count)
            command = [sys.executable, "-m", "bench.loop", "--library", str(library), *options]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            file.write_text(done.stdout.splitlines()[-1])
            shutil.rmtree(scratch / str(count))
        found[count] = json.loads(file.read_text())["figures"]
    figures = {}
    for name in found[sizes[0]]:
        for count, before in zip(sizes, [None, *sizes], strict=False):
            figure = found[count][name]
            figures[f"{count:,}: {name}"] = Figure(figure["value"], figure["unit"])
            was = found[before][name]["value"] if before else 0
            if before and was > 0 < figure["value"] and figure["unit"] in ("s", "ms", "MB", "KB"):
                power = math.log(figure["value"] / was) / math.log(count / before)
                figures[f"{count:,}: {name}, grows as the power"] = Figure(power, "of N")
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--library", type=Path, help="a folder of pictures; nothing in it is changed for good")
    parser.add_argument("--photos", type=int, nargs="*", default=[], metavar="N", help="libraries of so many small pictures")
    parser.add_argument("--made-up-looks", action="store_true", help="vectors in place of what the network would see")
    parser.add_argument("--found", type=Path, metavar="DIR", help="keep the figures of each size here, and go on from there")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that read photos; default: as the setting ingest.workers"
    )
    args = parser.parse_args()
    labels = 20 if args.quick else 45
    with tempfile.TemporaryDirectory() as scratch:
        if args.photos:
            conditions: dict[str, object] = {"library": "small pictures", "sizes": args.photos, "made up": args.made_up_looks}
            options = ["--workers", str(args.workers), *["--made-up-looks"] * args.made_up_looks]
            figures = at_sizes(args.photos, Path(scratch), options, args.found or Path(scratch) / "found")
        else:
            library = args.library or demo_library(Path(scratch) / "library", 90 if args.quick else 500)
            conditions = {"library": "given" if args.library else "demo", "labels": labels}
            figures = asyncio.run(measure(library.absolute(), Path(scratch) / "home", labels, args.workers, args.made_up_looks))
    conditions |= {"reading processes": args.workers or "by default"}
    report("loop", conditions | {"load average": f"{os.getloadavg()[0]:.1f}"}, figures)


if __name__ == "__main__":
    main()
