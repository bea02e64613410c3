"""The report of a night, and what is known before the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from precious_daemon import papers
from precious_daemon.instant import Guess
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import scores
from tests.web.library import Browser


def model(service: Service, run: str, at: float, precision: float) -> None:
    test = {"average_precision": precision, "precision": 0.8, "intervals": {"average_precision": [0.61, 0.93]}}
    report = {
        "champion": "fixmatch", "why": "It did best.", "learners": {"fixmatch": {"cv_ap": 0.7, "test": test}},
        "cost": {"seconds": 95.2, "peak_rss_mb": 812, "energy_wh": 1.234, "looking_photos": 5000},
        "labels": {"trained_on": 45}, "drift": {"sentence": "You seem to have changed your mind."},
    }  # fmt: skip
    service.store.write(scores.add_model, run, 1, "fixmatch", report, at)


async def test_figures_come_with_their_intervals_and_the_nights_before(service: Service, browser: Browser) -> None:
    model(service, "first", 1000.0, 0.72)
    assert "Night by night" not in await (await browser.get("/report")).text()
    model(service, "second", 90_000.0, 0.84)
    text = await (await browser.get("/report")).text()
    assert "0.61–0.93" in text
    assert text.index("Night by night") < text.rindex("0.84") < text.rindex("0.72"), "the newest night first"
    assert "You seem to have changed your mind." in text
    cost = text[text.index("What it took") :]
    assert all(words in cost for words in ("2 minutes", "812 MB", "1.23 Wh", "5,000"))


async def test_the_same_is_there_for_scripts(service: Service, browser: Browser) -> None:
    assert await (await browser.get("/report.json")).json() is None
    model(service, "only", 1000.0, 0.72)
    told = await (await browser.get("/report.json")).json()
    assert (told["run"], told["report"]["learners"]["fixmatch"]["test"]["average_precision"]) == ("only", 0.72)


MADE = dict.fromkeys(papers.FILES, b"<svg/>") | {papers.PAGE: papers.CERTIFICATE.encode(), papers.FIGURES: b'{"run": "one"}'}


async def test_plots_are_shown_by_day_and_by_night_and_the_report_can_be_kept(service: Service, browser: Browser) -> None:
    model(service, "20260101-020000", 1000.0, 0.72)
    text = await (await browser.get("/report")).text()
    assert "<picture>" not in text, "nothing was drawn on that night"
    papers.keep(service.places.nights, "20260101-020000", MADE, "At most 5 % & <no> more.")
    text = await (await browser.get("/report")).text()
    for plot in papers.PLOTS:
        night = f'media="(prefers-color-scheme: dark)" srcset="/report/20260101-020000/{plot}-dark.svg"'
        assert night in text
        assert f'src="/report/20260101-020000/{plot}-light.svg"' in text
    drawn = await browser.get("/report/20260101-020000/reliability-dark.svg")
    assert (drawn.status, drawn.content_type, await drawn.text()) == (200, "image/svg+xml", "<svg/>")
    assert "style-src 'self'" in drawn.headers["Content-Security-Policy"]
    kept = await browser.get("/report/20260101-020000/night.html")
    assert kept.headers["Content-Disposition"].startswith("attachment;")
    assert await kept.text() == "At most 5 % &amp; &lt;no&gt; more."
    plain = await (await browser.get("/report/20260101-020000/report.json")).json(content_type=None)
    assert plain == {"run": "one", "certificate": "At most 5 % & <no> more."}


@pytest.mark.parametrize("path", ["20260101-020000/model.safetensors", "20260101-020000/..%2Fcard.md", "..%2Fnights/card.md"])
async def test_no_other_file_and_no_other_folder_is_served(path: str, service: Service, browser: Browser) -> None:
    model(service, "20260101-020000", 1000.0, 0.72)
    papers.keep(service.places.nights, "20260101-020000", MADE, "")
    (service.places.nights / "20260101-020000" / "model.safetensors").touch()
    assert (await browser.get(f"/report/{path}")).status == 404


async def test_the_nights_of_another_voter_are_not_served(service: Service, browser: Browser) -> None:
    papers.keep(service.places.nights, "20260101-020000-2", MADE, "")
    assert (await browser.get("/report/20260101-020000-2/night.html")).status == 404


def test_the_oldest_nights_are_forgotten(tmp_path: Path) -> None:
    for day in range(papers.KEPT + 2):
        papers.keep(tmp_path, f"2026-{day:03}", {papers.CARD: b""}, "")
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [f"2026-{day:03}" for day in range(2, papers.KEPT + 2)]


async def test_before_the_first_night_the_page_tells_what_the_answers_come_to(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    assert "For now" not in await (await browser.get("/report")).text()
    service.jobs.nightwork.instant._guesses[1] = Guess(12, 3400, 170, (), (library[0].id,))
    text = await (await browser.get("/report")).text()
    assert "From your 12 answers so far, about 170 photos of 3,400" in text
    assert f"/photo/{library[0].uid}" in text
    assert "There is no model yet" in text
