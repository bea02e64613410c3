"""One rule for many groups: shown before it is done, done as it was shown, within the caps, and undone together."""

from __future__ import annotations

import re
import shutil

import pytest

from precious_daemon.models import Choice, GroupKind, Photo, Question
from precious_daemon.service import Service
from precious_daemon.store import answers, decisions
from tests.web.library import Browser, read, root_of
from tests.web.test_grouping import make, names, opened

COPY, BURST = GroupKind.COPY, GroupKind.BURST


@pytest.fixture
def bursts(service: Service, library: list[Photo]) -> list[list[Photo]]:
    """Two, of three frames each, the best first."""
    found = [library[:3], library[3:]]
    make(service, *((BURST, part) for part in found))
    return found


async def plan(browser: Browser, query: str) -> tuple[dict[str, str], str]:
    """The fields of the form that would do it, and the page's words."""
    text = await (await browser.get(f"/groups/rule?{query}")).text()
    form = text.partition('id="rule"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)), " ".join(text.split())


async def test_the_best_stay_and_all_of_it_is_undone(service: Service, browser: Browser, bursts: list[list[Photo]]) -> None:
    fields, text = await plan(browser, "kind=burst&keep=1")
    assert "2 groups: 4 photos go," in text
    assert (len(names(service)), opened(service)) == (6, {}), "a look changes nothing"
    went = await browser.submit("/api/groups/rule", fields)
    assert (went.status, went.headers["Location"]) == (303, "/groups?kind=burst")
    assert names(service) == {part[0].path for part in bursts}
    assert (await plan(browser, "kind=burst&keep=1"))[0] == {}, "they are settled"
    text = await (await browser.get("/groups")).text()
    assert "Your rule settled groups." in text
    (number,) = re.findall(r'name="decision" value="(\d+)"', text)
    back = await (await browser.post("/api/groups/undo", {"decision": int(number)})).json()
    assert back["refused"] == []
    assert len(names(service)) == 6
    assert opened(service) == {}
    assert service.store.read(decisions.newest, 1) is None
    assert service.store.read(answers.labels, 1) == []


async def test_the_caps_hold_and_the_number_typed_goes_on_with_the_same_decision(
    service: Service, browser: Browser, bursts: list[list[Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.trash.SMALL", 1)
    fields, _ = await plan(browser, "kind=burst&keep=2")
    refused = await browser.post("/api/groups/rule", fields | {"count": 2})
    assert (refused.status, (await refused.json())["count"]) == (409, 2)
    assert len(names(service)) == 6
    assert len(opened(service)) == 2, "they wait to be reviewed"
    reply = await (await browser.post("/api/groups/rule", fields | {"count": 2, "typed_count": 2})).json()
    assert len(reply["moved"]) == 2
    assert len(service.store.read(decisions.all_decisions, 1)) == 2
    assert len(names(service)) == 4


async def test_copies_outside_the_preferred_folder_go(service: Service, browser: Browser, library: list[Photo]) -> None:
    folder = root_of(service)
    (folder / "best ones").mkdir()
    for photo in library[:2]:
        shutil.copy2(folder / photo.path, folder / "best ones")
    inside = sorted((p for p in read(service, folder) if p.path.startswith("best ones/")), key=lambda p: p.path)
    make(service, (COPY, [library[0], inside[0]]), (COPY, [library[2], library[3]]), (COPY, [inside[1], library[1]]))
    fields, text = await plan(browser, "kind=copy&keep=1&prefer=best+ones/")
    assert "2 groups: 2 photos go," in text
    assert "1 group has nothing in that folder and is left alone." in text
    reply = await (await browser.post("/api/groups/rule", fields | {"count": 2})).json()
    assert len(reply["moved"]) == 2
    assert names(service) == {photo.path for photo in library[2:]}
    assert all((folder / photo.path).exists() for photo in inside)


async def test_few_groups_are_shown_soon_and_more_on_demand(
    service: Service, browser: Browser, bursts: list[list[Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.suggesting.rules.MANY", (1, 2))
    fields, text = await plan(browser, "kind=burst&keep=1&many=1")
    assert "1 group: 2 photos go," in text
    (more,) = re.findall(r'href="(/groups/rule\?[^"]*)">for up to 2 at once', text)
    assert "2 groups: 4 photos go," in (await plan(browser, more.partition("?")[2].replace("&amp;", "&")))[1]
    assert len((await (await browser.post("/api/groups/rule", fields | {"count": 2})).json())["moved"]) == 2
    assert (await browser.get("/groups/rule?kind=burst&many=7")).status == 400


async def test_only_groups_of_that_time_and_place(service: Service, browser: Browser, bursts: list[list[Photo]]) -> None:
    for query in ("from=1990&to=1991", "from=2100"):
        assert (await plan(browser, f"kind=burst&keep=1&{query}"))[0] == {}
    assert (await plan(browser, "kind=burst&keep=1&from=2000"))[0]["count"] == "4"
    assert (await browser.get("/groups/rule?kind=burst&keep=1&folder=elsewhere")).status == 404


async def test_what_the_owner_keeps_and_what_a_plugin_protects_stays(
    service: Service, browser: Browser, bursts: list[list[Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, protected = bursts[0][1], bursts[1][2]
    service.store.write(answers.add, 1, Question.LABEL, Choice.KEEP, kept.id, None, "train", 1.0)
    monkeypatch.setattr(service.plugins, "vetoes", lambda found: {i: "in an album" for i in found if i == protected.id})
    fields, text = await plan(browser, "kind=burst&keep=1")
    assert "1 photo stays because you said keep." in text
    assert "1 photo is protected by a plugin." in text
    await browser.post("/api/groups/rule", fields | {"count": 2})
    assert names(service) == {bursts[0][0].path, kept.path, bursts[1][0].path, protected.path}


async def test_another_plan_than_was_shown_is_not_done(service: Service, browser: Browser, bursts: list[list[Photo]]) -> None:
    fields, _ = await plan(browser, "kind=burst&keep=1")
    make(service, (BURST, bursts[0]))
    refused = await browser.post("/api/groups/rule", fields | {"count": 4})
    assert refused.status == 400
    assert "nothing was changed" in (await refused.json())["error"]
    for wrong in ({"keep": "0"}, {"keep": "99"}, {"kind": "none"}, {"kind": "series"}, {"request": "a b"}, {"count": None}):
        assert (await browser.post("/api/groups/rule", fields | {"count": 2} | wrong)).status == 400, wrong
    assert (len(names(service)), opened(service), service.store.read(decisions.newest, 1)) == (6, {}, None)


async def test_frames_that_belong_to_a_set_stay(service: Service, browser: Browser, library: list[Photo]) -> None:
    make(service, (BURST, library[:4]), (GroupKind.SERIES, library[1:3]))
    fields, text = await plan(browser, "kind=burst&keep=1")
    assert "2 photos stay because they belong to a set." in text
    await browser.post("/api/groups/rule", fields | {"count": 1})
    assert names(service) == {photo.path for photo in library if photo != library[3]}
