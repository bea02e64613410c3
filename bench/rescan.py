"""A full scan of files that have not changed: seconds for a million, and whether memory stays flat.

    python -m bench.rescan [--quick] [--files N] [--in DIR]

Makes a tree of N small files, writes their rows straight into a library, and scans it: everything is compared, nothing
is read or written. The floor is the same tree walked and stat'ed with nothing else done.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.common import Figure, arguments, report, rss_mb, say
from bench.synthetic import add_photos, batches

A_FOLDER = 100  # files


def make_tree(top: Path, count: int) -> None:
    for number in range(0, count, A_FOLDER):
        folder = top / f"{number // 100_000:03}" / f"{number // A_FOLDER:06}"
        folder.mkdir(parents=True)
        for inner in range(number, min(number + A_FOLDER, count)):
            (folder / f"IMG_{inner:07}.jpg").touch()
    then = time.time() - 3600
    for place, _, names in os.walk(top):
        for name in names:
            os.utime(os.path.join(place, name), (then, then))


def floor(top: str) -> int:
    """Walk and stat, and no more."""
    count, waiting = 0, [top]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def peak_mb() -> float:
    """Most resident memory since `forget_peak`, MB (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--files", type=int, help="how many; 100,000, or 20,000 with --quick")
    parser.add_argument("--in", dest="place", help="where to make the tree; the folder for temporary files")
    given = parser.parse_args()
    count = given.files or (20_000 if given.quick else 100_000)
    home = Path(tempfile.mkdtemp(prefix="rescan-", dir=given.place))
    try:
        figures = measure(home, count)
    finally:
        shutil.rmtree(home)
    conditions = {"files": count, "files in a folder": A_FOLDER, "load average": f"{os.getloadavg()[0]:.1f}"}
    report("rescan", conditions, figures)


def measure(home: Path, count: int) -> dict[str, Figure]:
    os.environ["PRECIOUS_HOME"] = str(home / "home")
    from precious_daemon.config import WatchSettings, places
    from precious_daemon.disk.tree import walk
    from precious_daemon.folders.scan import scan
    from precious_daemon.folders.watched import add_root
    from precious_daemon.models import Stamp
    from precious_daemon.store import Store

    def rows() -> Iterator[tuple[str, Stamp]]:
        for folder, names in walk(str(home / "tree"), "", True, WatchSettings(), []):
            for name, s in names.items():
                yield f"{folder}/{name}", Stamp(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns)

    say(f"making {count:,} files")
    pid = os.fork()
    if pid == 0:  # in a process of its own, so that its memory is not taken for the scan's
        make_tree(home / "tree", count)
        os._exit(0)
    os.waitpid(pid, 0)
    with Store(places()) as store:
        root = add_root(store, str(home / "tree"), time.time())
        say("writing their rows")
        done = 0
        for part in batches(rows()):
            done += store.write(add_photos, root.id, done + 1, part, random.Random(0))
            say(f"  {done:,}")
        writes = 0
        write = store.write

        def counted(*args: object, **kwargs: object) -> object:
            nonlocal writes
            writes += 1
            return write(*args, **kwargs)  # type: ignore[arg-type]

        store.write = counted  # type: ignore[method-assign, assignment]
        scan(store, root, WatchSettings(), time.time, [("000", True)])  # connections and caches are there
        gc.collect()
        before = rss_mb()
        forget_peak()
        times, floors = [], []
        for number in range(3):
            say(f"scan {number + 1} of 3")
            began = time.perf_counter()
            found = floor(str(home / "tree"))
            floors.append(time.perf_counter() - began)
            assert found >= count
            began = time.perf_counter()
            told = scan(store, root, WatchSettings(), time.time)
            times.append(time.perf_counter() - began)
            assert str(told) == "nothing new", told
        million = 1_000_000 / count
        return {
            "rescan of a million": Figure(statistics.median(times) * million, "s", 60),
            "walk and stat alone": Figure(statistics.median(floors) * million, "s"),
            "peak memory above that before": Figure(peak_mb() - before, "MB", 10),
            "writes": Figure(writes, "", 0),
            "library.db": Figure(places().library_db.stat().st_size / 1e6, "MB"),
        }


if __name__ == "__main__":
    main()
