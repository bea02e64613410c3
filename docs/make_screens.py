"""Takes the screenshots of the README: the real service on the demo library, answered by a made-up owner.

python docs/make_screens.py      (from the top of a checkout, with Chromium installed)
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from playwright.sync_api import sync_playwright

from bench.common import demo_library
from precious_daemon.demo.__main__ import read_truth, truth_file

PAGES = ("home", "compare", "label", "photos", "map", "groups", "ranking", "suggestions", "report", "jobs", "trash")
CHROMIUM = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def main() -> None:
    from tests.e2e.process import ServiceProcess, command

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PRECIOUS_HOME"] = str(Path(scratch) / "home")
        library = demo_library(Path(scratch) / "Pictures", 240)
        truth = {t.path: t for t in read_truth(truth_file(library))}
        service = ServiceProcess(str(library))
        try:
            owner = service.start()
            owner.settled(len(truth))
            owner.vote(60, lambda a, b: (truth[a].junk, a) < (truth[b].junk, b))
            owner.label(90, lambda path: truth[path].junk)
            owner.run("night")
            gone = owner.get("/api/suggestions")["suggestions"][:3]
            owner.post("/api/suggestions/approve", uids=[s["uid"] for s in gone])
            shoot(command("login").splitlines()[0], Path(__file__).parent / "screens")
        finally:
            service.close()


def shoot(link: str, folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(link)
        page.wait_for_url("**/")
        home = page.url
        for name in PAGES:
            page.goto(home + ("" if name == "home" else name), wait_until="networkidle" if name != "home" else "load")
            page.wait_for_timeout(500)
            page.screenshot(path=folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
