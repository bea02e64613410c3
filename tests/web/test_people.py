"""Profiles over HTTP: nothing shows while there is one, and each session speaks for the one it was switched to."""

from __future__ import annotations

from aiohttp import hdrs

from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import answers
from tests.web.library import KEY, Browser, suggest, taste


async def add(browser: Browser, name: str) -> int:
    return int((await (await browser.post("/api/people", {"name": name})).json())["id"])


async def test_a_library_with_one_voter_shows_no_switch(browser: Browser, library: list[Photo]) -> None:
    html = await (await browser.get("/")).text()
    assert "switch to somebody else" not in html
    assert "Everybody's" not in await (await browser.get("/suggestions")).text()
    assert "A profile is no login" in await (await browser.get("/people")).text()


async def test_after_switching_answers_count_for_the_other(service: Service, browser: Browser, library: list[Photo]) -> None:
    anna = await add(browser, "Anna")
    assert (await browser.submit("/api/people/switch", {"voter": str(anna)})).headers[hdrs.LOCATION] == "/"
    assert "You are Anna: switch to somebody else" in await (await browser.get("/")).text()
    sent = {"question": "label", "choice": "keep", "photos": [library[0].uid], "purpose": "train"}
    assert (await browser.post("/api/answer", sent)).status == 200
    assert service.store.read(answers.counts, 1) == {"votes": 0}
    assert service.store.read(answers.counts, anna) == {"train": 1, "votes": 0}


async def test_names_are_shown_as_text_and_refused_in_words(browser: Browser, library: list[Photo]) -> None:
    await add(browser, "<b>Bo</b>")
    html = await (await browser.get("/people")).text()
    assert "&lt;b&gt;Bo&lt;/b&gt;" in html
    assert "<b>Bo" not in html
    for path, body in (
        ("/api/people", {"name": " "}),
        ("/api/people", {"name": "OWNER"}),
        ("/api/people/99/rename", {"name": "x"}),
        ("/api/people/1/retire", {}),
        ("/api/people/switch", {"voter": 99}),
    ):
        response = await browser.post(path, body)
        assert 400 <= response.status < 500, path
        assert (await response.json())["error"]


async def test_who_is_retired_is_switched_back_to_the_first(browser: Browser, library: list[Photo]) -> None:
    anna = await add(browser, "Anna")
    await browser.post("/api/people/switch", {"voter": anna})
    await browser.submit(f"/api/people/{anna}/retire", {})
    assert (await (await browser.get("/api/people")).json())["you"] == 1
    assert "all answers are kept" in await (await browser.get("/people")).text()


async def test_everybodys_suggestions_say_whose_they_are(service: Service, browser: Browser, library: list[Photo]) -> None:
    suggest(service, taste(library[0]))
    anna = await add(browser, "Anna")
    await browser.post("/api/people/switch", {"voter": anna})
    assert "Nothing to review" in await (await browser.get("/suggestions")).text()
    shared = await (await browser.get("/suggestions?whose=all")).text()
    assert "suggested to <bdi>owner</bdi>" in shared
    (listed,) = (await (await browser.get("/api/suggestions?whose=all")).json())["suggestions"]
    assert listed["voter"] == "owner"


async def test_a_command_speaks_for_the_profile_it_names(service: Service, stranger: Browser, library: list[Photo]) -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    await stranger.post("/api/people", {"name": "Åsa"}, **key)
    assert (await (await stranger.get("/api/people", **key)).json())["you"] == 1
    assert (await (await stranger.get("/api/people", Precious_Voter="%C3%85sa", **key)).json())["you"] == 2
    unknown = await stranger.get("/api/people", Precious_Voter="Bo", **key)
    assert (unknown.status, (await unknown.json())["kind"]) == (404, "NotFound")


async def test_tab_that_stayed_open_does_not_answer_for_somebody_else(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    anna = await add(browser, "Anna")
    await browser.post("/api/people/switch", {"voter": anna})
    assert f'data-voter="{anna}"' in await (await browser.get("/label")).text()
    sent = {"question": "label", "choice": "keep", "photos": [library[0].uid], "purpose": "train"}
    refused = await browser.post("/api/answer", sent, **{"Precious-Shown-To": "1"})
    assert 400 <= refused.status < 500
    assert "opened for another profile" in (await refused.json())["error"]
    assert service.store.read(answers.counts, anna) == service.store.read(answers.counts, 1) == {"votes": 0}
    assert (await browser.post("/api/answer", sent, **{"Precious-Shown-To": str(anna)})).status == 200
