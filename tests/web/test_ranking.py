"""What is in the ranking: photos taken out of it and brought back, and a part of the library alone."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from precious_daemon.asking import ask, trade
from precious_daemon.models import Choice, Photo, Question, Scope
from precious_daemon.service import Service
from precious_daemon.store import answers, ratings, scopes
from tests.pictures import save
from tests.web.library import Browser, read


async def vote(browser: Browser, winner: Photo, loser: Photo) -> None:
    sent = {"question": "pair", "choice": "first", "photos": [winner.uid, loser.uid], "purpose": "rank"}
    assert (await browser.post("/api/answer", sent)).status == 200


def ranked(service: Service, scope: Scope | None = None) -> list[int]:
    found = service.store.read(ratings.ranking, 1, scope=scope)
    best = service.store.read(ratings.best, 1, 100, scope)
    assert [(r.mu, r.sigma) for r in best] == [(r.mu, r.sigma) for _, r in found]
    return [photo.id for photo, _ in found]


async def may_be_asked(service: Service, photo: Photo, library: list[Photo]) -> bool:
    """Where only one other is left."""
    others = [other.uid for other in library if other.id != photo.id]
    return await ask.next_pair(service, 1, others[1:]) is not None


async def test_photo_taken_out_is_in_no_pair_and_no_ranking_until_it_is_back(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    for other in library[1:4]:
        await vote(browser, library[0], other)
    before = service.store.read(ratings.many, 1, [library[0].id])
    assert await (await browser.post("/api/ranking/out", {"uids": [library[0].uid]})).json() == {"out": 1}
    assert not await may_be_asked(service, library[0], library)
    assert library[0].id not in ranked(service)
    assert await (await browser.post("/api/ranking/back", {"uids": [library[0].uid]})).json() == {"back": 1}
    assert ranked(service)[0] == library[0].id
    assert await may_be_asked(service, library[0], library)
    assert service.store.read(ratings.many, 1, [library[0].id]) == before


async def test_taking_out_twice_is_one_answer_and_bringing_back_its_undo(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    for done in (1, 0):
        assert await (await browser.post("/api/ranking/out", {"only": library[0].uid})).json() == {"out": done}
    (answer,) = service.store.read(answers.recent, 1, 10)
    assert (answer.question, answer.choice) == (Question.RANKING, Choice.OUT)
    for done in (1, 0):
        assert await (await browser.post("/api/ranking/back", {"only": library[0].uid})).json() == {"back": done}
    rows = service.store.read(lambda db: db.execute("SELECT choice, undoes FROM answers ORDER BY id").fetchall())
    assert rows == [("out", None), (None, answer.id)]


async def test_undo_while_comparing_takes_back_the_comparison(service: Service, browser: Browser, library: list[Photo]) -> None:
    await vote(browser, library[0], library[1])
    await browser.post("/api/ranking/out", {"uids": [library[2].uid]})
    assert (await (await browser.post("/api/undo")).json())["question"] == "pair"
    assert service.store.read(answers.all_out_of_ranking, 1) == [library[2].id]


async def test_photo_taken_out_is_still_asked_about_alone(service: Service, browser: Browser, library: list[Photo]) -> None:
    await browser.post("/api/ranking/out", {"uids": [photo.uid for photo in library]})
    assert await ask.next_pair(service, 1) is None
    assert await ask.next_label(service, 1) is not None


async def test_pages_say_what_is_out_and_bring_it_back_without_scripts(browser: Browser, library: list[Photo]) -> None:
    uid = library[0].uid
    assert "Take out of the ranking" in await (await browser.get(f"/photo/{uid}")).text()
    assert (await browser.submit("/api/ranking/out", {"only": uid})).headers["Location"] == f"/photo/{uid}"
    assert "Bring back" in await (await browser.get(f"/photo/{uid}")).text()
    assert f'href="/photo/{uid}"' in await (await browser.get("/ranking")).text()
    await browser.submit("/api/ranking/back", {"only": uid})
    assert f'href="/photo/{uid}"' not in await (await browser.get("/ranking")).text()


async def test_image_rankers_rows_of_nobody_take_photos_out_and_go_out_again(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    a, b, c = (photo.path for photo in library[:3])
    text = f"Winner,Loser\n{a},{b}\nNone,{c}\nNone,nowhere.jpg\n"
    told = await trade.import_csv(service, 1, text)
    assert (told.imported, told.unknown, told.taken_out) == (1, ("nowhere.jpg",), 1)
    assert service.store.read(answers.all_out_of_ranking, 1) == [library[2].id]
    assert await trade.export_votes(service, 1) == f"Winner,Loser\n{a},{b}\nNone,{c}\n"
    assert (await trade.import_csv(service, 1, text)).taken_out == 0, "it is out already"


# --- a part of the library ---------------------------------------------------------------------------------------------


@pytest.fixture
def trips(service: Service, tmp_path: Path) -> list[Photo]:
    """Two folders, six photos each, none of which has a date of its own."""
    for folder in ("sea", "hills"):
        for number in range(6):
            save(
                tmp_path / "photos" / folder / f"{number}.jpg", number + 10 * (folder == "sea"), (96, 72), age=3600 * (number + 1)
            )
    return read(service, tmp_path / "photos")


async def test_a_folder_alone_is_asked_about_and_ranked(service: Service, browser: Browser, trips: list[Photo]) -> None:
    await vote(browser, trips[0], trips[1])
    assert len(ranked(service)) == sum(len(ranked(service, Scope(trips[0].root_id, part))) for part in ("sea", "hills")) == 2
    within = "folder=sea"
    shown = (await (await browser.get(f"/api/question?kind=pair&{within}")).json())["next"]
    for _ in range(10):
        assert all(photo["path"].startswith("sea/") for photo in shown["photos"])
        uids = [photo["uid"] for photo in shown["photos"]]
        sent = {"question": "pair", "choice": "first", "photos": uids, "purpose": "rank", "within": within}
        shown = (await (await browser.post("/api/answer", sent)).json())["next"]
    text = await (await browser.get("/ranking?folder=hills")).text()
    by_uid = {photo.uid: photo.path for photo in trips}
    assert {by_uid[uid] for uid in re.findall(r'href="/photo/(\w+)"', text)} <= {p for p in by_uid.values() if "hills" in p}


async def test_the_part_is_kept_without_scripts_and_by_undo(browser: Browser, trips: list[Photo]) -> None:
    text = await (await browser.get("/compare?folder=sea&from=1990")).text()
    assert 'name="within" value="folder=sea&amp;from=1990"' in text
    assert "in sea, from 1990" in text
    uids = re.findall(r'name="photos" value="(\w+)"', text)
    form = [("question", "pair"), ("purpose", "rank"), ("choice", "first"), ("within", "folder=sea&from=1990")]
    answered = await browser.submit("/api/answer", [*form, *(("photos", uid) for uid in uids)])
    assert answered.headers["Location"] == "/compare?folder=sea&from=1990"
    undone = await browser.submit("/api/undo", {"within": "folder=sea&from=1990"})
    assert undone.headers["Location"].endswith("&purpose=rank&folder=sea&from=1990")
    assert "in sea, from 1990" in await (await browser.get(undone.headers["Location"])).text()


async def test_a_part_with_nothing_in_it_says_so(browser: Browser, trips: list[Photo]) -> None:
    assert "There are not two photos in sea, to 1980" in await (await browser.get("/compare?folder=sea&to=1980")).text()
    assert (await browser.get("/ranking?folder=moon")).status == 404
    assert (await browser.get("/compare?from=soon")).status == 400


async def test_the_page_says_how_far_the_top_is_from_steady(service: Service, browser: Browser, library: list[Photo]) -> None:
    await vote(browser, library[0], library[1])
    said = (await (await browser.get("/api/question?kind=pair")).json())["progress"]
    assert re.fullmatch(r"1 comparison · about \d+ more answers until the best photo is steady", said["pair_words"])
    assert said["pair_words"] in html.unescape(await (await browser.get("/compare")).text())
    steady = (await (await browser.get("/api/status")).json())["answers"]["steady"]
    assert steady == said["steady"]
    assert (steady["top"], steady["needed"] > 0) == (1, True)


async def test_a_part_has_a_top_of_its_own(service: Service, browser: Browser, trips: list[Photo]) -> None:
    await vote(browser, trips[0], trips[1])
    whole = service.store.read(ask.until_steady, 1)
    part = service.store.read(ask.until_steady, 1, Scope(trips[0].root_id, "sea"))
    assert whole
    assert part
    assert (whole.top, part.top) == (3, 1)
    assert service.store.read(ask.until_steady, 1, Scope(trips[0].root_id, "nowhere")) is None


async def test_every_page_of_a_part_leads_on_however_few_of_it_are_looked_at(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in library[1:]:
        await vote(browser, library[0], other)
    scope = Scope(library[0].root_id, since=min(photo.taken_at or 0 for photo in library))
    wanted = ranked(service, scope)
    monkeypatch.setattr(ratings, "LOOKED_AT", 1)
    monkeypatch.setattr(scopes, "FEW", 0)
    found, after = [], None
    while True:
        part, after = service.store.read(ratings.ranking_page, 1, after, 3, scope)
        assert len(part) < 3, "no more than two are looked at"
        found += [photo.id for photo, _ in part]
        if after is None:
            break
    assert found == wanted
