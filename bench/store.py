"""What each page asks of the store, on a library of a million photos: milliseconds at every depth, memory, sizes.

    python -m bench.store [--quick] [--photos N] [--in DIR]

The rows are made up: N photos in folders of 200, a tenth of them voted on, all scored and clustered, a twentieth in bursts,
a fiftieth suggested, a hundredth in the trash. Each function is called on many pages and photos drawn at random, each call
with another place to start from.
"""

from __future__ import annotations

import math
import os
import random
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.common import Figure, arguments, report, rss_mb, say
from bench.synthetic import add_photos, batches

if TYPE_CHECKING:
    from precious_daemon.models import Stamp
    from precious_daemon.store import Database, Store

GOAL = 20.0  # ms
CLUSTERS = 200


def rows(count: int) -> Iterator[tuple[str, Stamp]]:
    from precious_daemon.models import Stamp

    for number in range(count):
        yield (
            f"{2005 + number * 20 // count}/trip {number // 200:05}/IMG_{number:07}.jpg",
            Stamp(1, number + 1000, 4_000_000, 10**18),
        )


def fill(store: Store, count: int, rng: random.Random) -> None:
    from precious_daemon.models import RootState
    from precious_daemon.store import ratings, roots

    root = store.write(roots.add, "/photos", "marker", 1, 0.0)
    store.write(roots.set_state, root.id, RootState.WATCHED, None)
    done = 0
    for part in batches(rows(count)):
        done += store.write(add_photos, root.id, done + 1, part, rng)
        say(f"  {done:,} photos")
    say("  answers, scores, groups, suggestions, trash")
    store.write(add_derived, count, rng)
    store.write(ratings.set_applied_through, 1, 0)


def add_derived(db: Database, count: int, rng: random.Random) -> None:
    many, ids = db.conn.executemany, range(1, count + 1)
    many("INSERT INTO cache.pictures VALUES (?, x'00', x'00', x'00', zeroblob(60))", ((i.to_bytes(32, "big"),) for i in ids))
    many("INSERT INTO cache.scores VALUES (1, ?, ?, ?)", ((i, rng.random(), rng.random()) for i in ids))
    many(
        "INSERT INTO cache.clusters (photo_id, cluster, distance, representative, x, y, level) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                i,
                i - 1 if i <= CLUSTERS else rng.randrange(CLUSTERS),
                rng.random(),
                i <= CLUSTERS,
                rng.random(),
                rng.random(),
                level(i),
            )
            for i in ids
        ),
    )
    db.execute("INSERT INTO cache.cluster_sizes (cluster, size) SELECT cluster, count(*) FROM cache.clusters GROUP BY cluster")
    bursts = range(1, count // 20)
    many("INSERT INTO cache.group_members VALUES ('burst', ?, ?, ?, 'sharpest of 5')", ((i, i // 5, i % 5 == 0) for i in bursts))
    db.execute("INSERT INTO cache.group_counts VALUES ('burst', ?)", [count // 100])
    voted = rng.sample(ids, count // 10)
    many("INSERT INTO cache.ratings VALUES (1, ?, ?, ?, 3, 2, 1)", ((i, rng.gauss(25, 5), 4 + rng.random()) for i in voted))
    many(
        "INSERT INTO answers (voter_id, at, question, choice, photo_id, other_id, purpose) VALUES (1, 0, ?, ?, ?, ?, ?)",
        (
            ("pair", rng.choice(("first", "second", "draw")), voted[i], voted[i - 1], "rank")
            if i % 100
            else ("label", rng.choice(("keep", "delete")), voted[i], None, rng.choice(("train", "test", "audit")))
            for i in range(len(voted))
        ),
    )
    many(
        "INSERT INTO suggestions (uid, run, voter_id, photo_id, place, kind, keep, certified, reasons, evidence, created_at,"
        " changed_at) VALUES (?, 'r', 1, ?, ?, 'taste', ?, 1, '[\"It is blurred.\"]', '{}', 0, 0)",
        ((secrets.token_hex(16), i, i // 50, rng.random() / 10) for i in range(1, count, 50)),
    )
    gone = range(2, count, 100)
    many(
        "INSERT INTO units (id, uid, batch, voter_id, photo_id, root_id, reason, state, approved_at, changed_at) "
        "VALUES (?, ?, ?, 1, ?, 1, 'blurred', 'planned', 0, ?)",
        ((i, secrets.token_hex(16), f"batch {i // 5000}", i, i / 100) for i in gone),
    )
    many("INSERT INTO unit_files VALUES (?, 'x', 'still', 1, 1, 4000000, 1, x'00', 'y', NULL)", ((i,) for i in gone))
    db.execute("UPDATE units SET state = 'done'")
    many("UPDATE photos SET state = 'trashed' WHERE id = ?", ((i,) for i in gone))
    many(
        "INSERT INTO unsupported VALUES (1, ?, ?, ?)",
        ((f"folder {i}".encode(), suffix, 2) for i in range(count // 200) for suffix in (".txt", ".mp4")),
    )


def level(number: int) -> int:
    """At which a photo appears on the map: each level has four times as many cells as the one before, and one photo in each."""
    return max(0, math.ceil(math.log(number / 16, 4)))


def measure(store: Store, count: int, rng: random.Random, calls: int) -> dict[str, Figure]:
    from precious_daemon import ask, config, status, trade
    from precious_daemon.config import AskSettings, Settings
    from precious_daemon.models import PhotoState
    from precious_daemon.store import answers, clusters, groups, maps, photos, ratings, scores, units
    from precious_daemon.web import atlas
    from precious_daemon.web.clusters import A_PAGE, IN_A_STRIP
    from precious_daemon.web.library import _whole
    from precious_daemon.web.reviewing import _listing

    places, settings = config.places(), Settings()
    uids = [photo.uid for photo in store.read(photos.many, rng.sample(range(1, count), 500)).values()]

    def anyone() -> int:
        return rng.randrange(1, count)

    def point() -> int:
        return rng.getrandbits(64) - (1 << 63)

    figures: dict[str, Figure] = {}

    def timed(
        name: str, action: Callable[..., Any], arguments: Callable[[], tuple[Any, ...]] = tuple, goal: float = GOAL
    ) -> None:
        took = []
        for _ in range(calls):
            given = arguments()
            began = time.perf_counter()
            store.read(action, *given)
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        figures[f"{name}, p50"] = Figure(statistics.median(took), "ms")
        figures[f"{name}, p99"] = Figure(took[min(len(took) - 1, len(took) * 99 // 100)], "ms", goal)
        say(f"{name}: {statistics.median(took):.2f} ms, p99 {figures[f'{name}, p99'].value:.2f}")

    deep = {
        "photos": lambda: (PhotoState.PRESENT, (1.1e9 + rng.random() * 6e8, anyone()), 96),
        "trashed": lambda: (PhotoState.TRASHED, (1.1e9 + rng.random() * 6e8, anyone()), 96),
        "ranking": lambda: (1, (rng.gauss(25, 5), anyone()), 100),
    }
    timed("status", status.collect, lambda: (places, settings))
    timed("counts of photos", photos.counts)
    timed("page of photos, newest", photos.page, lambda: (PhotoState.PRESENT, None, 96))
    timed("page of photos, any depth", photos.page, deep["photos"])
    timed("page of trashed photos, any depth", photos.page, deep["trashed"])
    timed("page of photos without a time", photos.page, lambda: (PhotoState.PRESENT, (0.5, anyone()), 96))
    timed("page of one photo", _whole, lambda: (rng.choice(uids), 1))
    timed("photo by its address", photos.by_uid, lambda: (rng.choice(uids),))
    timed("page of the ranking, best", ratings.ranking, lambda: (1, None, 100))
    timed("page of the ranking, any depth", ratings.ranking, deep["ranking"])
    timed("page of suggestions", _listing, lambda: (1, settings.ask, None, False, False))
    timed("page of suggestions, any depth", _listing, lambda: (1, settings.ask, (rng.randrange(count // 50), 0), False, False))
    timed("clusters, largest", clusters.page, lambda: (IN_A_STRIP, None, A_PAGE))
    timed("clusters of the map", clusters.page, lambda: (1, None, atlas.CLUSTERS))
    timed("window of the map", maps.tiles, lambda: (1, [(8, rng.randrange(256), rng.randrange(256)) for _ in range(20)]))
    timed("highlights, any depth", trade.best_before, lambda: (1, 5, 6 * 3600.0, 1.1e9 + rng.random() * 6e8))
    timed("photos out of the ranking", answers.all_out_of_ranking, lambda: (1,))
    timed("trash, newest", units.listing, lambda: (60,))
    timed("trash, any depth", units.listing, lambda: (60, anyone()))
    timed("candidates of a pair", ask._candidates, lambda: (1, point(), (), None), goal=10)
    enough = AskSettings(train_labels=10**6, test_labels=10**6)
    timed("next to label", ask._next_label, lambda: (1, enough, point(), rng.random(), (), ()))
    timed("next representative", groups.next_representative, lambda: (1,))
    timed("next audit", scores.next_audit, lambda: (1,))
    timed("random photo not labelled", photos.random_present, lambda: (point(), 1, 1))
    timed("labels that count", answers.counts, lambda: (1,))
    timed("answers since", scores.audits, lambda: (1, 0.0))
    timed("sample for the check of a folder", photos.known_sample, lambda: (1, 20))
    timed("photos that wait", photos.to_ingest, lambda: (64, [1]))
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int, help="how many; 1,000,000, or 50,000 with --quick")
    parser.add_argument("--in", dest="place", help="where to make the library; the folder for temporary files")
    given = parser.parse_args()
    count = given.photos or (50_000 if given.quick else 1_000_000)
    home = Path(tempfile.mkdtemp(prefix="store-", dir=given.place))
    os.environ["PRECIOUS_HOME"] = str(home)
    from precious_daemon import config
    from precious_daemon.store import Store

    try:
        say(f"making {count:,} photos")
        pid = os.fork()
        if pid == 0:  # in a process of its own, so that its memory is not taken for the store's
            with Store(config.places()) as store:
                fill(store, count, random.Random(0))
            os._exit(0)
        os.waitpid(pid, 0)
        with Store(config.places()) as store:
            figures = measure(store, count, random.Random(1), 100 if given.quick else 300)
            figures["memory of this process"] = Figure(rss_mb(), "MB", 80)
            figures["library.db"] = Figure(config.places().library_db.stat().st_size / 1e6, "MB")
            figures["cache.db without pictures"] = Figure(config.places().cache_db.stat().st_size / 1e6, "MB")
    finally:
        shutil.rmtree(home)
    report("store", {"photos": count, "load average": f"{os.getloadavg()[0]:.1f}"}, figures)


if __name__ == "__main__":
    main()
