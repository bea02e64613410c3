"""The report of a night, and what is known before the next."""

from __future__ import annotations

from precious_daemon.instant import Guess
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import scores
from tests.web.library import Browser


def model(service: Service, run: str, at: float, precision: float) -> None:
    test = {"average_precision": precision, "precision": 0.8, "intervals": {"average_precision": [0.61, 0.93]}}
    report = {
        "champion": "fixmatch", "why": "It did best.", "learners": {"fixmatch": {"cv_ap": 0.7, "test": test}},
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


async def test_the_same_is_there_for_scripts(service: Service, browser: Browser) -> None:
    assert await (await browser.get("/report.json")).json() is None
    model(service, "only", 1000.0, 0.72)
    told = await (await browser.get("/report.json")).json()
    assert (told["run"], told["report"]["learners"]["fixmatch"]["test"]["average_precision"]) == ("only", 0.72)


async def test_before_the_first_night_the_page_tells_what_the_answers_come_to(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    assert "For now" not in await (await browser.get("/report")).text()
    service.jobs.instant._guesses[1] = Guess(12, 3400, 170, (), (library[0].id,))
    text = await (await browser.get("/report")).text()
    assert "From your 12 answers so far, about 170 photos of 3,400" in text
    assert f"/photo/{library[0].uid}" in text
    assert "There is no model yet" in text
