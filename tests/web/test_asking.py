"""Questions and answers over HTTP: stored before the next one is given."""

from __future__ import annotations

import re
from typing import Any

from precious_daemon.asking import ask
from precious_daemon.config import Places
from precious_daemon.models import Choice, Group, GroupKind, GroupMember, Photo, Question, Scope
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, connect, groups, ratings
from tests.web.library import Browser


def stored(service: Service) -> list[tuple[str, str | None, str]]:
    return [(a.question, a.choice, a.purpose) for a in service.store.read(answers.recent, 1, 100)]


def hidden(html: str) -> dict[str, Any]:
    """The hidden fields of the question's form."""
    found: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html):
        found.setdefault(name, []).append(value)
    return found


async def test_an_answer_is_on_disk_when_the_next_question_comes(
    service: Service, browser: Browser, library: list[Photo], here: Places
) -> None:
    asked = (await (await browser.get("/api/question?kind=pair")).json())["next"]
    uids = [photo["uid"] for photo in asked["photos"]]
    sent = {"question": "pair", "choice": "first", "photos": uids, "purpose": asked["purpose"], "request": "r1"}
    reply = await (await browser.post("/api/answer", sent)).json()
    db = connect(here, writer=False)
    rows = db.execute("SELECT id, choice, request FROM answers").fetchall()
    db.conn.close()
    assert rows == [(reply["answer"], "first", "r1")]
    assert reply["progress"]["votes"] == 1
    assert reply["next"]["question"] == "pair"


async def test_an_answer_sent_twice_is_stored_once(service: Service, browser: Browser, library: list[Photo]) -> None:
    uids = [library[0].uid, library[1].uid]
    sent = {"question": "pair", "choice": "second", "photos": uids, "purpose": "rank", "request": "again"}
    first, second = [await (await browser.post("/api/answer", sent)).json() for _ in range(2)]
    assert first["answer"] == second["answer"]
    assert len(stored(service)) == 1


async def test_asking_changes_nothing(service: Service, browser: Browser, library: list[Photo]) -> None:
    for path in ("/compare", "/label", "/api/question?kind=pair", "/api/question?kind=label"):
        assert (await browser.get(path)).status == 200
    assert stored(service) == []


async def test_comparing_works_without_scripts(service: Service, browser: Browser, library: list[Photo]) -> None:
    fields = hidden(await (await browser.get("/compare")).text())
    form = [("question", "pair"), ("purpose", "rank"), ("request", fields["request"][0]), ("choice", "second")]
    answer = await browser.submit("/api/answer", [*form, *(("photos", uid) for uid in fields["photos"])])
    assert (answer.status, answer.headers["Location"]) == (303, "/compare")
    assert stored(service) == [("pair", "second", "rank")]


async def test_labelling_and_undoing_work_without_scripts(service: Service, browser: Browser, library: list[Photo]) -> None:
    fields = hidden(await (await browser.get("/label")).text())
    form = {name: values[0] for name, values in fields.items()}
    assert (await browser.submit("/api/answer", form | {"choice": "delete"})).headers["Location"] == "/label"
    assert stored(service) == [("label", "delete", form["purpose"])]
    undone = await browser.submit("/api/undo", {})
    assert undone.status == 303
    assert stored(service) == []
    again = hidden(await (await browser.get(undone.headers["Location"])).text())
    assert (again["photos"], again["purpose"]) == (fields["photos"], fields["purpose"])


async def test_an_undone_pair_is_asked_again_as_it_was(service: Service, browser: Browser, library: list[Photo]) -> None:
    uids = [library[3].uid, library[1].uid]
    await browser.post("/api/answer", {"question": "pair", "choice": "first", "photos": uids, "purpose": "rank"})
    undone = await (await browser.post("/api/undo")).json()
    assert [photo["uid"] for photo in undone["photos"]] == uids
    assert hidden(await (await browser.get(undone["page"])).text())["photos"] == uids
    assert service.store.read(ratings.many, 1, [photo.id for photo in library]) == {}


async def test_undo_without_an_answer_says_so(browser: Browser) -> None:
    response = await browser.post("/api/undo")
    assert (response.status, await response.json()) == (
        404, {"error": "There is no answer to take back.", "kind": "NotFound"}
    )  # fmt: skip


async def test_undo_passes_over_reviews(service: Service, browser: Browser, library: list[Photo]) -> None:
    def say(question: Question, choice: Choice, purpose: str) -> None:
        service.store.write(answers.add, 1, question, choice, library[0].id, None, purpose, 1.0)

    say(Question.LABEL, Choice.KEEP, "train")
    say(Question.SUGGESTION, Choice.DELETE, "review")
    assert (await (await browser.post("/api/undo")).json())["choice"] == "keep"
    assert stored(service) == [("suggestion", "delete", "review")]


async def test_nonsense_is_refused_in_words(browser: Browser, library: list[Photo]) -> None:
    uid = library[0].uid
    for sent in (
        {"question": "riddle", "choice": "keep", "photos": [uid]},
        {"question": "label", "choice": "first", "photos": [uid], "purpose": "train"},
        {"question": "pair", "choice": "first", "photos": [uid, uid], "purpose": "rank"},
        {"question": "label", "choice": "keep", "photos": uid, "purpose": "train"},
        {"question": "label", "choice": "keep", "photos": ["none"], "purpose": "train"},
        {"question": "label", "choice": "keep", "photos": [uid], "purpose": "bribe"},
        {"choice": "keep"},
        [],
        "text",
    ):
        response = await browser.post("/api/answer", sent)
        assert 400 <= response.status < 500, sent
        assert (await response.json())["error"]
    response = await browser.session.post(
        browser.base + "/api/answer", data="{", headers={"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    )
    assert response.status == 400


async def test_the_question_pages_say_nothing_of_what_a_model_thinks(browser: Browser, library: list[Photo]) -> None:
    for path in ("/compare", "/label"):
        html = await (await browser.get(path)).text()
        main = html[html.index("<main") : html.index("</main>")]
        assert "likely" not in main
        assert "/photo/" not in main  # the page of a photo tells its score


async def test_an_empty_library_has_kind_words(browser: Browser) -> None:
    assert "Nothing to compare yet" in await (await browser.get("/compare")).text()
    assert "No questions yet" in await (await browser.get("/label")).text()


async def test_a_page_that_looks_ahead_gets_other_photos_than_it_shows(browser: Browser, library: list[Photo]) -> None:
    for kind in ("pair", "label"):
        for _ in range(5):
            shown = (await (await browser.get(f"/api/question?kind={kind}")).json())["next"]
            uids = {photo["uid"] for photo in shown["photos"]}
            ahead = (await (await browser.get(f"/api/question?kind={kind}&exclude={','.join(uids)}")).json())["next"]
            assert uids.isdisjoint(photo["uid"] for photo in ahead["photos"])


async def test_looking_ahead_finds_nothing_where_nothing_else_is_left(browser: Browser, library: list[Photo]) -> None:
    but_one, every = ",".join(photo.uid for photo in library[1:]), ",".join(photo.uid for photo in library)
    for kind, exclude in (("pair", but_one), ("label", every)):
        assert (await (await browser.get(f"/api/question?kind={kind}&exclude={exclude}")).json())["next"] is None
    assert (await browser.get(f"/api/question?kind=pair&exclude={'x,' * 2000}")).status == 400


async def test_copies_are_never_compared(service: Service, library: list[Photo]) -> None:
    best, spare, *_ = (photo.id for photo in library)
    copies = Group(GroupKind.COPY, (GroupMember(best, True, "largest"), GroupMember(spare, False, "a copy")))
    service.store.write(groups.replace_groups, [copies])
    asked = {photo.id for _ in range(60) for photo in (await ask.next_pair(service, 1)).photos}  # type: ignore[union-attr]
    assert best in asked
    assert spare not in asked


async def test_in_a_stretch_of_time_that_holds_another_copy_alone_that_one_is_compared(
    service: Service, library: list[Photo]
) -> None:
    best, spare, other = (photo.id for photo in library[:3])
    copies = Group(GroupKind.COPY, (GroupMember(best, True, "largest"), GroupMember(spare, False, "a copy")))

    def long_ago(db: Database) -> None:
        groups.replace_groups(db, [copies])
        db.execute("UPDATE photos SET taken_at = 1000 WHERE id IN (?, ?)", [spare, other])

    service.store.write(long_ago)
    asked = await ask.next_pair(service, 1, scope=Scope(until=2000))
    assert asked
    assert {photo.id for photo in asked.photos} == {spare, other}
