"""Tasks over HTTP: making one, answering it without scripts, taking back, browsing and exporting."""

from __future__ import annotations

import re

from aiohttp import hdrs

from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import tasks
from tests.web.library import Browser


async def make(browser: Browser) -> str:
    made = await browser.submit("/api/tasks", {"name": "What <b>", "classes": "Receipt\r\nSea & sand\r\n"})
    return made.headers[hdrs.LOCATION]


async def test_a_task_is_made_answered_and_undone_without_scripts(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    here = await make(browser)
    assert "What &lt;b&gt;" in await (await browser.get(here)).text()
    html = await (await browser.get(here + "/ask")).text()
    photo, request = (re.search(rf'name="{name}" value="(\w+)"', html)[1] for name in ("photo", "request"))  # type: ignore[index]
    fields = {"photo": photo, "request": request, "class": "2"}
    for _ in range(2):
        assert (await browser.submit(f"/api{here}/answer", fields)).headers[hdrs.LOCATION] == here + "/ask"
    assert list(service.store.read(tasks.labels, 1, 1).values()) == [2]
    assert photo not in await (await browser.get(here + "/ask")).text()
    assert (await browser.submit(f"/api{here}/undo", {})).headers[hdrs.LOCATION] == f"{here}/ask?photo={photo}"
    assert service.store.read(tasks.labels, 1, 1) == {}


async def test_photos_are_browsed_by_what_they_are_taken_for(service: Service, browser: Browser, library: list[Photo]) -> None:
    here = await make(browser)
    found = [(photo.id, 1 + place % 2, 0.5 + place / 100) for place, photo in enumerate(library)]
    service.store.write(tasks.replace_scores, 1, 1, found)
    report = {"classes": [1, 2], "confusion": [[3, 1], [0, 4]], "sentence": "88% are foretold."}
    service.store.write(tasks.put_report, 1, 1, report)
    page = await (await browser.get(here)).text()
    assert "88% are foretold." in page
    assert page.count("3 photos are taken for it") == 2
    html = await (await browser.get(here + "/photos?class=2")).text()
    shown = re.findall(r'href="/photo/(\w+)"', html)
    assert shown == [library[place].uid for place in (5, 3, 1)]
    csv = await browser.get(f"/api{here}/export.csv")
    assert (await csv.text()).startswith("Image,Class,Expected,Chance\n")


async def test_what_does_not_exist_is_said_so(browser: Browser, library: list[Photo]) -> None:
    here = await make(browser)
    for path in ("/tasks/9", "/tasks/9/ask", here + "/photos?class=77", "/api/tasks/9/export.csv"):
        assert (await browser.get(path)).status == 404, path
    for path, body in (
        (f"/api{here}/answer", {"photo": library[0].uid, "class": 77}),
        (f"/api{here}/answer", {"photo": "none", "class": 1}),
        (f"/api{here}/undo", {}),
        ("/api/tasks", {"name": "What <b>", "classes": "a\nb"}),
        (f"/api{here}/classes/1", {"name": "Receipt", "key": "ab"}),
        (f"/api{here}/classes/1/remove", {}),
    ):
        response = await browser.post(path, body)
        assert 400 <= response.status < 500, path
        assert (await response.json())["error"]
