"""What a person waits for on each page, and what a page weighs: measured by the browser itself, as Lighthouse does.

    python -m bench.page [--quick] [--photos N] [--runs N]

A service of its own, as a process, on a made library; Debian's Chromium opens every page of the menu on a desktop, and on a phone
of 360 x 740 whose processor is slowed down four times. "First" is a browser that has never been here, "again" one that has.
After the page is quiet it is scrolled to its end: what jumps then counts as well. Each figure is the worst page's, which is
named beside the conditions; a page's own are medians of the runs.

First and largest contentful paint, time to first byte: web.dev/articles/{fcp,lcp,ttfb}. Layout shift: the sum of all shifts that
no input caused. Blocking time: what long tasks take beyond 50 ms each, from the first paint on (web.dev/articles/tbt).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from bench.common import Figure, arguments, demo_library, report, say
from bench.daemon import service

CHROMIUM = "/usr/bin/chromium"
PAGES = (
    "/", "/compare", "/label", "/ask", "/photos", "/suggestions", "/groups", "/clusters", "/map", "/highlights", "/ranking",
    "/answers", "/trash", "/report", "/jobs", "/plugins", "/settings", "/people", "/tasks", "/help",
)  # fmt: skip
QUICK = ("/", "/compare", "/photos", "/suggestions", "/groups", "/map", "/settings")
DEVICES: dict[str, Any] = {
    "desktop": {"size": {"width": 1280, "height": 800}, "slower": 1},
    "phone": {"size": {"width": 360, "height": 740}, "slower": 4},
}
MEASURES = {  # unit, goal, by how much the browser's own number is divided
    "first byte": ("s", 0.2, 1000),
    "first contentful paint": ("s", 1.0, 1000),
    "largest contentful paint": ("s", 1.5, 1000),
    "layout shift": ("", 0.0, 1),
    "blocking time": ("ms", 200, 1),
    "weight": ("kB", 250, 1000),  # of text, style and scripts
    "pictures": ("kB", None, 1000),
    "requests": ("", None, 1),
    "elements": ("", 3000, 1),
}
WATCH = """
    window.seen = {paint: 0, largest: 0, shift: 0, tasks: []};
    const watch = (type, note) =>
        new PerformanceObserver(list => list.getEntries().forEach(note)).observe({type, buffered: true});
    watch("paint", e => { if (e.name === "first-contentful-paint") seen.paint = e.startTime; });
    watch("largest-contentful-paint", e => { seen.largest = e.startTime; });
    watch("layout-shift", e => { if (!e.hadRecentInput) seen.shift += e.value; });
    watch("longtask", e => { seen.tasks.push([e.startTime, e.duration]); });
"""
SCROLL = """async () => {
    for (let y = 0; y < Math.min(document.documentElement.scrollHeight, 10000); y += innerHeight / 2) {
        scrollTo(0, y);
        await new Promise(done => setTimeout(done, 50));
    }
}"""
TELL = """() => {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return {
        "first byte": all[0].responseStart,
        "first contentful paint": seen.paint,
        "largest contentful paint": seen.largest,
        "blocking time": seen.tasks.filter(([at]) => at >= seen.paint).reduce((sum, [, ms]) => sum + Math.max(0, ms - 50), 0),
        "weight": all.filter(entry => entry.initiatorType !== "img").reduce((sum, entry) => sum + entry.transferSize, 0),
        "pictures": all.filter(entry => entry.initiatorType === "img").reduce((sum, entry) => sum + entry.transferSize, 0),
        "requests": all.filter(entry => entry.transferSize > 0).length,
        "elements": document.getElementsByTagName("*").length,
    };
}"""


def look(context: BrowserContext, address: str, slower: int) -> dict[str, float]:
    """Open a page in a new tab. Milliseconds, bytes, counts."""
    page = context.new_page()
    page.add_init_script(WATCH)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    told: dict[str, float] = page.evaluate(TELL)
    page.evaluate(SCROLL)
    told["layout shift"] = page.evaluate("() => seen.shift")
    page.close()
    return told


def visits(browser: Browser, base: str, state: Any, path: str, runs: int) -> Iterator[tuple[str, dict[str, float]]]:
    """A first visit and one more, on each device, so many times."""
    for device, how in DEVICES.items():
        for _ in range(runs):
            context = browser.new_context(storage_state=state, viewport=how["size"])
            yield f"{device}, first", look(context, base + path, how["slower"])
            yield f"{device}, again", look(context, base + path, how["slower"])
            context.close()


def measure(base: str, link: str, pages: Sequence[str], runs: int) -> dict[str, dict[str, dict[str, float]]]:
    """Of each kind of visit and each page: the median of every measure, in its unit."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"])
        owner = browser.new_context()
        page = owner.new_page()
        page.goto(link)
        if page.get_by_role("button", name="Sign in").count():
            page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("main h1")
        state = owner.storage_state()
        for path in pages:
            told: dict[str, list[dict[str, float]]] = {}
            for kind, one in visits(browser, base, state, path, runs):
                told.setdefault(kind, []).append(one)
            for kind, several in told.items():
                middle = {name: statistics.median(one[name] for one in several) / part for name, (_, _, part) in MEASURES.items()}
                found.setdefault(kind, {})[path] = middle
                say(f"{path:14} {kind:15} " + ", ".join(f"{name} {middle[name]:.3g} {MEASURES[name][0]}" for name in MEASURES))
        browser.close()
    return found


def read_and_grouped(home: Path, count: int) -> tuple[str, str]:
    """Wait until the service has seen all photos, and what belongs together; its address, and a link that signs in."""
    from precious_daemon import config
    from precious_daemon.running import remote

    os.environ["PRECIOUS_HOME"] = str(home)
    service = remote.find(config.places())
    assert service
    while (photos := service.get("/api/status")["photos"])["present"] < count // 2 or photos["new"]:
        time.sleep(0.5)  # a still and its RAW twin are one photo
    service.post("/api/jobs/group/run")
    while service.get("/api/status")["running"]:
        time.sleep(0.5)
    link = service.post("/api/login-link")["url"]
    return link.partition("/login")[0], link


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int)
    parser.add_argument("--runs", type=int)
    options = parser.parse_args()
    count, runs = options.photos or (60 if options.quick else 600), options.runs or (1 if options.quick else 5)
    pages = QUICK if options.quick else PAGES
    with tempfile.TemporaryDirectory() as folder:
        home, pictures = Path(folder, "home"), Path(folder, "pictures")
        home.mkdir()
        demo_library(pictures, count)
        with service(home, pictures):
            say("photos are read")
            found = measure(*read_and_grouped(home, count), pages, runs)
    figures, worst = {}, {}
    for kind, by_page in found.items():
        for name, (unit, goal, _) in MEASURES.items():
            path = max(by_page, key=lambda path: by_page[path][name])
            figures[f"{kind}: {name}"] = Figure(by_page[path][name], unit, goal)
            worst[f"{kind}: {name}"] = path
    busy = round(os.getloadavg()[0], 1)  # what else the machine was doing: the times are upper bounds then
    report("page", {"photos": count, "runs": runs, "pages": len(pages), "load": busy, "the worst page": worst}, figures)


if __name__ == "__main__":
    main()
