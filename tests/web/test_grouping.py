"""Groups are decided on their page: the best is named, others go and come back, and what was kept whole stays away."""

from __future__ import annotations

import re

import pytest

from precious_daemon.models import Group, GroupKind, GroupMember, Photo, SuggestionState
from precious_daemon.service import Service
from precious_daemon.store import answers, decisions, groups, suggestions
from tests.web.library import Browser, choose_here, root_of


def make(service: Service, *made: tuple[GroupKind, list[Photo]]) -> None:
    """Groups whose first photo is the best."""
    found = [Group(kind, tuple(GroupMember(p.id, n == 0, f"sharp <{n}>") for n, p in enumerate(of))) for kind, of in made]
    service.store.write(groups.replace_groups, found)


@pytest.fixture
def burst(service: Service, library: list[Photo]) -> list[Photo]:
    """Four frames, the best first."""
    make(service, (GroupKind.BURST, library[:4]))
    return library[:4]


def decision(deed: str, of: list[Photo], best: Photo, *stays: Photo, kind: str = "burst", **more: object) -> dict[str, object]:
    uids = [photo.uid for photo in of]
    return {"deed": deed, "kind": kind, "photos": uids, "best": best.uid, "stays": [p.uid for p in stays]} | more


def names(service: Service) -> set[str]:
    return {path.name for path in root_of(service).glob("*.jpg")}


def opened(service: Service) -> dict[int, int | None]:
    """Photo to keeper."""
    return {row.photo.id: row.suggestion.keeper_id for row in service.store.read(suggestions.page, 1)}


async def shown(browser: Browser, path: str = "/groups") -> list[str]:
    text = await (await browser.get(path)).text()
    return re.findall(r'name="photos" value="(\w+)"', text)


async def test_a_group_is_shown_with_its_best_and_the_reason(browser: Browser, burst: list[Photo]) -> None:
    text = await (await browser.get("/groups")).text()
    assert set(re.findall(r'name="photos" value="(\w+)"', text)) == {photo.uid for photo in burst}
    assert "sharp &lt;0&gt;" in text
    assert re.search(rf'name="best" value="{burst[0].uid}" checked', text)
    assert f"/groups?kind=burst&amp;photo={burst[2].uid}" in await (await browser.get(f"/photo/{burst[2].uid}")).text()


async def test_the_others_go_and_come_back(service: Service, browser: Browser, burst: list[Photo]) -> None:
    reply = await (await browser.post("/api/groups/decide", decision("keep", burst, burst[1], burst[3]))).json()
    assert (len(reply["moved"]), reply["refused"]) == (2, [])
    assert not {burst[0].path, burst[2].path} & names(service)
    assert {burst[1].path, burst[3].path} <= names(service)
    assert {label.purpose for label in service.store.read(answers.labels, 1)} == {"duplicate"}
    assert await shown(browser) == [], "nothing is left to choose"
    back = await (await browser.post("/api/groups/undo", {"decision": reply["decision"]})).json()
    assert back["refused"] == []
    assert len(names(service)) == 6
    assert len(await shown(browser, back["next"])) == 4
    assert service.store.read(decisions.newest, 1) is None
    assert service.store.read(answers.labels, 1) == []


async def test_a_suggestion_of_what_stays_is_withdrawn_until_the_undo(
    service: Service, browser: Browser, burst: list[Photo]
) -> None:
    await choose_here(service, 1, "run")
    assert opened(service) == {photo.id: burst[0].id for photo in burst[1:]}
    reply = await (await browser.post("/api/groups/decide", decision("keep", burst, burst[3]))).json()
    assert len(reply["moved"]) == 3
    assert opened(service) == {}
    await browser.post("/api/groups/undo", {"decision": reply["decision"]})
    assert opened(service) == {burst[3].id: burst[0].id}


async def test_a_group_kept_whole_stays_away_until_it_grows(
    service: Service, browser: Browser, library: list[Photo], burst: list[Photo]
) -> None:
    await choose_here(service, 1, "one")
    reply = await (await browser.post("/api/groups/decide", decision("keep_all", burst, burst[0]))).json()
    assert reply["sentence"] == "All 4 stay."
    assert (await shown(browser), opened(service)) == ([], {})
    make(service, (GroupKind.COPY, library[4:]), (GroupKind.BURST, burst))
    await choose_here(service, 1, "two")
    assert opened(service) == {library[5].id: library[4].id}
    make(service, (GroupKind.BURST, library[:5]))
    await choose_here(service, 1, "three")
    assert len(opened(service)) == 4
    assert len(await shown(browser)) == 5
    assert len(names(service)) == 6


async def test_the_owners_best_is_kept_when_groups_are_made_anew(service: Service, browser: Browser, burst: list[Photo]) -> None:
    await browser.post("/api/groups/decide", decision("choose", burst, burst[2]))
    make(service, (GroupKind.BURST, burst))
    text = await (await browser.get("/groups")).text()
    assert re.search(rf'name="best" value="{burst[2].uid}" checked', text)
    assert "you chose it" in text
    await choose_here(service, 1, "run")
    assert set(opened(service).values()) == {burst[2].id}


async def test_it_works_without_scripts(service: Service, browser: Browser, library: list[Photo], burst: list[Photo]) -> None:
    make(service, (GroupKind.BURST, burst), (GroupKind.SAME, library[4:]))
    fields = [("deed", "keep"), ("kind", "burst"), ("tab", ""), ("after", "burst,1"), ("best", burst[0].uid)]
    fields += [("photos", photo.uid) for photo in burst]
    went = await browser.submit("/api/groups/decide", fields)
    assert (went.status, went.headers["Location"]) == (303, "/groups?after=burst,1")
    assert await shown(browser, went.headers["Location"]) == [library[5].uid, library[4].uid], "oldest first"
    text = await (await browser.get("/groups")).text()
    (number,) = re.findall(r'name="decision" value="(\d+)"', text)
    assert "You kept 1 of 4." in text
    assert len(names(service)) == 3
    await browser.submit("/api/groups/undo", {"decision": number})
    assert len(names(service)) == 6


async def test_too_many_at_once_wait_as_suggestions_until_the_number_is_typed(
    service: Service, browser: Browser, burst: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.trash.SMALL", 1)
    refused = await browser.post("/api/groups/decide", decision("keep", burst, burst[0]))
    assert (refused.status, (await refused.json())["count"]) == (409, 3)
    assert opened(service) == {photo.id: burst[0].id for photo in burst[1:]}
    assert len(names(service)) == 6
    reply = await (await browser.post("/api/groups/decide", decision("keep", burst, burst[0], typed_count=3))).json()
    assert len(reply["moved"]) == 3


async def test_what_a_plugin_protects_stays(
    service: Service, browser: Browser, burst: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.plugins, "vetoes", lambda found: dict.fromkeys(found, "it is in an album"))
    refused = await browser.post("/api/groups/decide", decision("keep", burst, burst[0]))
    assert refused.status == 409
    assert "it is in an album" in (await refused.json())["error"]
    assert (len(names(service)), opened(service), service.store.read(decisions.newest, 1)) == (6, {}, None)


async def test_what_is_no_group_any_more_is_left_alone(service: Service, browser: Browser, library: list[Photo]) -> None:
    make(service, (GroupKind.BURST, library[:2]))
    for wrong in (
        decision("keep", library[:3], library[0]),
        decision("keep", library[:2], library[2]),
        decision("keep", library[:2], library[0], library[4]),
        decision("keep", library[:2], library[0], kind="copy"),
        decision("all", library[:2], library[0]),
        decision("keep", library[:1], library[0]),
    ):
        assert (await browser.post("/api/groups/decide", wrong)).status == 400, wrong
    assert len(names(service)) == 6
    assert service.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 0
    assert service.store.read(decisions.newest, 1) is None


async def test_a_set_is_kept_whole_and_it_is_said_why(service: Service, browser: Browser, library: list[Photo]) -> None:
    make(service, (GroupKind.SERIES, library[:3]))
    assert "No group is left to decide" in await (await browser.get("/groups")).text()
    text = await (await browser.get("/groups?kind=series")).text()
    assert "taken as a set, so all are kept" in text
    assert len(re.findall(r'name="stays" value="\w+" checked', text)) == 3


async def test_every_group_comes_once_and_tabs_show_one_kind(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.store.groups.LOOKED_AT", (1,))
    make(service, *((kind, library[n : n + 2]) for n in (0, 2, 4) for kind in GroupKind))
    seen, path = [], "/groups"
    while found := await shown(browser, path):
        seen.append((path, frozenset(found)))
        text = await (await browser.get(path)).text()
        path = re.findall(r'href="(/groups\?after=[\w,]+)" data-next', text)[0]
    assert len(seen) == 9
    text = await (await browser.get("/groups?kind=same&after=same,8")).text()
    assert re.findall(r'name="photos" value="(\w+)"', text) == [library[5].uid, library[4].uid]
    for wrong in ("/groups?kind=none", "/groups?after=same,x", "/groups?after=x"):
        assert (await browser.get(wrong)).status == 400
