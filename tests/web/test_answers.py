"""Four at once, all kinds in one stream, rounds, and my answers: what was said, and any of it taken back."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.asking import ask, ledger, outside
from precious_daemon.hookspecs import Judgement
from precious_daemon.models import Aim, Choice, Order, Photo, Question, Score, Way
from precious_daemon.pure import rating
from precious_daemon.service import Service
from precious_daemon.store import answers, ratings, roots, scores
from tests.web.library import Browser
from tests.web.test_asking import hidden


async def send(browser: Browser, question: str, choice: str, shown: list[Photo], **more: Any) -> Any:
    sent = {"question": question, "choice": choice, "photos": [p.uid for p in shown], "purpose": "rank"} | more
    return await (await browser.post("/api/answer", sent)).json()


async def test_the_best_of_four_is_one_answer(service: Service, browser: Browser, library: list[Photo]) -> None:
    asked = (await (await browser.get("/api/question?kind=pair&of=4")).json())["next"]
    assert (asked["question"], len(asked["photos"])) == ("four", 4)
    by_uid = {photo.uid: photo for photo in library}
    shown = [by_uid[photo["uid"]] for photo in asked["photos"]]
    reply = await send(browser, "four", "third", shown, within="of=4")
    assert reply["progress"]["votes"] == 1
    assert len(reply["next"]["photos"]) == 4
    known = service.store.read(ratings.everything, 1)
    best = known.pop(shown[2].id)
    assert (best.wins, {r.losses for r in known.values()}) == (3, {1})
    assert all(r.mu < rating.MU < best.mu for r in known.values())


async def test_four_in_order_tell_each_from_each(service: Service, browser: Browser, library: list[Photo]) -> None:
    await send(browser, "four", "order", library[2:6])
    known = service.store.read(ratings.everything, 1)
    assert sorted(known, key=lambda i: -known[i].mu) == [photo.id for photo in library[2:6]]
    csv = await (await browser.get("/api/votes.csv")).text()
    assert len(csv.splitlines()) == 7


async def test_four_work_without_scripts_and_undo_asks_them_again(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    fields = hidden(html.unescape(await (await browser.get("/compare?of=4&aim=top")).text()))
    assert (fields["question"][0], fields["purpose"][0], len(fields["photos"])) == ("four", "top", 4)
    form = [(name, fields[name][0]) for name in ("question", "purpose", "request", "within", "kind")]
    sent = await browser.submit("/api/answer", [*form, ("choice", "fourth"), *(("photos", uid) for uid in fields["photos"])])
    assert (sent.status, sent.headers["Location"]) == (303, "/compare?of=4&aim=top")
    undone = await browser.submit("/api/undo", {"within": fields["within"][0], "kind": "pair"})
    assert hidden(await (await browser.get(undone.headers["Location"])).text())["photos"] == fields["photos"]
    assert service.store.read(ratings.everything, 1) == {}


async def test_answers_that_do_not_fit_their_question_are_refused(browser: Browser, library: list[Photo]) -> None:
    for question, choice, count, purpose in (
        ("four", "first", 2, "rank"), ("four", "fourth", 3, "rank"), ("four", "both_keep", 4, "rank"),
        ("four", "order", 4, "train"), ("pair", "third", 2, "rank"), ("pair", "order", 2, "rank"),
        ("outside", "keep", 1, "outside"), ("ranking", "out", 1, "rank"),
    ):  # fmt: skip
        assert "error" in await send(browser, question, choice, library[:count], purpose=purpose), (question, choice)


async def test_answers_given_with_another_program_say_with_which(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    heart = {library[0].id: Judgement(True, "a favourite in Immich")}
    service.store.write(outside.take_over, 1, "immich", heart, None, 0.0)
    assert "Keep, a favourite in Immich" in await (await browser.get("/answers?kind=outside")).text()
    chinese = await browser.get("/answers?kind=outside", **{"Accept-Language": "zh-CN"})
    assert "在 Immich 中已收藏" in await chinese.text()
    (answer,) = (await (await browser.get("/api/answers?kind=outside")).json())["answers"]
    undone = await (await browser.post(f"/api/answers/{answer['id']}/undo")).json()
    assert undone["sentence"] == "Taken back: Keep, a favourite in Immich."


@pytest.mark.parametrize("question", ["pair", "four", "label", "audit"])
async def test_any_answer_sent_twice_counts_once(question: str, service: Service, browser: Browser, library: list[Photo]) -> None:
    count, choice, purpose = {
        "pair": (2, "first", "rank"), "four": (4, "second", "rank"), "label": (1, "keep", "train"), "audit": (1, "keep", "audit"),
    }[question]  # fmt: skip
    first, second = [await send(browser, question, choice, library[:count], purpose=purpose, request="x") for _ in "ab"]
    assert first["answer"] == second["answer"]
    assert len(service.store.read(answers.page, 1)) == 1
    once = service.store.read(ratings.everything, 1)
    service.store.write(ledger.rebuild, 1)
    assert service.store.read(ratings.everything, 1) == once
    await browser.post(f"/api/answers/{first['answer']}/undo")
    late = await send(browser, question, choice, library[:count], purpose=purpose, request="x")
    assert late["answer"] == first["answer"], "also one that comes once it was taken back"
    assert service.store.read(answers.page, 1) == []
    assert service.store.read(ratings.everything, 1) == {}


# --- which question ----------------------------------------------------------------------------------------------------


async def test_the_stream_mixes_all_kinds_each_with_its_purpose(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "FEW_DELETED", 0)  # else photos that look like junk are asked about first
    seen = set()
    for _ in range(60):
        asked = await ask.next_any(service, 1)
        assert asked
        seen.add((asked.question, asked.purpose))
    assert seen == {(Question.PAIR, "rank"), (Question.LABEL, "train")}
    settings = service.settings
    object.__setattr__(settings.ask, "train_labels", 1)
    object.__setattr__(settings.ask, "test_labels", 1)
    await send(browser, "label", "keep", library[:1], purpose="train")
    await send(browser, "label", "keep", library[1:2], purpose="test")

    service.store.write(scores.replace_scores, 1, [Score(photo.id, 0.1 + i / 10, 0.0) for i, photo in enumerate(library)])
    service.store.write(scores.open_pool, 1, 0.5, [(library[2].id, [library[2].id])], 0.0)
    service.store.write(scores.put_certificate, 1, None, "One is missing.", 1, 0.0, ahead=[library[2].id])
    seen = set()
    for _ in range(200):
        asked = await ask.next_any(service, 1)
        assert asked
        seen.add((asked.question, asked.purpose))
        if asked.purpose == "border" and asked.question is Question.LABEL:
            assert asked.photos[0].id == library[4].id, "the one that the model is least sure of"
    assert seen == {(Question.PAIR, "rank"), (Question.PAIR, "border"), (Question.AUDIT, "audit")}
    service.store.write(answers.add, 1, Question.AUDIT, Choice.KEEP, library[2].id, None, "audit", 1.0)
    seen = {(a.question, a.purpose) for _ in range(200) if (a := await ask.next_any(service, 1))}
    assert (Question.LABEL, "border") in seen


async def test_the_page_of_all_questions_shows_what_comes_and_goes_on(browser: Browser, library: list[Photo]) -> None:
    for _ in range(12):
        text = await (await browser.get("/ask")).text()
        fields = hidden(text)
        assert fields["kind"][0] == "any"
        layout = "pair" if len(fields["photos"]) == 2 else "single"
        assert f'data-for="{layout}">' in text
        form = [(name, fields[name][0]) for name in ("question", "purpose", "request", "within", "kind")]
        answer = await browser.submit("/api/answer", [*form, ("choice", "skip"), *(("photos", uid) for uid in fields["photos"])])
        assert answer.headers["Location"] == "/ask"


async def test_losers_leave_the_round_until_one_is_left(service: Service, browser: Browser, library: list[Photo]) -> None:
    query = "order=elimination"
    by_uid = {photo.uid: photo for photo in library}
    for left in range(len(library), 1, -1):
        asked = (await (await browser.get(f"/api/question?kind=pair&{query}")).json())["next"]
        assert asked, left
        first, second = (by_uid[photo["uid"]] for photo in asked["photos"])
        await send(browser, "pair", "first" if first.id < second.id else "second", [first, second])
    assert (await (await browser.get(f"/api/question?kind=pair&{query}")).json())["next"] is None
    text = await (await browser.get(f"/compare?{query}")).text()
    winner = min(library, key=lambda photo: photo.id)
    assert "The round is over" in text
    assert f"/photo/{winner.uid}" in text
    again = re.search(r'href="(/compare\?order=elimination&amp;round=\d+)"', text)
    assert again
    assert hidden(await (await browser.get(again[1].replace("&amp;", "&"))).text())["photos"]


async def test_smart_shuffle_holds_still_until_the_next_shuffle(service: Service, browser: Browser, library: list[Photo]) -> None:
    way = Way(order=Order.SMART, every=5)
    shown = [await ask.next_pair(service, 1, way=way) for _ in range(3)]
    assert all(asked and asked.purpose == Aim.RANK for asked in shown)
    await send(browser, "pair", "first", library[:2])
    asked = await ask.next_pair(service, 1, way=way)
    assert asked
    assert {p.id for p in asked.photos}.isdisjoint({library[0].id, library[1].id}), "compared least first"


async def test_nonsense_ways_are_refused(browser: Browser, library: list[Photo]) -> None:
    for query in ("of=9", "aim=moon", "order=random", "every=0", "of=x"):
        assert (await browser.get(f"/compare?{query}")).status == 400, query


# --- my answers --------------------------------------------------------------------------------------------------------


async def test_any_answer_can_be_taken_back_and_what_changed_is_said(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    first = (await send(browser, "pair", "first", library[:2]))["answer"]
    await send(browser, "pair", "first", [library[1], library[2]])
    without = rating.update(rating.START, rating.START)
    reply = await (await browser.post(f"/api/answers/{first}/undo")).json()
    assert "Taken back: The left one is better, for the ranking." in reply["sentence"]
    assert "has no comparison left" in reply["sentence"]
    known = service.store.read(ratings.everything, 1)
    assert (known[library[1].id], known[library[2].id], len(known)) == (*without, 2)
    again = await browser.post(f"/api/answers/{first}/undo")
    assert (again.status, "taken back already" in (await again.json())["error"]) == (404, True)


async def test_my_answers_come_newest_first_by_kind_and_page(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.web.history.A_PAGE", 3)
    ids = [(await send(browser, "pair", "draw", library[:2]))["answer"] for _ in range(4)]
    ids.append((await send(browser, "label", "keep", library[:1], purpose="train"))["answer"])
    ids.append((await send(browser, "four", "skip", library[:4]))["answer"])
    first = await (await browser.get("/api/answers")).json()
    second = await (await browser.get(f"/api/answers?before={first['before']}")).json()
    assert [a["id"] for a in first["answers"] + second["answers"]] == ids[::-1]
    assert first["answers"][1]["sentence"] == "Keep, to learn from"
    labels = await (await browser.get("/api/answers?kind=labels")).json()
    assert [a["id"] for a in labels["answers"]] == ids[4:5]
    text = await (await browser.get("/answers?kind=comparisons")).text()
    assert text.count("data-answer=") == 3
    assert "/answers?before=" in text
    assert (await browser.get("/answers?kind=none")).status == 400


async def test_taking_back_works_without_scripts(service: Service, browser: Browser, library: list[Photo]) -> None:
    answer = (await send(browser, "label", "delete", library[:1], purpose="train"))["answer"]
    sent = await browser.submit(f"/api/answers/{answer}/undo", {"kind": "labels"})
    assert sent.headers["Location"] == "/answers?kind=labels&news=taken"
    assert "Taken back." in await (await browser.get(sent.headers["Location"])).text()
    assert service.store.read(answers.page, 1) == []


async def test_review_is_undone_in_the_trash_alone(service: Service, browser: Browser, library: list[Photo]) -> None:
    said = service.store.write(answers.add, 1, Question.SUGGESTION, Choice.DELETE, library[0].id, None, "review", 1.0)
    refused = await browser.post(f"/api/answers/{said.id}/undo")
    assert (refused.status, "trash" in (await refused.json())["error"]) == (400, True)
    assert "Undo it in the trash" in await (await browser.get("/answers")).text()


# --- where a rating comes from, and prompts ----------------------------------------------------------------------------


async def test_photo_says_where_its_rating_comes_from(service: Service, browser: Browser, library: list[Photo]) -> None:
    async def about(photo: Photo) -> str:
        return await (await browser.get(f"/photo/{photo.uid}")).text()

    assert "Not compared yet" in await about(library[0])
    service.store.write(ratings.put_guesses, 1, [(library[0].id, rating.Rating(31.0, 6.0))])
    assert "31.0 ± 6.0, from the model's guess" in html.unescape(await about(library[0]))
    await send(browser, "pair", "first", library[:2])
    assert "from 1 comparison that began with the model's guess" in html.unescape(await about(library[0]))
    assert "from 1 comparison</span>" in await about(library[1])


async def test_prompt_is_edited_on_the_page_and_goes_along(service: Service, browser: Browser, library: list[Photo]) -> None:
    path = f"/photo/{library[0].uid}"
    assert 'name="prompt"' in await (await browser.get(path)).text()
    saved = await browser.submit(f"/api/photos/{library[0].uid}/prompt", {"prompt": "a <cat>"})
    assert saved.headers["Location"] == path
    assert "a &lt;cat&gt;</textarea>" in await (await browser.get(path)).text()
    await send(browser, "pair", "first", library[:2])
    assert '"prompt": "a <cat>"' in await (await browser.get("/api/preferences.jsonl")).text()
    other = f"/photo/{library[1].uid}"
    assert "a dog" not in await (await browser.get(other)).text()
    file = Path(service.store.read(roots.get, library[1].root_id).path, library[1].path)
    file.with_name("prompts.csv").write_text(f"Image,Prompt\n{file.name},a dog\n")
    assert "a dog</textarea>" in await (await browser.get(other)).text(), "found once it is there"
    assert "No highlights yet" not in await (await browser.get("/highlights")).text()
    assert (await browser.get("/highlights?top=0")).status == 400


async def test_ranking_is_sorted_and_filtered(service: Service, browser: Browser, library: list[Photo]) -> None:
    await send(browser, "four", "order", library[:3])
    await send(browser, "pair", "first", library[:2])
    guesses = [(photo.id, rating.Rating(30.0 - place, 6.0)) for place, photo in enumerate(library)]
    service.store.write(ratings.put_guesses, 1, guesses)

    async def order(query: str) -> list[str]:
        text = await (await browser.get(f"/ranking?{query}")).text()
        return list(dict.fromkeys(re.findall(r'href="/photo/(\w+)"', text)))

    best = [photo.uid for photo in library[:3]]
    assert await order("") == best
    assert await order("sort=last") == best[::-1]
    assert (await order("sort=unsure"))[0] == best[2]
    assert await order("of=guesses") == [photo.uid for photo in library[3:]]
    assert await order("of=guesses&sort=last") == [photo.uid for photo in library[:2:-1]]
    assert (await browser.get("/ranking?sort=luck")).status == 400
