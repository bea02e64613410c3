"""What each page of a library of a million photos costs: milliseconds at every depth, memory, sizes.

    python -m bench.store [--quick] [--photos N] [--in DIR]

The rows are made up (`bench.million`). First each function that a page asks of the store is called on many pages and photos drawn
at random; then a service is started on the library, and every address of the page is asked as a browser asks. A machine that is
busy with other things shows in these times: the processor time of the service is reported beside them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import million, routes
from bench.common import Figure, arguments, report, rss_mb, say
from bench.daemon import service
from bench.synthetic import write_pictures

if TYPE_CHECKING:
    from precious_daemon.store import Store

GOAL = 20.0  # ms
SLOWEST = 12  # addresses whose figures are kept
PATIENCE = 300  # seconds for new photos to be read
LIVELY = ("/", "/api/status", "/compare", "/ask", "/ranking", "/answers", "/photos", "/suggestions", "/api/question?kind=pair")


def measure(store: Store, count: int, rng: random.Random, calls: int) -> dict[str, Figure]:
    from precious_daemon import config, status
    from precious_daemon.asking import ask, trade
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


def ask(home: Path, count: int, calls: int) -> dict[str, Figure]:
    """How many of all addresses keep the goal, and the slowest; then the same of some, each right after a vote."""
    figures: dict[str, Figure] = {}
    with service(home) as started:
        browser, rng = routes.Browser(home), random.Random(2)
        known = routes.addresses(home, count, rng)
        if missing := routes.unknown(browser, known):
            raise SystemExit(f"bench/routes.py does not ask {', '.join(missing)} yet.")
        for _ in routes.measure(browser, known, 1, started.cpu):
            pass  # templates are compiled when they are shown first
        for when, before in (("", tuple), (", right after a vote", lambda: vote(browser))):
            wanted = {name: address for name, address in known.items() if not when or name in LIVELY}
            took = list(routes.measure(browser, wanted, calls, started.cpu, before))
            for one in sorted(took, key=lambda one: -one.p99)[:SLOWEST]:
                figures[f"{one.name}{when}, p99"] = Figure(one.p99, "ms", GOAL)
                figures[f"{one.name}{when}, processor p99"] = Figure(one.cpu_p99, "ms")
            inside = [one.p99 <= GOAL for one in took]
            figures[f"addresses within {GOAL:g} ms{when}"] = Figure(100 * sum(inside) / len(inside), "%", 100, True)
            inside = [one.cpu_p99 <= GOAL for one in took]
            figures[f"addresses within {GOAL:g} ms of processor time{when}"] = Figure(100 * sum(inside) / len(inside), "%")
        figures["memory of the service, once all is asked"] = Figure(rss_mb(started.pid), "MB")
    return figures


def ask_while_reading(home: Path, count: int, new: int) -> dict[str, Figure]:
    """The same of some addresses while new photos are noticed, looked at and read: the writer writes all the time."""
    write_pictures(home / "new", new)
    with service(home) as started:
        browser = routes.Browser(home)
        known = {name: address for name, address in routes.addresses(home, count, random.Random(3)).items() if name in LIVELY}
        for _ in routes.measure(browser, known, 2, started.cpu):
            pass
        present = json.loads(browser.get("/api/status"))["photos"]["present"]
        browser.post("/api/roots", path=str(home / "new"))
        began, done = time.perf_counter(), 0
        took: list[routes.Took] = []
        while done < new and time.perf_counter() - began < PATIENCE:
            took += routes.measure(browser, known, 1, started.cpu)
            done = json.loads(browser.get("/api/status"))["photos"]["present"] - present
        seconds = time.perf_counter() - began
    if done < new:
        raise SystemExit(f"Only {done} of {new} photos were read within {PATIENCE} s.")
    when = "while photos are read"
    times, spent = sorted(each.times[0] for each in took), sorted(each.cpu[0] for each in took)
    inside = [time <= GOAL for time in times]
    return {
        f"answers within {GOAL:g} ms {when}": Figure(100 * sum(inside) / len(inside), "%", 99, True),
        f"a page {when}, p50": Figure(statistics.median(times), "ms", GOAL),
        f"a page {when}, p99": Figure(times[len(times) * 99 // 100], "ms"),
        f"a page {when}, processor p99": Figure(spent[len(spent) * 99 // 100], "ms"),
        "photos read beside that": Figure(done / seconds, "a second"),
    }


def vote(browser: routes.Browser) -> None:
    """So that what was remembered of the ranking is not so any more."""
    asked = json.loads(browser.get("/api/question?kind=pair"))["next"]
    shown = [photo["uid"] for photo in asked["photos"]]
    browser.post("/api/answer", question="pair", choice="first", photos=shown, purpose=asked["purpose"])


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
                million.fill(store, count, random.Random(0))
            os._exit(0)
        os.waitpid(pid, 0)
        with Store(config.places()) as store:
            figures = measure(store, count, random.Random(1), 100 if given.quick else 300)
            figures["memory of this process"] = Figure(rss_mb(), "MB", 80)
        figures |= ask(home, count, 10 if given.quick else 100)
        figures |= ask_while_reading(home, count, 600 if given.quick else 20_000)
        figures["library.db"] = Figure(config.places().library_db.stat().st_size / 1e6, "MB")
        figures["cache.db without pictures"] = Figure(config.places().cache_db.stat().st_size / 1e6, "MB")
    finally:
        shutil.rmtree(home)
    report("store", {"photos": count, "load average": f"{os.getloadavg()[0]:.1f}"}, figures)


if __name__ == "__main__":
    main()
