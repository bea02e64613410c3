"""How long the next question takes: candidates from the store and the choice among them, at 1,000 to 1,000,000 photos.

    python -m bench.pairing [--quick] [--photos N ...] [--in DIR] [--keep]

The rows are those of `bench.million`: a tenth of the photos voted on, half of them guessed, a twentieth in bursts. A question
is what the page asks for: everything between the request's handler and the photos it shows, on a connection that only reads.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench import million as rows
from bench.common import Figure, arguments, report, say

GOAL = 10.0  # ms, of 99 in 100


def make(home: Path, count: int) -> None:
    """A library in `home`, by a process of its own."""
    from precious_daemon import config
    from precious_daemon.store import Store

    pid = os.fork()
    if pid == 0:
        os.environ["PRECIOUS_HOME"] = str(home)
        with Store(config.places()) as made:
            rows.fill(made, count, random.Random(0))
        os._exit(0)
    os.waitpid(pid, 0)


def measure(home: Path, calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call, sorted, by what was asked."""
    from precious_daemon import config
    from precious_daemon.asking import ask
    from precious_daemon.models import Aim, Order, Way
    from precious_daemon.store import Store, photos

    os.environ["PRECIOUS_HOME"] = str(home)
    ways = {
        "pair": Way(), "four": Way(of=4), "pair for the top": Way(aim=Aim.TOP), "pair at the border": Way(aim=Aim.BORDER),
        "smart shuffle": Way(order=Order.SMART),
    }  # fmt: skip
    rng, took = random.Random(1), {}
    with Store(config.places(), writer=False) as store:
        for name, way in ways.items():
            times = []
            for _ in range(calls):
                began = time.perf_counter()
                found = store.read(ask._candidates, 1, rng.getrandbits(64) - (1 << 63), (), None, way)
                chosen = ask._choose(found, way, rng)
                assert chosen
                store.read(photos.many, chosen)
                times.append((time.perf_counter() - began) * 1000)
            took[name] = sorted(times)
    return took


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int, nargs="*", help="sizes; 1,000 100,000 1,000,000, or the first two with --quick")
    parser.add_argument("--in", dest="place", help="where to make the libraries; the folder for temporary files")
    parser.add_argument("--keep", action="store_true", help="leave them there, and use those that are")
    given = parser.parse_args()
    sizes = given.photos or ([1000, 50_000] if given.quick else [1000, 100_000, 1_000_000])
    base = Path(given.place or tempfile.mkdtemp(prefix="pairing-"))
    figures: dict[str, Figure] = {}
    try:
        for count in sizes:
            home = base / str(count)
            if not home.exists():
                say(f"making {count:,} photos")
                make(home, count)
            for name, times in measure(home, 150 if given.quick else 500).items():
                figures[f"{name} of {count:,}, p50"] = Figure(statistics.median(times), "ms")
                figures[f"{name} of {count:,}, p99"] = Figure(times[len(times) * 99 // 100], "ms", GOAL)
                say(f"{name} of {count:,}: {statistics.median(times):.1f} ms")
    finally:
        if not given.keep:
            shutil.rmtree(base, ignore_errors=True)
    report("pairing", {"load average": f"{os.getloadavg()[0]:.1f}"}, figures)


if __name__ == "__main__":
    main()
