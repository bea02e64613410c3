"""Reading photos against the floor: what each costs, and how soon ten thousand new ones can be looked at.

    python -m bench.ingest [--library DIR] [--python PYTHON]... [--quick]

The floor is the time that libjpeg-turbo takes to undo a JPEG's Huffman codes and nothing else: `djpeg -scale 1/8 -fast
-grayscale` (Debian: libjpeg-turbo-progs), the start of that program and the reading of its file included. The whole recipe is
preview, thumbnail, proxy, perceptual hash, HOG, measures, content hash, EXIF and the rows in both databases. All take turns on
the same files in one run; times are CPU seconds of one core, user and system, because the machine may be shared; a ratio is
the median over files of the ratios of medians. pyvips makes a JPEG of 1000 px and nothing else; imagehash, imagededup and
czkawka's Python binding make one perceptual hash and nothing else.

DIR holds JPEGs of about 12 megapixels and 4 MB; without it some are made: with a thumbnail and EXIF, and with so much grain
that quality 92 takes 4 MB. PYTHON is an interpreter of an environment with some of the others; what none of them has is named.
"""

from __future__ import annotations

import asyncio
import io
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench.common import Figure, arguments, demo_library, report, say

NEW = 10_000
HEADERS = 32 * 1024  # bytes of a JPEG that hold its EXIF and thumbnail
FLOOR = ["djpeg", "-scale", "1/8", "-fast", "-grayscale", "-outfile", "/dev/null"]
# Others, each in a process of its own: what makes them ready, and what they do with one `path`.
LOOP = """
import os, sys, time
os.environ.update(VIPS_CONCURRENCY="1", OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")
{ready}
for line in sys.stdin:
    path = line.rstrip("\\n")
    began = time.process_time()
    {work}
    print(time.process_time() - began, flush=True)
"""
RIVALS = {
    "pyvips thumbnail": (
        "import pyvips; pyvips.cache_set_max(0)", "pyvips.Image.thumbnail(path, 1000).jpegsave_buffer(Q=82)",
        'pip install "pyvips[binary]"',
    ),
    "imagehash.phash": ("import imagehash; from PIL import Image", "imagehash.phash(Image.open(path))", "pip install imagehash"),
    "imagededup PHash": (
        "from imagededup.methods import PHash; hasher = PHash(verbose=False)", "hasher.encode_image(image_file=path)",
        "pip install imagededup",
    ),
    "czkawka hash": (
        "import czkawka; from pathlib import Path; finder = czkawka.ImageSimilarity()", "finder.hash_image(Path(path))",
        "pip install czkawka",
    ),
}  # fmt: skip
SLOW_ROUNDS = 3  # of rivals that take much longer than what they are measured against
WORKER = """
import re, sys
from precious_daemon.pictures.ingest import prepare_worker, read_photo
prepare_worker(1024)
for path in sys.argv[1:]:
    read_photo(path, 30)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


# --- pictures ----------------------------------------------------------------------------------------------------------


def camera_files(folder: Path, count: int) -> list[Path]:
    """JPEGs of 4000 x 3000 pixels and about 4 MB."""
    folder.mkdir()
    small = sorted(demo_library(folder.parent / "small", max(count, 40)).rglob("*.jpg"))
    noise = np.random.default_rng(1)
    made = []
    for number in range(count):
        say(f"making photo {number + 1} of {count}")
        with Image.open(small[number * len(small) // count]) as image:
            plain = np.asarray(image.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = noise.standard_normal((3000, 4000), dtype=np.float32)
        exif = camera_exif(Image.fromarray(plain.astype(np.uint8)).resize((160, 120)), f"2024:01:31 12:30:{number:02}")
        strength, data = 6.0, b""
        for _ in range(4):
            grained = np.clip(plain + (grain * strength).astype(np.int16)[..., None], 0, 255).astype(np.uint8)
            out = io.BytesIO()
            Image.fromarray(grained).save(out, "JPEG", quality=92, exif=exif)
            data = out.getvalue()
            if 3.8e6 < len(data) < 4.2e6:
                break
            strength *= (4e6 / len(data)) ** 1.5
        path = folder / f"IMG_{number:04}.JPG"
        path.write_bytes(data)
        made.append(path)
    return made


def camera_exif(small: Image.Image, taken: str) -> bytes:
    """EXIF with a time and a thumbnail, as cameras write it."""
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    data, moment = out.getvalue(), taken.encode() + b"\0"
    end = 8 + 2 + 12 + 4 + 2 + 2 * 12 + 4
    tiff = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0132, 2, len(moment), end, 26)
    tiff += struct.pack("<HHHII", 2, 0x0201, 4, 1, end + len(moment)) + struct.pack("<HHIII", 0x0202, 4, 1, len(data), 0)
    return b"Exif\0\0" + tiff + moment + data


# --- measuring ---------------------------------------------------------------------------------------------------------


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def floor(path: Path) -> float:
    before = children_cpu()
    subprocess.run([*FLOOR, str(path)], check=True)
    return children_cpu() - before


class Rival:
    """Another program at work in a process of its own. Raises RuntimeError where it is not installed there."""

    def __init__(self, name: str, python: str) -> None:
        ready, work, _ = RIVALS[name]
        self._process = subprocess.Popen(
            [python, "-c", LOOP.format(ready=ready, work=work)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, path: Path) -> float:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (ValueError, BrokenPipeError) as exc:
            raise RuntimeError(self._process.communicate()[1][-300:]) from exc

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def compare(files: list[Path], home: Path, rounds: int, pythons: list[str]) -> tuple[dict[str, Figure], list[str]]:
    """Medians of the times, and their ratios."""
    os.environ["PRECIOUS_HOME"] = str(home)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from precious_daemon import config
    from precious_daemon.folders import readers
    from precious_daemon.folders.scan import scan
    from precious_daemon.folders.watched import add_root
    from precious_daemon.machine import lean
    from precious_daemon.pictures.decode import decode
    from precious_daemon.pictures.ingest import PREVIEW, read_photo
    from precious_daemon.store import Store, photos

    lean.keep_memory()  # as the reading processes do
    missing: list[str] = []
    others: dict[str, Callable[[Path], float]] = {}
    if shutil.which("djpeg"):
        others["floor (djpeg)"] = floor
    else:
        missing.append("djpeg (apt install libjpeg-turbo-progs)")
    at_work: list[Rival] = []
    for name, (_, _, how) in RIVALS.items():
        for python in pythons:
            rival = Rival(name, python)
            at_work.append(rival)
            try:
                rival(files[0])
            except RuntimeError:
                continue
            others[name] = rival
            break
        else:
            missing.append(f"{name} ({how})")

    with Store(config.places()) as store:
        root = add_root(store, str(files[0].parent), time.time())
        scan(store, root, config.WatchSettings(), time.time)
        entries = {entry.path: entry for entry in store.read(photos.to_ingest, 1000, [root.id])}

        def recipe(path: Path) -> float:
            before = time.process_time()
            facts = read_photo(str(path), 30)
            between = time.process_time()
            reading = between - before
            entry = entries[path.name]
            store.write(readers._record, time.time(), [(entry, facts)] * readers.TOGETHER, 10**9)
            return reading + (time.process_time() - between) / readers.TOGETHER

        ours = {
            "whole recipe": recipe,
            "of it decoding": lambda path: cpu(lambda: decode(path.read_bytes(), PREVIEW)),
        }
        times: dict[str, dict[Path, list[float]]] = {name: {path: [] for path in files} for name in ours | others}
        for number in range(rounds + 1):
            say(f"round {number} of {rounds}")
            for path in files:
                for name, measure in (others | ours).items():
                    if number >= SLOW_ROUNDS and name in RIVALS and name != "pyvips thumbnail":
                        continue
                    took = measure(path)
                    if number:  # the first round warms up
                        times[name][path].append(took)
    for rival in at_work:
        rival.close()
    medians = {name: {path: statistics.median(runs) for path, runs in by.items()} for name, by in times.items()}
    figures = {f"{name}, per photo": Figure(1000 * statistics.median(by.values()), "ms") for name, by in medians.items()}

    def ratio(above: str, below: str) -> float:
        return statistics.median(medians[above][path] / medians[below][path] for path in files)

    if "floor (djpeg)" in medians:
        figures["whole recipe over the floor"] = Figure(ratio("whole recipe", "floor (djpeg)"), "x", 1.4)
    for name in RIVALS:
        if name in medians:
            goal = 1.4 if name == "pyvips thumbnail" else None
            figures[f"{name} over the whole recipe"] = Figure(ratio(name, "whole recipe"), "x", goal, more=True)
    return figures, missing


def first_grid(files: list[Path], folder: Path, home: Path) -> dict[str, Figure]:
    """From adding a folder of new camera photos to all of them on a page, thumbnails and all, by a service with one worker."""
    os.environ["PRECIOUS_HOME"] = str(home)
    from precious_daemon import config
    from precious_daemon.folders.readers import Ingest
    from precious_daemon.folders.scan import scan
    from precious_daemon.folders.watched import add_root
    from precious_daemon.models import PhotoState
    from precious_daemon.store import Store, photos

    say(f"{NEW} new photos")
    folder.mkdir()
    starts = [(path.read_bytes()[:HEADERS], path.stat().st_size) for path in files]
    then = time.time() - 3600
    for number in range(NEW):  # their beginnings only, of full length: forty gigabytes need not be written
        place = folder / f"{number // 500:03}"
        place.mkdir(exist_ok=True)
        start, size = starts[number % len(starts)]
        path = place / f"IMG_{number:05}.JPG"
        path.write_bytes(start)
        os.truncate(path, size)
        os.utime(path, (then - number, then - number))
    with Store(config.places()) as store:
        ingest = Ingest(store, config.IngestSettings(workers=1), time.time)

        def say_and_stop(what: str, done: int, total: int) -> None:
            if what.startswith("looking"):
                if done % 2000 == 0:
                    say(f"{done} of {total} seen")
                ingest.paused = done >= total

        began = time.perf_counter()
        root = add_root(store, str(folder), time.time())
        scan(store, root, config.WatchSettings(), time.time)
        scanned = time.perf_counter() - began
        asyncio.run(ingest.run(say_and_stop))
        took = time.perf_counter() - began
        seen = store.read(photos.counts)[PhotoState.PRESENT]
    if seen < NEW:
        raise SystemExit(f"only {seen} of {NEW} could be seen at once")
    return {
        f"scan of {NEW:,} new photos": Figure(scanned, "s"),
        f"first grid of {NEW:,} new photos": Figure(took, "s", 15),
    }


def worker_memory(files: list[Path]) -> dict[str, Figure]:
    """The most that a reading process ever held."""
    command = [sys.executable, "-c", WORKER, *map(str, files)]
    peak = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {"reading process, largest RSS": Figure(peak / 1000, "MB", 200)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--library", type=Path)
    parser.add_argument("--python", action="append", default=[], help="an interpreter that has other programs' packages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="precious-ingest-") as made:
        work = Path(made)
        if options.library:
            wanted = [p for p in sorted(options.library.rglob("*")) if p.suffix.lower() in (".jpg", ".jpeg")]
            (work / "camera").mkdir()
            files = []
            for number, path in enumerate(wanted[: 6 if options.quick else 24]):
                files.append(Path(shutil.copy(path, work / "camera" / f"{number:04}.JPG")))
        else:
            files = camera_files(work / "camera", 5 if options.quick else 16)
        then = time.time() - 3600
        for path in files:
            os.utime(path, (then, then))
        figures, missing = compare(files, work / "home", 3 if options.quick else 7, [*options.python, sys.executable])
        made_here = files if not options.library else camera_files(work / "made", 2)
        figures |= worker_memory(files)
        figures |= first_grid(made_here, work / "new", work / "home2")
        sizes = [path.stat().st_size for path in files]
    for name in missing:
        say(f"not measured, because it is missing: {name}")
    conditions: dict[str, object] = {
        "photos": len(files), "median file, MB": round(statistics.median(sizes) / 1e6, 2), "missing": missing,
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    report("ingest", conditions, figures)


if __name__ == "__main__":
    main()
