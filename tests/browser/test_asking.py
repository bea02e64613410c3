"""Four at once, all kinds in one stream, and looking closely."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from precious_daemon.models import Choice, Photo, Question
from precious_daemon.store import answers
from tests.browser.conftest import Served, answered, shown, stored

pytestmark = pytest.mark.browser


def test_the_best_of_four_with_one_key(owner: Page, served: Served, library: list[Photo]) -> None:
    ids = {photo.uid: photo.id for photo in library}
    owner.goto(served.site.address.url + "/compare?of=4")
    for key, choice in {"1": "first", "3": "third", "4": "fourth", "d": "draw", "s": "skip"}.items():
        four = shown(owner)
        answer = answered(owner, served, lambda key=key: owner.keyboard.press(key))
        assert (answer.question, answer.choice, answer.photos) == (Question.FOUR, choice, tuple(ids[uid] for uid in four))
    assert answered(owner, served, owner.locator(".picture").nth(1).click).choice == "second"


def test_all_four_in_order_one_press_each(owner: Page, served: Served, library: list[Photo]) -> None:
    ids = {photo.uid: photo.id for photo in library}
    owner.goto(served.site.address.url + "/compare?of=4")
    owner.keyboard.press("o")
    four = [ids[uid] for uid in shown(owner)]
    owner.keyboard.press("2")
    expect(owner.locator(".place").nth(1)).to_have_text("1")
    owner.keyboard.press("z")  # begins this one anew
    expect(owner.locator(".place").nth(1)).to_be_hidden()
    owner.keyboard.press("4")
    owner.keyboard.press("1")
    answer = answered(owner, served, lambda: owner.keyboard.press("3"))
    assert (answer.choice, answer.photos) == (Choice.ORDER, (four[3], four[0], four[2], four[1]))
    owner.reload()
    expect(owner.locator("#ordered")).to_be_checked()


def test_stream_of_all_questions_changes_its_layout_with_the_question(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/ask")
    seen = set()
    for _ in range(14):
        count = len(shown(owner))
        kind = {1: "single", 2: "pair", 4: "four"}[count]
        seen.add(kind)
        expect(owner.locator(f"[data-for={kind}]")).to_be_visible()
        assert owner.locator(".controls:visible").count() == 1
        answered(owner, served, lambda: owner.keyboard.press("ArrowRight"))
        if len(seen) == 2:
            break
    assert seen == {"single", "pair"}
    before = stored(served)
    owner.keyboard.press("z")
    expect(owner.locator("#toasts")).to_contain_text("Taken back")
    assert stored(served) == before[1:]


def test_photo_leaves_the_ranking_and_comes_back(owner: Page, served: Served, library: list[Photo]) -> None:
    ids = {photo.uid: photo.id for photo in library}
    owner.goto(served.site.address.url + "/compare")
    left = ids[shown(owner)[0]]
    request = owner.locator("#question input[name=request]").input_value()
    owner.keyboard.press("Shift+ArrowLeft")
    expect(owner.locator("#question input[name=request]")).not_to_have_value(request)
    assert served.service.store.read(answers.all_out_of_ranking, 1) == [left]
    owner.get_by_role("button", name="Bring back").click()
    expect(owner.locator("#toasts")).to_contain_text("It is back")
    assert served.service.store.read(answers.all_out_of_ranking, 1) == []


def test_looking_closely_and_what_differs(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")
    owner.keyboard.press(" ")
    expect(owner.locator("#zoom figure")).to_have_count(2)
    owner.keyboard.press(" ")
    expect(owner.locator("#zoom")).to_be_hidden()
    owner.keyboard.press("i")
    expect(owner.get_by_label("Details", exact=True)).to_contain_text("IMG_")
    expect(owner.get_by_label("Details", exact=True)).not_to_contain_text("96 × 72")  # both are
    owner.keyboard.press("i")
    expect(owner.get_by_label("Details", exact=True)).to_be_hidden()
    assert stored(served) == []


def test_two_presses_at_once_are_one_answer(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")

    def press_twice() -> None:
        owner.evaluate("""for (const _ of [1, 2]) document.querySelector('.picture').click()""")

    answered(owner, served, press_twice)
    assert len(stored(served)) == 1


def test_answer_shows_the_next_pictures_at_once(owner: Page, served: Served, library: list[Photo]) -> None:
    """They were fetched and decoded meanwhile: measured from the answer stored to the pictures in place."""
    owner.goto(served.site.address.url + "/compare")
    owner.wait_for_load_state("networkidle")
    fetched: list[str] = []
    owner.on("request", lambda request: fetched.append(request.url))
    answered(owner, served, lambda: owner.keyboard.press("ArrowLeft"))
    assert owner.evaluate("[...document.querySelectorAll('.picture img')].every((image) => image.complete)")
    after = fetched[fetched.index(next(url for url in fetched if url.endswith("/api/answer"))) + 1 :]
    now = set(shown(owner))
    assert not [url for url in after if "/preview/" in url and any(uid in url for uid in now)]


def test_any_answer_is_taken_back_on_its_page(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")
    for _ in range(3):
        answered(owner, served, lambda: owner.keyboard.press("ArrowLeft"))
    oldest = stored(served)[-1]
    owner.goto(served.site.address.url + "/answers")
    owner.locator(f"[data-answer='{oldest.id}']").get_by_role("button", name="Take back").click()
    expect(owner.locator("#toasts")).to_contain_text("Taken back: The left one is better")
    expect(owner.locator(".said li")).to_have_count(2)
    assert oldest not in stored(served)
