"""Suggestions are approved, dismissed and undone from the page; files move and come back."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from precious_daemon.config import parse
from precious_daemon.models import Certificate, Choice, Photo, Question, SuggestionState, UnitState
from precious_daemon.service import Service
from precious_daemon.store import answers, scores, suggestions, units
from precious_daemon.trash import Trash
from tests.web.library import Browser, root_of, suggest, taste


def names(service: Service) -> set[str]:
    return {path.name for path in root_of(service).glob("*.jpg")}


async def test_an_approved_suggestion_moves_and_its_undo_brings_it_back(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    (uid,) = suggest(service, taste(library[0]))
    reply = await (await browser.post("/api/suggestions/approve", {"uids": [uid]})).json()
    assert (len(reply["moved"]), reply["refused"], reply["sentence"]) == (1, [], "1 photo is in the trash.")
    assert library[0].path not in names(service)
    (unit,) = (await (await browser.get("/api/trash")).json())["units"]
    assert (unit["uid"], unit["path"]) == (reply["moved"][0], library[0].path)
    back = await (await browser.post("/api/trash/restore", {"uids": reply["moved"]})).json()
    assert back["sentence"] == "1 photo is back in its place."
    assert library[0].path in names(service)


async def test_a_photo_that_nobody_suggested_goes_from_its_own_page_and_comes_back_there(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    chosen, (suggested,) = (
        library[0],
        suggest(service, replace(taste(library[1]), kind="rule", reasons=("a receipt from last year",))),
    )
    page = await (await browser.get(f"/photo/{chosen.uid}")).text()
    assert 'action="/api/photos/trash"' in page
    reply = await (await browser.post("/api/photos/trash", {"uids": [chosen.uid, library[1].uid]})).json()
    assert (len(reply["moved"]), reply["sentence"]) == (2, "2 photos are in the trash.")
    assert not names(service) & {chosen.path, library[1].path}
    said = {label.photo_id: label.purpose for label in service.store.read(answers.labels, 1)}
    assert said == {chosen.id: "review", library[1].id: "duplicate"}, "what a rule suggested says nothing about taste"
    assert service.store.read(suggestions.by_uids, [suggested])[0].suggestion.reasons == ("a receipt from last year",)
    page = await (await browser.get(f"/photo/{chosen.uid}")).text()
    assert 'action="/api/trash/restore"' in page
    assert 'action="/api/photos/trash"' not in page
    (unit,) = (uid for uid in reply["moved"] if uid in page)
    back = await (await browser.post("/api/trash/restore", {"uids": [unit], "photo": chosen.uid})).json()
    assert back["sentence"] == "1 photo is back in its place."
    assert chosen.path in names(service)
    assert [label.photo_id for label in service.store.read(answers.labels, 1)] == [library[1].id]


async def test_a_photo_that_cannot_go_is_suggested_no_more_than_before(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.trash.SMALL", 1)
    refused = await browser.post("/api/photos/trash", {"uids": [library[0].uid, library[1].uid]})
    assert refused.status == 409
    assert len(names(service)) == 6
    assert service.store.read(suggestions.page, 1) == []


async def test_a_photo_that_was_kept_since_it_was_suggested_is_held_back(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    uids = suggest(service, taste(library[0], 0.1), taste(library[1], 0.2))
    service.store.write(answers.add, 1, Question.OUTSIDE, Choice.KEEP, library[0].id, None, "xmp", service.clock())
    refused = await browser.post("/api/suggestions/approve", {"uids": uids})
    assert refused.status == 409
    assert "you answered since that you keep it" in await refused.text()
    assert len(names(service)) == 6
    assert [row.uid for row in service.store.read(suggestions.page, 1)] == [uids[1]]
    assert len((await (await browser.post("/api/photos/trash", {"uids": [library[0].uid]})).json())["moved"]) == 1


async def test_a_rehearsal_moves_nothing_and_leaves_the_suggestion_open(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    (uid,) = suggest(service, taste(library[0]))
    reply = await (await browser.post("/api/suggestions/approve", {"uids": [uid], "dry_run": True})).json()
    assert reply["moved"] == []
    assert "Would move" in reply["sentence"]
    assert len(names(service)) == 6
    assert service.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 1


@pytest.mark.parametrize("wrong", ["yes", 1, None])
async def test_a_rehearsal_that_is_not_clearly_one_is_refused(
    wrong: object, service: Service, browser: Browser, library: list[Photo]
) -> None:
    (uid,) = suggest(service, taste(library[0]))
    assert (await browser.post("/api/suggestions/approve", {"uids": [uid], "dry_run": wrong})).status == 400
    assert len(names(service)) == 6


async def test_a_dismissal_becomes_a_label_and_can_be_undone(service: Service, browser: Browser, library: list[Photo]) -> None:
    (uid,) = suggest(service, taste(library[0]))
    assert await (await browser.post("/api/suggestions/dismiss", {"uids": [uid]})).json() == {"dismissed": 1}
    (label,) = service.store.read(answers.labels, 1)
    assert (label.keep, label.purpose) == (True, "review")
    assert await (await browser.post("/api/suggestions/reopen", {"uids": [uid]})).json() == {"reopened": 1}
    assert service.store.read(answers.labels, 1) == []
    assert [row.uid for row in service.store.read(suggestions.page, 1)] == [uid]


async def test_more_than_a_day_s_share_needs_the_number_typed(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.trash.SMALL", 1)
    uids = suggest(service, taste(library[0], 0.1), taste(library[1], 0.2))
    refused = await browser.post("/api/suggestions/approve", {"uids": uids})
    told = await refused.json()
    assert (refused.status, told["kind"], told["count"]) == (409, "CountNeeded", 2)
    assert len(names(service)) == 6
    reply = await (await browser.post("/api/suggestions/approve", {"uids": uids, "typed_count": 2})).json()
    assert len(reply["moved"]) == 2


async def test_reviewing_works_without_scripts(service: Service, browser: Browser, library: list[Photo]) -> None:
    uids = suggest(service, taste(library[0], 0.1), taste(library[1], 0.2), taste(library[2], 0.3))
    approved = await browser.submit("/api/suggestions/approve", {"only": uids[0]})
    assert (approved.status, approved.headers["Location"]) == (303, "/suggestions")
    page = await (await browser.get("/suggestions")).text()
    assert "1 photo moved to the trash" in page
    await browser.submit("/api/suggestions/dismiss", {"uids": uids[1], "only": uids[1]})
    (unit,) = re.findall(r'name="uids" value="(\w+)"', page[: page.index('id="review"')])
    await browser.submit("/api/trash/restore", {"uids": unit})
    assert len(names(service)) == 6
    assert [row.uid for row in service.store.read(suggestions.page, 1)] == [uids[2]]


async def test_one_s_own_button_decides_for_one_whatever_is_ticked(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    uids = suggest(service, taste(library[0], 0.1), taste(library[1], 0.2))
    await browser.submit("/api/suggestions/approve", [("uids", uids[0]), ("uids", uids[1]), ("only", uids[1])])
    assert library[0].path in names(service)
    assert library[1].path not in names(service)


async def test_a_refusal_says_why_on_a_page(service: Service, browser: Browser, library: list[Photo]) -> None:
    (uid,) = suggest(service, taste(library[0]))
    (root_of(service) / library[0].path).write_bytes(b"changed since")
    response = await browser.submit("/api/suggestions/approve", {"only": uid})
    assert response.status == 200
    assert "Nothing was moved." in await response.text()
    assert (root_of(service) / library[0].path).read_bytes() == b"changed since"


async def test_nothing_chosen_changes_nothing_and_says_so(browser: Browser) -> None:
    response = await browser.post("/api/suggestions/approve", {"uids": []})
    assert (response.status, (await response.json())["error"]) == (400, "Nothing was chosen, so nothing was changed.")


async def test_select_all_is_off_without_a_certificate(service: Service, browser: Browser, library: list[Photo]) -> None:
    suggest(service, taste(library[0]))
    service.store.write(scores.add_model, "run", 1, "regression", {}, 0.5)
    service.store.write(scores.put_certificate, 1, None, "59 checks are needed.", 35, 1.0)
    page = await (await browser.get("/suggestions")).text()
    assert re.search(r"data-select-all hidden disabled", page)
    assert "59 checks are needed. Look at each one before you let it go." in page
    suggest(service, taste(library[0], certified=True))
    certificate = Certificate(0.2, 0.05, 0.95, 60, 0, 100)
    service.store.write(scores.put_certificate, 1, certificate, "It holds.", 0, 1.0)
    page = await (await browser.get("/suggestions")).text()
    assert re.search(r"data-select-all hidden>", page)
    assert "It holds." in page


async def test_the_certified_ones_can_be_looked_at_alone(service: Service, browser: Browser, library: list[Photo]) -> None:
    sure, _ = suggest(service, taste(library[0], certified=True), taste(library[1]))
    service.store.write(scores.add_model, "run", 1, "regression", {}, 0.5)
    service.store.write(scores.put_certificate, 1, Certificate(0.2, 0.05, 0.95, 43, 0, 100), "It holds.", 0, 1.0)
    for path in ("/suggestions", "/suggestions?only=certified&after=0.05,0"):
        page = await (await browser.get(path)).text()
        assert 'href="/suggestions?only=certified"' in page
        assert "1 certified" in page
    found = await (await browser.get("/api/suggestions?only=certified")).json()
    assert [one["uid"] for one in found["suggestions"]] == [sure]


async def test_the_keeper_stands_beside_what_goes(service: Service, browser: Browser, library: list[Photo]) -> None:
    suggest(service, taste(library[0], keeper_id=library[1].id))
    page = await (await browser.get("/suggestions")).text()
    assert (
        page.index(f"/preview/{library[0].uid}")
        < page.index("Goes")
        < page.index(f"/preview/{library[1].uid}")
        < page.index("Stays")
    )


async def test_pages_of_suggestions_follow_each_other_without_a_gap(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.web.reviewing.A_PAGE", 2)
    wanted = suggest(service, *(taste(photo, 0.3) for photo in library[:3]), *(taste(photo, 0.2) for photo in library[3:5]))
    seen, after = [], ""
    while after is not None:
        part = await (await browser.get("/api/suggestions" + (f"?after={after}" if after else ""))).json()
        seen += [s["uid"] for s in part["suggestions"]]
        after = part["after"]
    assert seen == wanted


# --- for good ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tidy(service: Service) -> Service:
    """A service whose owner lets the trash be emptied."""
    settings = parse({"trash": {"purge_days": 30}})
    service.trash = Trash(service.store, service.places, settings, time.time)
    service.settings = settings
    return service


async def test_removal_for_good_is_offered_when_ripe_and_needs_its_count(
    tidy: Service, browser: Browser, library: list[Photo]
) -> None:
    (uid,) = suggest(tidy, taste(library[0]))
    began = time.time()
    await browser.post("/api/suggestions/approve", {"uids": [uid]})
    tidy.store.write(lambda db: db.execute("UPDATE units SET changed_at = changed_at - 31 * 86400"))
    assert "removed for good" not in await (await browser.get("/trash")).text()
    for day in range(32):
        tidy.store.write(units.note_day, began - day * 86400)
    assert "1 photo may be removed for good" in await (await browser.get("/trash")).text()
    rehearsed = await (await browser.post("/api/trash/purge", {"dry_run": True})).json()
    assert rehearsed["sentence"].startswith("Nothing was removed.\nWould remove ")
    refused = await browser.post("/api/trash/purge", {"typed_count": 2})
    assert (refused.status, (await refused.json())["count"]) == (409, 1)
    done = await (await browser.post("/api/trash/purge", {"typed_count": 1})).json()
    assert re.fullmatch(r"1 photo is removed for good, and .* are free again\.", done["sentence"]), done
    page = await (await browser.get("/trash")).text()
    assert "The trash is empty" in page


async def test_log_says_who_let_what_go_and_why(service: Service, browser: Browser, library: list[Photo]) -> None:
    (uid,) = suggest(service, replace(taste(library[0]), reasons=("<b>blurred</b>",)))
    (moved,) = (await (await browser.post("/api/suggestions/approve", {"uids": [uid]})).json())["moved"]
    await browser.post("/api/trash/restore", {"uids": [moved]})
    page = await (await browser.get("/log?kind=moved")).text()
    assert page.index("Put back") < page.index("Moved to the trash")
    assert page.count(library[0].path) >= 2
    assert page.count("&lt;b&gt;blurred&lt;/b&gt;") == 2
    assert "· <bdi>owner</bdi>" in page
    listed = await (await browser.get("/api/log?kind=moved&text=restored")).json()
    assert [(e["action"], e["who"], e["suggestion"]) for e in listed["entries"]] == [("restored", "owner", uid)]
    older = await (await browser.get(f"/api/log?before={listed['entries'][0]['number']}&kind=moved")).json()
    assert [e["action"] for e in older["entries"]] == ["trashed"]
    whole = await (await browser.get("/api/log.jsonl")).text()
    assert [json.loads(line)["action"] for line in whole.splitlines()][-2:] == ["trashed", "restored"]
    assert "Nothing found" in await (await browser.get("/log?text=nowhere")).text()
    assert (await browser.get("/log?kind=print")).status == 400


async def test_owner_is_told_where_the_trash_of_the_desktop_could_not_be_used(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    service.settings = parse({"plugins": {"enabled": ["trash"]}})
    (uid,) = suggest(service, taste(library[0]))
    done = await (await browser.post("/api/suggestions/approve", {"uids": [uid]})).json()
    said = "1 photo is in the trash. 1 went to the trash of its folder, for the one of your desktop cannot be used there."
    assert done["sentence"] == said


async def test_removal_for_good_is_off_by_default(browser: Browser, library: list[Photo]) -> None:
    answer = await browser.post("/api/trash/purge", {"typed_count": 1})
    assert answer.status == 409
    assert "purge_days" in (await answer.json())["error"]


async def test_what_speaks_for_a_suggestion_is_shown_beside_it(service: Service, browser: Browser, library: list[Photo]) -> None:
    known = {"deleted": [library[2].id], "kept": [library[3].id, 999], "like_deleted": 1}
    suggest(service, taste(library[0], keeper_id=library[1].id, evidence=known))
    (told,) = (await (await browser.get("/api/suggestions")).json())["suggestions"]
    assert told["keeper_place"] == str(root_of(service) / library[1].path)
    assert [photo["uid"] for photo in told["evidence"]["deleted"]] == [library[2].uid]
    assert [photo["uid"] for photo in told["evidence"]["kept"]] == [library[3].uid]
    assert 0 <= told["evidence"]["measures"]["sharpness"] <= 1
    page = await (await browser.get("/suggestions")).text()
    assert page.index("You threw away") < page.index(library[2].uid) < page.index("You kept") < page.index("Stays: <bdi>")


async def test_trash_of_the_desktop_is_shown_and_what_is_done_there_counts(
    service: Service, browser: Browser, library: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    service.trash.use(parse({"plugins": {"enabled": ["trash"]}}))
    uids = suggest(service, taste(library[0], 0.1), taste(library[1], 0.2), taste(library[2], 0.3))
    assert len((await (await browser.post("/api/suggestions/approve", {"uids": uids})).json())["moved"]) == 3
    assert "In the trash of your desktop" in await (await browser.get("/trash")).text()
    thrown = {u["path"]: u["trash"] for u in (await (await browser.get("/api/trash")).json())["units"]}
    assert thrown == {photo.path: str(tmp_path / "share/Trash") for photo in library[:3]}

    there = {f.name.partition(".")[0]: f for f in (tmp_path / "share/Trash/files").iterdir()}
    back, gone = library[0], library[1]
    there[Path(back.path).stem].rename(root_of(service) / back.path)
    there[Path(gone.path).stem].unlink()
    await service.jobs.run("scan")
    await service.jobs.arrivals.reading_done()
    assert [u["path"] for u in (await (await browser.get("/api/trash")).json())["units"]] == [library[2].path]
    assert "1 photo you removed from the trash for good with another program" in await (await browser.get("/trash")).text()
    said = {label.photo_id: (label.keep, label.purpose) for label in service.store.read(answers.labels, 1)}
    assert said == {back.id: (True, "outside"), gone.id: (False, "review"), library[2].id: (False, "review")}
    assert service.store.read(units.get, 1).state is UnitState.UNDONE
    assert back.path in names(service)
