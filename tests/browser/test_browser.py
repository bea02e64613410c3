"""A real Chromium: an owner with a keyboard. It has to be there; these tests fail without it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from precious_daemon.models import Group, GroupKind, GroupMember, Photo, SuggestionState
from precious_daemon.store import groups, suggestions
from tests.browser.conftest import Served, answered, shown, signed_in, stored
from tests.web.library import root_of, suggest, taste

pytestmark = pytest.mark.browser


def test_voting_with_the_keyboard(owner: Page, served: Served, library: list[Photo]) -> None:
    ids = {photo.uid: photo.id for photo in library}
    owner.goto(served.site.address.url + "/compare")
    keys = {
        "ArrowLeft": "first", "ArrowRight": "second", "ArrowDown": "both_delete", "x": "both_delete", "ArrowUp": "both_keep",
        "c": "both_keep", "d": "draw", "s": "skip",
    }  # fmt: skip
    for key, choice in keys.items():
        first, second = shown(owner)
        answer = answered(owner, served, lambda key=key: owner.keyboard.press(key))
        assert (answer.choice, answer.photo_id, answer.other_id) == (choice, ids[first], ids[second])
    assert len(stored(served)) == len(keys)
    expect(owner.locator("[data-words]").first).to_contain_text("3 comparisons")


def test_clicking_a_photo_votes_for_it(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")
    assert answered(owner, served, owner.locator(".picture").nth(1).click).choice == "second"


@pytest.mark.parametrize("key", ["z", "Backspace"])
def test_undo_asks_the_same_pair_again(key: str, owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")
    pair = shown(owner)
    answered(owner, served, lambda: owner.keyboard.press("ArrowLeft"))
    owner.keyboard.press(key)
    expect(owner.locator("#toasts")).to_contain_text("Taken back")
    assert shown(owner) == pair
    assert stored(served) == []


def test_labelling_with_the_keyboard(owner: Page, served: Served, library: list[Photo]) -> None:
    ids = {photo.uid: photo.id for photo in library}
    owner.goto(served.site.address.url + "/label")
    for key, choice in {"ArrowRight": "keep", "k": "keep", "ArrowLeft": "delete", "d": "delete"}.items():
        (uid,) = shown(owner)
        answer = answered(owner, served, lambda key=key: owner.keyboard.press(key))
        assert (answer.choice, answer.photo_id) == (choice, ids[uid])
    assert {answer.purpose for answer in stored(served)} == {"train", "test"}


def test_the_last_question_ends_in_kind_words(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/label")
    for _ in library[1:]:
        answered(owner, served, lambda: owner.keyboard.press("k"))
    owner.keyboard.press("k")
    expect(owner.get_by_role("heading")).to_have_text("Every question is answered")
    assert len(stored(served)) == len(library)


def test_swiping_a_photo_labels_it(chromium: Browser, served: Served, library: list[Photo]) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = signed_in(context, served)
    page.goto(served.site.address.url + "/label")
    touch = context.new_cdp_session(page)

    def swipe(to: int) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 195, "y": 300}]})
        for x in range(195, to, 20 if to > 195 else -20):
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": 300}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    assert answered(page, served, lambda: swipe(380)).choice == "keep"
    assert answered(page, served, lambda: swipe(10)).choice == "delete"
    context.close()


def test_an_answer_that_cannot_be_stored_is_not_lost(
    owner: Page, served: Served, library: list[Photo], problems: list[str]
) -> None:
    owner.goto(served.site.address.url + "/compare")
    pair = shown(owner)
    owner.route("**/api/answer", lambda route: route.fulfill(status=500, json={"error": "The disk is full."}))
    owner.keyboard.press("ArrowLeft")
    expect(owner.locator("#toasts")).to_contain_text("The disk is full.")
    problems.clear()
    assert shown(owner) == pair
    owner.unroute("**/api/answer")
    assert answered(owner, served, lambda: owner.keyboard.press("ArrowLeft")).choice == "first"


# --- suggestions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def suggested(served: Served, library: list[Photo]) -> list[Photo]:
    """Surest first."""
    chosen = library[:3]
    suggest(served.service, *(taste(photo, 0.1 * n) for n, photo in enumerate(chosen, 1)))
    return chosen


def state(served: Served) -> dict[str, int]:
    counts = served.service.store.read(suggestions.counts, 1)
    return {
        name: counts[SuggestionState(name)]
        for name in ("open", "trashed", "dismissed", "restored")
        if counts[SuggestionState(name)]
    }


def test_reviewing_with_the_keyboard(owner: Page, served: Served, suggested: list[Photo]) -> None:
    folder = root_of(served.service)
    owner.goto(served.site.address.url + "/suggestions")
    expect(owner.locator(".candidate")).to_have_count(3)
    owner.keyboard.press("ArrowRight")
    owner.keyboard.press("ArrowRight")
    owner.keyboard.press("ArrowLeft")
    owner.keyboard.press("d")
    expect(owner.locator(".candidate")).to_have_count(2)
    assert not (folder / suggested[0].path).exists()
    assert state(served) == {"open": 2, "trashed": 1}
    owner.keyboard.press("z")
    expect(owner.locator("#toasts")).to_contain_text("back in its place")
    assert (folder / suggested[0].path).exists()
    owner.keyboard.press("k")
    expect(owner.locator(".candidate")).to_have_count(1)
    assert state(served) == {"open": 1, "dismissed": 1, "restored": 1}
    owner.keyboard.press("z")
    expect(owner.locator(".candidate")).to_have_count(2)
    assert state(served) == {"open": 2, "restored": 1}


def test_many_at_once_need_the_number_typed(
    owner: Page, served: Served, suggested: list[Photo], problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.trash.SMALL", 1)
    owner.goto(served.site.address.url + "/suggestions")
    for box in owner.get_by_role("checkbox").all()[:2]:
        box.check()
    expect(owner.locator("[data-selected]")).to_contain_text("2 photos selected")
    owner.locator("[data-approve-selected]").click()
    dialog = owner.locator("#typed")
    expect(dialog).to_contain_text("in a day")
    problems.clear()
    assert state(served) == {"open": 3}
    expect(dialog.get_by_role("button", name="Move to the trash")).to_be_disabled()
    dialog.get_by_role("spinbutton").fill("2")
    dialog.get_by_role("button", name="Move to the trash").click()
    expect(owner.locator(".candidate")).to_have_count(1)
    assert state(served) == {"open": 1, "trashed": 2}


def test_putting_back_from_the_trash(owner: Page, served: Served, suggested: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/suggestions")
    owner.locator("[data-approve]").first.click()
    expect(owner.locator(".candidate")).to_have_count(2)
    owner.goto(served.site.address.url + "/trash")
    owner.locator("[data-restore]").click()
    expect(owner.get_by_role("heading", name="The trash is empty")).to_be_visible()
    assert state(served) == {"open": 2, "restored": 1}


# --- everywhere --------------------------------------------------------------------------------------------------------


def test_everything_that_matters_works_without_scripts(chromium: Browser, served: Served, suggested: list[Photo]) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = signed_in(context, served)
    page.goto(served.site.address.url + "/label")
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/label")
    page.goto(served.site.address.url + "/compare")
    page.locator(".picture").first.click()
    page.wait_for_url("**/compare")
    assert [answer.choice for answer in stored(served)] == ["first", "delete"]
    page.goto(served.site.address.url + "/suggestions")
    page.get_by_role("button", name="To the trash").first.click()
    expect(page.get_by_text("1 photo moved to the trash")).to_be_visible()
    assert state(served) == {"open": 2, "trashed": 1}
    context.close()


def test_progress_is_told_as_it_happens(owner: Page, served: Served, library: list[Photo]) -> None:
    from precious_daemon.machine.progress import Progress

    owner.goto(served.site.address.url + "/")
    board = served.service.jobs.board
    board.post(Progress("learn", "learning your taste", 30, 100, served.service.clock() - 60))
    expect(owner.locator("[data-running]")).to_contain_text("30 of 100")
    with owner.expect_navigation():
        board.wipe("learn")


def test_another_port_of_this_machine_gets_neither_picture_nor_session(
    chromium: Browser, served: Served, library: list[Photo]
) -> None:
    """Cookies do not tell ports apart; names they do, and the page has one of its own."""
    context = chromium.new_context()
    page = signed_in(context, served)
    picture = f"{served.site.address.url}/thumb/{library[0].uid}"

    cookies: list[str | None] = []

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookies.append(self.headers["Cookie"])
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<img src="{picture}">'.encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Foreign) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with page.expect_event("requestfailed", lambda request: request.url == picture) as failed:
                page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.goto(f"http://localhost:{server.server_port}/")
        finally:
            server.shutdown()
            thread.join()
    assert "NotSameOrigin" in failed.value.failure
    assert len(cookies) >= 2
    assert set(cookies) == {None}
    context.close()


# --- bursts and copies -------------------------------------------------------------------------------------------------


@pytest.fixture
def bursts(served: Served, library: list[Photo]) -> list[list[Photo]]:
    """Two bursts, each in the order taken, its second frame the best."""
    found = [sorted(part, key=lambda photo: photo.taken_at or 0) for part in (library[:4], library[4:])]
    members = [tuple(GroupMember(p.id, n == 1, "sharpest of 4") for n, p in enumerate(part)) for part in found]
    served.service.store.write(groups.replace_groups, [Group(GroupKind.BURST, part) for part in members])
    return found


def large(page: Page) -> str:
    return str(page.locator("[data-large] img").get_attribute("src"))


def test_choosing_with_the_keyboard(owner: Page, served: Served, bursts: list[list[Photo]]) -> None:
    first, second = bursts
    folder = root_of(served.service)
    owner.goto(served.site.address.url + "/groups")
    assert first[1].uid in large(owner)
    owner.keyboard.press("ArrowRight")
    assert first[2].uid in large(owner)
    owner.keyboard.press("ArrowLeft")
    owner.keyboard.press("ArrowLeft")
    assert first[0].uid in large(owner)
    owner.keyboard.press("4")
    expect(owner.locator("[data-keep]")).to_have_text("Keep 2, 2 go")
    owner.keyboard.press("Enter")
    owner.wait_for_url("**after=burst,1")
    assert [(folder / photo.path).exists() for photo in first] == [True, False, False, True]
    assert second[1].uid in large(owner)
    owner.keyboard.press("z")
    owner.wait_for_url("**photo=*")
    assert all((folder / photo.path).exists() for photo in first)
    owner.keyboard.press("k")
    owner.wait_for_url("**after=burst,1")
    owner.keyboard.press("ArrowRight")
    owner.keyboard.press("s")
    expect(owner.get_by_role("heading", name="That was the last group")).to_be_visible()
    owner.goto(served.site.address.url + "/groups")
    assert second[2].uid in large(owner), "the other best is remembered, and the group kept whole is settled"
    owner.keyboard.press("d")
    expect(owner.get_by_role("heading", name="That was the last group")).to_be_visible()
    assert [(folder / photo.path).exists() for photo in second] == [False, False, True, False]


def test_frames_are_looked_at_together_in_pixels_of_the_originals(owner: Page, served: Served, bursts: list[list[Photo]]) -> None:
    frames = bursts[0]
    owner.goto(served.site.address.url + "/groups")
    owner.locator(".frame [data-look]").nth(3).click()
    panes = owner.locator("#zoom figure")
    expect(panes).to_have_count(2)
    for number, frame in ((0, frames[1]), (1, frames[3])):
        tile = panes.nth(number).locator("[data-tile]").first
        assert f"/full/{frame.uid}/0,0" in str(tile.get_attribute("src"))
        owner.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=tile.element_handle())
        assert tile.evaluate("(image) => image.naturalWidth") == frame.width
    expect(owner.locator("#zoom output")).to_have_text("100 %")

    def places() -> list[str]:
        owner.wait_for_timeout(50)  # one drawn frame
        return list(owner.locator("#zoom .sheet").evaluate_all("(all) => all.map((sheet) => sheet.style.transform)"))

    before = places()
    box = panes.nth(1).bounding_box()
    assert box
    owner.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    owner.mouse.down()
    owner.mouse.move(box["x"] + box["width"] / 2 - 30, box["y"] + box["height"] / 2 + 20)
    owner.mouse.up()
    owner.mouse.wheel(0, -240)
    owner.keyboard.press("+")
    assert places()[0] == places()[1] != before[0], "moved and magnified as one"
    owner.keyboard.press("a")
    expect(panes).to_have_count(4)
    owner.keyboard.press("a")
    owner.keyboard.press("b")
    assert large(owner).count(frames[3].uid) == 1, "chosen while looking"
    owner.keyboard.press("Escape")
    expect(owner.locator("#zoom")).not_to_be_visible()


def test_a_pair_is_looked_at_at_full_size_and_the_question_waits(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")
    pair = shown(owner)
    owner.keyboard.press("Space")
    expect(owner.locator("#zoom [data-tile]")).to_have_count(2)
    owner.keyboard.press("ArrowLeft")
    owner.keyboard.press("Space")
    expect(owner.locator("#zoom")).not_to_be_visible()
    assert shown(owner) == pair
    assert stored(served) == []


# --- many groups by one rule, and details --------------------------------------------------------------------------------


def test_a_rule_settles_all_bursts_after_a_look(owner: Page, served: Served, bursts: list[list[Photo]]) -> None:
    folder = root_of(served.service)
    owner.goto(served.site.address.url + "/groups")
    owner.get_by_role("link", name="One rule for many").click()
    owner.get_by_label("keep the best").fill("2")
    owner.get_by_role("button", name="Show what it means").click()
    expect(owner.locator(".goes")).to_have_count(4)
    owner.get_by_role("button", name="Move 4 photos to the trash").click()
    owner.wait_for_url("**/groups?kind=burst")
    assert sum((folder / photo.path).exists() for part in bursts for photo in part) == 4
    owner.get_by_role("button", name="Undo").click()
    owner.wait_for_url("**/groups")
    assert all((folder / photo.path).exists() for part in bursts for photo in part)


def test_details_are_one_key_away_and_follow_what_is_shown(owner: Page, served: Served, library: list[Photo]) -> None:
    owner.goto(served.site.address.url + "/compare")
    names = {photo.uid: photo.path for photo in library}
    sheet = owner.get_by_label("Details", exact=True)
    expect(sheet).to_be_hidden()
    owner.keyboard.press("i")
    for uid in shown(owner):
        expect(sheet.locator("thead")).to_contain_text(names[uid])
    expect(sheet.locator("tbody")).to_contain_text("Taken")
    answered(owner, served, lambda: owner.keyboard.press("d"))
    for uid in shown(owner):
        expect(sheet.locator("thead")).to_contain_text(names[uid])
    owner.keyboard.press("i")
    expect(sheet).to_be_hidden()
    owner.goto(f"{served.site.address.url}/photo/{library[0].uid}")
    owner.keyboard.press("i")
    expect(owner.locator(".facts")).to_be_hidden()
    owner.goto(f"{served.site.address.url}/photo/{library[3].uid}")
    older = owner.locator("[rel=next]").get_attribute("href")
    owner.keyboard.press("ArrowRight")
    owner.wait_for_url(f"**{older}")
    owner.keyboard.press("ArrowLeft")
    owner.wait_for_url(f"**/photo/{library[3].uid}")
    owner.locator(".ground img").click()
    expect(owner.locator("#zoom")).to_be_visible()


def test_details_of_two_frames_at_full_size(owner: Page, served: Served, bursts: list[list[Photo]]) -> None:
    owner.goto(served.site.address.url + "/groups")
    owner.keyboard.press("Space")
    expect(owner.locator("#zoom")).to_be_visible()
    owner.keyboard.press("i")
    expect(owner.locator("#zoom .fact-sheet thead th")).to_have_count(3)
    owner.keyboard.press("Escape")
    expect(owner.locator(".fact-sheet")).to_be_hidden()
