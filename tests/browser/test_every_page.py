"""Every page of a library that is lived in, by day and by night, on a phone, a laptop and a large screen, each looked at by axe.

Pages come from the routes, so that a new one is tried as soon as it is there. `PRECIOUS_SCREENSHOTS` names a folder that keeps
what was seen.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from precious_daemon.asking import tasks
from precious_daemon.models import Choice, ClusterRow, Group, GroupKind, GroupMember, Photo, Question
from precious_daemon.store import Database, answers, clusters, groups, ratings, scores
from precious_daemon.suggesting import people
from precious_daemon.words import papers
from tests.browser.conftest import Served, answered
from tests.web.library import suggest, taste

pytestmark = pytest.mark.browser

RUN = "20260101-020000"
NO_PAGES = re.compile(
    r"/api/|/static/|/(thumb|preview|full|plugin)/|/report/|\.(json|csv|jsonl|parquet)$|/(facts|metrics|login|share|events)$|/tasks/{id}/photos"
)
SIZES = [(360, 640), (1280, 800), (3840, 2160)]
ZOOMED: ViewportSize = {"width": 640, "height": 400}  # 1280 x 800 at 200 %
LOST_BUTTONS = """[...document.querySelectorAll(".controls button, .controls a.button")].filter((b) => b.offsetParent)
    .filter((b) => b.getBoundingClientRect().right > innerWidth || !b.innerText.trim()).map((b) => b.outerHTML.slice(0, 120))"""
AXE = Axe().axe_script
QUICK = {"resultTypes": ["violations"], "preload": False}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
SIZED = {"target-size": {"enabled": True}}  # of WCAG 2.2; axe leaves it out unless it is told
ALL = QUICK | {"runOnly": WCAG, "rules": SIZED}
BY_SIZE = QUICK | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block", "target-size"]}}
BY_THEME = QUICK | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
RULES = {  # each rule wherever what it looks at can differ: a large screen shows what a laptop does, the night has other colours
    (360, "light"): ALL, (1280, "light"): ALL, (3840, "light"): BY_SIZE,
    (360, "dark"): BY_THEME, (1280, "dark"): BY_THEME, (3840, "dark"): BY_THEME,
}  # fmt: skip
MORE = (
    "/compare?of=4",
    "/groups/rule?kind=burst",
    "/ranking?of=guesses",
    "/photos?state=broken",
    "/map?show=kept",
    "/tasks/1/photos?class=1",
    "/nowhere",
)


@pytest.fixture
def lived_in(served: Served, library: list[Photo]) -> list[Photo]:
    """Something of everything: answers of several kinds, groups, clusters, a model, suggestions, people and tasks."""
    store = served.service.store
    a, b, c, d, e, *_ = (photo.id for photo in library)
    report = {
        "champion": "fixmatch", "why": "It did best.", "labels": {"trained_on": 45},
        "learners": {"fixmatch": {"cv_ap": 0.7, "test": {"average_precision": 0.8, "precision": 0.8, "intervals": {}}}},
    }  # fmt: skip

    def live(db: Database) -> None:
        answers.add(db, 1, Question.LABEL, Choice.KEEP, a, None, "train", 1.0)
        answers.add(db, 1, Question.LABEL, Choice.DELETE, b, None, "test", 2.0)
        people.add(db, "Anna", 1.0)
        tasks.make(db, "What it shows", ["Receipt", "Family"], 1.0)
        members = (GroupMember(c, True, "sharpest of 2"), GroupMember(d, False, "less sharp"))
        groups.replace_groups(db, [Group(GroupKind.BURST, members), Group(GroupKind.COPY, members[::-1])])
        rows = [ClusterRow(p.id, n // 4, float(n % 4), n % 4 == 0, n / 8, 0.3, n // 2) for n, p in enumerate(library)]
        clusters.replace(
            db, rows, {"unit": 0.1, "clusters": 2, "why": "there were none yet"}, [(0, 0.2, 0.3, 0.2), (1, 0.7, 0.3, 0.2)]
        )
        ratings.put_guesses(db, 1, [(e, ratings.Rating(31.0, 6.0))])
        scores.add_model(db, RUN, 1, "fixmatch", report, 1000.0)

    store.write(live)
    drawn = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"/>'
    papers.keep(served.service.places.nights, RUN, dict.fromkeys(papers.FILES, drawn) | {papers.FIGURES: b"{}"}, "Not certified.")
    suggest(served.service, *(taste(photo, 0.1 * n) for n, photo in enumerate(library[4:7], 1)))
    return library


def pages(served: Served, photo: Photo) -> list[str]:
    """The path of every page, with names put in for what a path leaves open."""
    names = {"{uid}": photo.uid, "{name}": "scan", "{id}": "1"}  # a job, a task
    found = set(MORE)
    for route in served.site.app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if route.method == "GET" and not NO_PAGES.search(path):
            found.add(re.sub(r"{\w+}", lambda match: names[match[0]], path))
    return sorted(found)


def live_a_little(page: Page, served: Served) -> None:
    """A comparison, and a photo that goes to the trash."""
    page.goto(served.site.address.url + "/compare")
    answered(page, served, lambda: page.keyboard.press("ArrowLeft"))
    page.goto(served.site.address.url + "/suggestions")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    expect(page.locator(".candidate")).to_have_count(2)


def faults(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds. Only its violations come over: all that is right would be megabytes."""
    run = """rules => axe.run(rules).then(found => found.violations.flatMap(
        fault => fault.nodes.map(node => `${fault.id}: ${node.html.slice(0, 160)}`)))"""
    found: list[str] = page.evaluate(run, rules)
    return found


def test_page_fits_works_and_can_be_read_by_everybody(
    owner: Page, served: Served, lived_in: list[Photo], problems: list[str]
) -> None:
    live_a_little(owner, served)
    wrong: list[tuple[str, str]] = []
    for path in pages(served, lived_in[0]):
        owner.set_viewport_size({"width": 1280, "height": 800})
        answer = owner.goto(served.site.address.url + path)
        if answer is None or answer.status != (404 if path == "/nowhere" else 200):
            wrong.append((path, f"answers {answer and answer.status}"))
        owner.evaluate(AXE)
        for width, height in SIZES:
            owner.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                owner.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                if (wide := owner.evaluate("document.documentElement.scrollWidth")) > width:
                    wrong.append((path, f"is {wide} px wide on {width}"))
                wrong += [(path, f"on {width}, {scheme}: {fault}") for fault in faults(owner, RULES[width, scheme])]
                if folder := os.environ.get("PRECIOUS_SCREENSHOTS"):
                    name = path.strip("/").replace("/", "-").replace(lived_in[0].uid, "one") or "home"
                    owner.screenshot(path=Path(folder) / f"{width}-{scheme}" / f"{name}.png")
        owner.set_viewport_size(ZOOMED)
        wrong += [(path, f"at 200 %, out of reach or without a word: {button}") for button in owner.evaluate(LOST_BUTTONS)]
        owner.keyboard.press("?")
        expect(owner.get_by_role("heading", name="Keys").last).to_be_visible()
    problems[:] = [problem for problem in problems if "404" not in problem]  # the page that is nowhere
    assert not wrong, "\n".join(f"{path} {what}" for path, what in wrong)
