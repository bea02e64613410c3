"""The report of a night, and what is known before the next."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from precious_daemon.asking import ask
from precious_daemon.asking.instant import Guess
from precious_daemon.config import AskSettings
from precious_daemon.errors import NotEnoughAnswers
from precious_daemon.models import Choice, Photo, Question
from precious_daemon.service import Service
from precious_daemon.store import answers, insert, scores
from precious_daemon.words import papers
from tests.pictures import settle
from tests.web.library import Browser, fill, read


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


async def test_half_of_the_answers_come_from_representatives_and_half_from_what_the_model_for_now_learns_most_from(
    service: Service, library: list[Photo]
) -> None:
    service.settings = replace(service.settings, ask=AskSettings(train_labels=8, test_labels=0))
    *standing, telling = library[:6]
    for number, photo in enumerate(standing):
        row = {"photo_id": photo.id, "cluster": number, "distance": 0.0, "representative": 5 - number}
        service.store.write(insert, "cache.clusters", row)
        service.store.write(insert, "cache.cluster_sizes", {"cluster": number, "size": 1})
    service.jobs.nightwork.instant._guesses[1] = Guess(2, 12, 6, (telling.id,), ())
    for photo, choice in zip(reversed(standing), (Choice.KEEP, Choice.DELETE, Choice.DELETE, Choice.DELETE), strict=False):
        asked = await ask.next_label(service, 1)
        assert asked
        assert asked.photos[0].id == photo.id
        service.store.write(answers.add, 1, Question.LABEL, choice, asked.photos[0].id, None, asked.purpose, 1.0)
    asked = await ask.next_label(service, 1)
    assert asked
    assert (asked.photos[0].id, asked.purpose) == (telling.id, "train")
    service.jobs.nightwork.instant.forget(1)
    asked = await ask.next_label(service, 1)
    assert asked
    assert asked.photos[0].id == standing[0].id, "without a model there are representatives left"


async def test_who_threw_nothing_away_is_told_what_is_missing_and_asked_about_what_is_thrown_away_most_often(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    """The owner who has cleaned up already: every answer says keep."""
    service.settings = replace(service.settings, ask=AskSettings(train_labels=8, test_labels=4))
    sharp = fill(service, tmp_path / "photos", 15)
    dark = tmp_path / "photos" / "dark.jpg"
    Image.new("RGB", (96, 72), (4, 4, 6)).save(dark)
    settle(dark)
    (suspect,) = [photo for photo in read(service, tmp_path / "photos") if photo.path == "dark.jpg"]
    service.store.write(lambda db: db.execute("UPDATE photos SET width = 4000, height = 3000"))
    for number, photo in enumerate(sharp[:12]):
        purpose = "train" if number < 8 else "test"
        service.store.write(answers.add, 1, Question.LABEL, Choice.KEEP, photo.id, None, purpose, 1.0)
    for path in ("/report", "/suggestions", "/"):
        text = await (await browser.get(path)).text()
        assert "None of your 8 answers say &#34;delete&#34;" in text, path
        assert "suggestions come from copies and bursts alone" in text
    asked = await ask.next_label(service, 1)
    assert asked
    assert (asked.photos[0].id, asked.purpose) == (suspect.id, "train")
    with pytest.raises(NotEnoughAnswers, match="blurred, dark and empty photos"):
        await service.jobs.run("learn")


async def test_a_model_from_elsewhere_is_read_only_where_it_is_numbers(
    service: Service, browser: Browser, library: list[Photo], tmp_path: Path
) -> None:
    async def looked(say: object) -> str:
        return "nothing new to look at"

    service.jobs.nightwork.embed = looked  # type: ignore[method-assign]
    file = tmp_path / "model.safetensors"
    file.write_bytes(pickle.dumps({"weight": 1}))
    refused = await browser.post("/api/model", {"file": str(file)})
    assert refused.status == 400
    assert "only such are read" in (await refused.json())["error"]
    assert service.store.read(scores.newest_model, 1) is None
    assert not list(service.places.models.iterdir())
    assert not list(service.places.jobs.iterdir())
    for path, why in ((str(tmp_path / "none"), "cannot be read: No such file"), ("model.safetensors", "a whole path")):
        refused = await browser.post("/api/model", {"file": path})
        assert (refused.status, why in (await refused.json())["error"]) == (400, True)
