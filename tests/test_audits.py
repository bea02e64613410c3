"""Groups are certified apart from taste: by audits of their own, in a sentence of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from precious_daemon import reload
from precious_daemon.asking import blind
from precious_daemon.config import CertifySettings
from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Choice, Group, GroupKind, GroupMember, Photo, Question, Suggestion
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, audits, groups, scores, suggestions
from precious_daemon.suggesting import review, verdict
from tests.web.conftest import browser, service, site, stranger
from tests.web.library import Browser, choose_here, fill

__all__ = ["browser", "service", "site", "stranger"]
ENOUGH = 5  # clean answers that certify at the settings below


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    """24 photos in twelve bursts of two, of which the first is the best; certified at 40 %."""
    service.settings = replace(service.settings, certify=CertifySettings(alpha=0.4, confidence=0.95))
    found = sorted(fill(service, tmp_path / "photos", 24), key=lambda photo: photo.path)
    service.store.write(groups.replace_groups, [burst(a, b) for a, b in zip(found[::2], found[1::2], strict=True)])
    return found


def burst(best: Photo, *others: Photo) -> Group:
    members = (GroupMember(best.id, True, "sharpest"), *(GroupMember(photo.id, False, "") for photo in others))
    return Group(GroupKind.BURST, members)


async def answer(service: Service, count: int, wants_both: bool = False) -> list[blind.Asked]:
    asked = []
    for _ in range(count):
        one = await blind.next_question(service, 1)
        assert one
        choice = Choice.BOTH_KEEP if wants_both else Choice.DRAW
        await blind.answer(service, 1, choice, [photo.uid for photo in one.photos])
        asked.append(one)
    return asked


def told(service: Service) -> dict[str, tuple[bool, int | None]]:
    return {one["kind"]: (one["certified"], one["needed"]) for one in service.store.read(verdict.of_groups, 1)}


def certified(service: Service) -> list[bool]:
    return [row.suggestion.certified for row in service.store.read(suggestions.page, 1)]


async def test_weaker_frames_are_certified_by_answers_about_weaker_frames(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    assert told(service) == {"burst": (False, ENOUGH)}
    assert certified(service) == [False] * 12
    await answer(service, ENOUGH - 1)
    assert told(service) == {"burst": (False, 1)}
    await answer(service, 1)
    assert told(service) == {"burst": (True, 0)}
    assert certified(service) == [True] * 12, "at once, not after the next night"
    assert service.store.read(scores.certificate, 1)[0] is None, "nothing is promised of taste"
    assert await blind.next_question(service, 1) is None, "no more answers are of use"
    await choose_here(service, 1, "again")
    assert certified(service) == [True] * 12


async def test_a_stricter_promise_is_not_the_one_that_was_certified(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    await answer(service, ENOUGH)
    assert certified(service) == [True] * 12
    await reload.apply(service, replace(service.settings, certify=CertifySettings(alpha=0.05, confidence=0.95)))
    assert told(service)["burst"][0] is False
    assert certified(service) == [False] * 12


async def test_neither_question_nor_order_tells_which_photo_would_go(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    best = {photo.id for photo in library[::2]}
    sides = [one.photos[0].id in best for one in await answer(service, 3)]
    asked = [await blind.next_question(service, 1) for _ in range(12)]
    sides += [one.photos[0].id in best for one in asked if one]
    assert set(sides) == {True, False}
    assert all(len({photo.id for photo in one.photos} & best) == 1 for one in asked if one)


async def test_wanting_both_is_a_mistake_and_both_stay(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    (one,) = await answer(service, 1, wants_both=True)
    assert told(service) == {"burst": (False, 7)}, "it takes more to make up for a mistake"
    await choose_here(service, 1, "again")
    open_now = {row.photo.id for row in service.store.read(suggestions.page, 1)}
    assert len(open_now) == 11
    assert open_now.isdisjoint(photo.id for photo in one.photos)


async def test_the_other_one_alone_is_a_mistake_too(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    one = await blind.next_question(service, 1)
    assert one
    going = [photo.id in {p.id for p in library[1::2]} for photo in one.photos].index(True)
    await blind.answer(service, 1, (Choice.FIRST, Choice.SECOND)[going], [photo.uid for photo in one.photos])
    pool = service.store.read(scores.newest_pool, 1, "burst")
    assert pool
    assert service.store.read(audits.wanted, 1) == {one.photos[going].id}
    assert [audit.kept for audit in service.store.read(verdict._of_groups, 1, "burst") or () if audit.kept is not None] == [True]


async def test_answers_teach_nothing_and_are_no_votes(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    await answer(service, 3)
    await answer(service, 1, wants_both=True)
    assert service.store.read(answers.labels, 1) == []
    assert service.store.read(answers.vote_count, 1) == 0


async def test_a_skipped_question_comes_after_another_and_an_undone_one_again(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    first = await blind.next_question(service, 1)
    assert first
    await blind.answer(service, 1, Choice.SKIP, [photo.uid for photo in first.photos])
    second = await blind.next_question(service, 1)
    assert second
    assert set(second.photos) != set(first.photos)
    await answer(service, 1)
    again = await blind.next_question(service, 1)
    assert again
    assert set(again.photos) == set(first.photos), "until it is answered no later answer counts"
    assert told(service) == {"burst": (False, ENOUGH - 1)}
    await answer(service, ENOUGH - 1)
    assert told(service) == {"burst": (True, 0)}
    await blind.take_back(service, 1)
    assert told(service)["burst"][0] is False
    assert certified(service) == [False] * 12, "a certificate that is gone marks nothing"


async def test_there_is_nothing_to_take_back_before_an_answer(service: Service, library: list[Photo]) -> None:
    with pytest.raises(NotFound):
        await blind.take_back(service, 1)
    with pytest.raises(PreciousError, match="Two different photos"):
        await blind.answer(service, 1, Choice.KEEP, [photo.uid for photo in library[:2]])
    with pytest.raises(PreciousError, match="Two different photos"):
        await blind.answer(service, 1, Choice.DRAW, [library[0].uid] * 2)


async def test_dismissing_one_costs_the_certificate_what_a_mistake_costs(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    asked = {photo.id for one in await answer(service, ENOUGH - 1) for photo in one.photos}
    rows = [row for row in service.store.read(suggestions.page, 1) if row.photo.id not in asked]
    await review.dismiss(service, 1, [row.uid for row in rows])
    await verdict.refresh(service, 1)
    assert told(service)["burst"][0] is False


async def test_a_list_that_is_another_one_is_audited_anew(service: Service, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    await answer(service, ENOUGH)
    service.store.write(groups.replace_groups, [burst(b, a) for a, b in zip(library[::2], library[1::2], strict=True)])
    await choose_here(service, 1, "other frames are the best now")
    assert told(service) == {"burst": (False, ENOUGH)}
    assert certified(service) == [False] * 12
    service.store.write(groups.replace_groups, [])
    await choose_here(service, 1, "nothing is grouped")
    assert told(service) == {}


async def test_what_the_owner_chose_and_labelled_is_not_in_the_pool(service: Service, library: list[Photo]) -> None:
    service.store.write(answers.add, 1, Question.LABEL, Choice.DELETE, library[1].id, None, "train", 1.0)
    chosen = Suggestion(library[3].id, "burst", None, False, ("you chose",), library[2].id)
    await choose_here(service, 1, "run")
    service.store.write(suggestions.put_open, 1, "group-1", [chosen], 2.0, True)

    def going(db: Database) -> Iterable[int]:
        return [photo for going in audits.suggested(db, 1, "burst").values() for photo in going]

    assert set(service.store.read(going)) == {photo.id for photo in library[5::2]}


# --- the page ------------------------------------------------------------------------------------------------------------


async def test_the_page_asks_and_takes_answers_without_a_script(service: Service, browser: Browser, library: list[Photo]) -> None:
    assert "Nothing to ask here" in await (await browser.get("/blind")).text()
    await choose_here(service, 1, "run")
    text = await (await browser.get("/blind?kind=burst")).text()
    assert "Is one of them enough?" in text
    assert f"{ENOUGH} more answers until certified" in text
    assert "Goes" not in text, "which one would go is not said"
    asked = (await (await browser.get("/api/blind?kind=burst")).json())["next"]
    fields = [("choice", "draw"), ("kind", "burst"), ("request", "one"), *(("photos", photo["uid"]) for photo in asked["photos"])]
    for _ in range(2):  # sent twice, stored once
        sent = await browser.submit("/api/blind", fields, Accept="text/html")
        assert (sent.status, sent.headers["Location"]) == (303, "/blind?kind=burst")
    assert told(service) == {"burst": (False, ENOUGH - 1)}
    history = await (await browser.get("/answers?kind=audits")).text()
    assert "Either of them is enough, a blind check" in history
    undone = await browser.submit("/api/blind/undo", [("kind", "burst")], Accept="text/html")
    assert undone.headers["Location"] == "/blind?kind=burst"
    assert told(service) == {"burst": (False, ENOUGH)}
    assert (await browser.get("/blind?kind=taste")).status == 400
    assert (await browser.post("/api/blind", {"choice": "best", "photos": []})).status == 400


async def test_page_status_and_report_say_what_is_certified_and_what_is_not(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    await choose_here(service, 1, "run")
    for path in ("/suggestions", "/", "/report"):
        text = await (await browser.get(path)).text()
        assert f"Weaker frames of bursts: Not certified yet: {ENOUGH} more answers are needed" in text, path
    text = await (await browser.get("/suggestions")).text()
    assert 'href="/blind?kind=burst"' in text
    assert "data-select-all hidden disabled" in text
    await answer(service, ENOUGH)
    sentence = "At most 40 % of the 12 certified weaker frames are ones you would keep"
    for path in ("/suggestions", "/", "/report"):
        assert sentence in await (await browser.get(path)).text(), path
    text = await (await browser.get("/suggestions")).text()
    assert "data-select-all hidden>" in text
    assert text.count('data-certified="yes"') == 12
    listed = await (await browser.get("/api/suggestions")).json()
    assert [one["certified"] for one in listed["group_certificates"]] == [True]
    assert listed["certificate"]["certified"] is False


async def test_photos_that_left_are_not_asked_about(service: Service, browser: Browser, library: list[Photo]) -> None:
    await choose_here(service, 1, "run")
    first = await blind.next_question(service, 1)
    assert first
    service.store.write(lambda db: db.execute("UPDATE photos SET state = 'missing' WHERE id = ?", [first.photos[0].id]))
    second = await blind.next_question(service, 1)
    assert second
    assert not {photo.id for photo in first.photos} & {photo.id for photo in second.photos}
