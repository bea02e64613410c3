"""Clusters are looked at, called by a name that stays, and answered as a whole: after a look, and never by surprise."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from precious_daemon.models import Choice, ClusterRow, Photo, Question
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, scores
from precious_daemon.store import clusters as clusters_of
from tests.web.library import Browser


def cluster(service: Service, *made: list[Photo]) -> None:
    """Clusters, each with its photos by distance; the second stands for the others."""
    rows = [ClusterRow(photo.id, k, float(n), n == 1) for k, part in enumerate(made) for n, photo in enumerate(part)]
    service.store.write(clusters_of.replace, rows, {})


@pytest.fixture
def clusters(service: Service, library: list[Photo]) -> tuple[list[Photo], list[Photo]]:
    found = library[:2], library[2:]
    cluster(service, *found)
    return found


def labels(service: Service) -> dict[int, tuple[bool, str]]:
    return {label.photo_id: (label.keep, label.purpose) for label in service.store.read(answers.labels, 1)}


def fields(text: str) -> dict[str, str]:
    form = text[text.index('action="/api/clusters/label"') :]
    return dict(re.findall(r'name="(photo|count|request)" value="(\w+)"', form))


async def test_photos_that_came_since_are_told_of_and_put_in_on_demand(
    browser: Browser, service: Service, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster(service, library[:2])
    for path in ("/clusters", "/map"):
        assert (
            f"{len(library) - 2} newer photos are in no cluster yet. That is done at night"
            in await (await browser.get(path)).text()
        )
    monkeypatch.setattr(service.jobs, "is_running", lambda name: name == "group")
    assert "They are being put into clusters now." in await (await browser.get("/clusters")).text()
    cluster(service, library)
    assert "no cluster yet" not in await (await browser.get("/clusters")).text()


async def test_the_largest_comes_first_and_its_representative_before_the_others(
    browser: Browser, clusters: tuple[list[Photo], list[Photo]]
) -> None:
    text = await (await browser.get("/clusters")).text()
    a, b, c, d = clusters[1]
    assert [u for u in re.findall(r'href="/photo/(\w+)"', text)[:4]] == [b.uid, a.uid, c.uid, d.uid]
    assert text.index("4 photos") < text.index("2 photos")


async def test_a_name_goes_where_most_of_its_members_go(
    service: Service, browser: Browser, library: list[Photo], clusters: tuple[list[Photo], list[Photo]]
) -> None:
    stands = clusters[1][1]
    await browser.post("/api/clusters/name", {"photo": clusters[1][3].uid, "name": " the  <b>sea</b> "})
    assert "the &lt;b&gt;sea&lt;/b&gt;" in await (await browser.get("/clusters")).text()
    cluster(service, [stands, library[0]], [library[1], *clusters[1][2:], clusters[1][0]])
    assert "the &lt;b&gt;sea&lt;/b&gt;" in await (await browser.get(f"/cluster/{library[1].uid}")).text()
    assert "sea" not in await (await browser.get(f"/cluster/{stands.uid}")).text()
    went = await browser.submit("/api/clusters/name", {"photo": library[1].uid, "name": ""})
    assert went.status == 303
    assert "sea" not in await (await browser.get("/clusters")).text()
    assert (await browser.post("/api/clusters/name", {"photo": stands.uid, "name": "x" * 81})).status == 400


async def test_of_names_that_come_together_that_of_more_members_is_shown_and_both_are_back_when_they_part(
    service: Service, browser: Browser, library: list[Photo], clusters: tuple[list[Photo], list[Photo]]
) -> None:
    await browser.post("/api/clusters/name", {"photo": clusters[0][0].uid, "name": "hats"})
    await browser.post("/api/clusters/name", {"photo": clusters[1][0].uid, "name": "shoes"})
    cluster(service, library)
    assert service.store.read(clusters_of.names) == {0: "shoes"}
    cluster(service, *clusters)
    assert service.store.read(clusters_of.names) == {0: "hats", 1: "shoes"}
    await browser.post("/api/clusters/name", {"photo": clusters[1][0].uid, "name": "boots"})
    assert service.store.read(clusters_of.names) == {0: "hats", 1: "boots"}


def test_names_stand_where_their_members_are_counted_whatever_became_of_the_clusters(
    service: Service, library: list[Photo]
) -> None:
    rng = random.Random(1)
    for now in range(40):
        known = rng.sample(library, rng.randrange(2, len(library)))
        cut = rng.randrange(1, len(known))
        cluster(service, known[:cut], known[cut:])
        chosen = service.store.read(clusters_of.of_photo, known[0].id, 1)
        assert chosen
        service.store.write(clusters_of.rename, chosen, rng.choice(("hats", "shoes", "sea", "")), float(now))
        new = [ClusterRow(photo.id, rng.randrange(2), 0.5, False) for photo in library if photo not in known]
        service.store.write(clusters_of.add, new)
        assert service.store.read(clusters_of.names) == service.store.read(counted)


def counted(db: Database) -> dict[int, str]:
    """The names, from the members alone."""
    found: dict[int, tuple[int, float, str]] = {}
    for named_id, name, at in db.execute("SELECT id, name, at FROM named_clusters").fetchall():
        sql = "SELECT cluster FROM named_cluster_members JOIN cache.clusters USING (photo_id) WHERE named_id = ?"
        places = Counter(row[0] for row in db.execute(sql, [named_id]))
        if places:
            place = min(places, key=lambda one: (-places[one], one))
            found[place] = max(found.get(place, (0, 0.0, "")), (places[place], at, name))
    return {place: name for place, (_, _, name) in found.items()}


async def test_the_scores_that_chose_the_number_are_plotted(
    service: Service, browser: Browser, clusters: tuple[list[Photo], list[Photo]]
) -> None:
    assert "<svg viewBox" not in (await (await browser.get("/clusters")).text()).replace('viewBox="0 0 24 24"', "")
    scores = [{"k": k, "silhouette": 0.1 * k, "davies_bouldin": 2.0, "calinski_harabasz": 9.0 * k} for k in (2, 4, 8)]
    made = {"k": 4, "clusters": 2, "why": "they were <b>old</b>", "scores": scores, "settings": {"score": "silhouette"}}
    rows = [ClusterRow(photo.id, 0, 0.0) for photo in clusters[0]]
    service.store.write(clusters_of.replace, rows, made)
    text = await (await browser.get("/clusters")).text()
    assert text.count('class="chart"') == 3
    assert "because they were &lt;b&gt;old&lt;/b&gt;" in text
    assert "4 clusters: 0.4" in text


async def test_a_look_stores_nothing_and_the_answer_can_be_undone(
    service: Service, browser: Browser, clusters: tuple[list[Photo], list[Photo]]
) -> None:
    said_before, *others = clusters[1]
    service.store.write(answers.add, 1, Question.LABEL, Choice.DELETE, said_before.id, None, "test", 1.0)
    text = await (await browser.get(f"/cluster/{others[0].uid}")).text()
    assert "One answer for 3 photos, shown below. 1 photo keeps the answer" in re.sub(r"\s+", " ", text)
    assert set(re.findall(r'href="/photo/(\w+)"', text)) == {photo.uid for photo in others}
    assert labels(service) == {said_before.id: (False, "test")}
    went = await browser.submit("/api/clusters/label", fields(text) | {"choice": "keep"})
    assert went.status == 303
    assert labels(service) == {said_before.id: (False, "test")} | {photo.id: (True, "train") for photo in others}
    page = await (await browser.get(went.headers["Location"])).text()
    assert "3 photos are answered." in page
    (name,) = re.findall(r'name="request" value="(\w+)"', page)
    await browser.submit("/api/clusters/undo", {"request": name})
    assert labels(service) == {said_before.id: (False, "test")}


async def test_another_cluster_than_was_shown_is_not_answered(
    service: Service, browser: Browser, library: list[Photo], clusters: tuple[list[Photo], list[Photo]]
) -> None:
    sent = fields(await (await browser.get(f"/cluster/{clusters[0][0].uid}")).text()) | {"choice": "delete"}
    cluster(service, library)
    refused = await browser.post("/api/clusters/label", sent | {"count": 2})
    assert refused.status == 400
    assert "nothing was stored" in (await refused.json())["error"]
    assert labels(service) == {}
    for wrong in ({"choice": "skip"}, {"request": "a-b"}, {"request": ""}):
        assert (await browser.post("/api/clusters/label", sent | {"count": 6} | wrong)).status == 400
    assert labels(service) == {}


async def test_photos_that_an_audit_will_ask_about_are_left_to_it(
    service: Service, browser: Browser, clusters: tuple[list[Photo], list[Photo]]
) -> None:
    audited = clusters[1][2]
    service.store.write(scores.open_pool, 1, 0.5, [(audited.id, (audited.id,))], 1.0)
    text = await (await browser.get(f"/cluster/{audited.uid}")).text()
    await browser.submit("/api/clusters/label", fields(text) | {"choice": "delete"})
    assert labels(service) == {photo.id: (False, "train") for photo in clusters[1] if photo != audited}


async def test_a_photo_without_a_cluster_says_so(browser: Browser, library: list[Photo]) -> None:
    response = await browser.get(f"/cluster/{library[0].uid}")
    assert response.status == 404
    assert "in no cluster yet" in await response.text()


async def test_pages_of_clusters_follow_each_other(
    service: Service, browser: Browser, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precious_daemon.web.clusters.A_PAGE", 2)
    cluster(service, library[:1], library[1:2], library[2:4], library[4:])
    seen, path = [], "/clusters"
    while path:
        text = await (await browser.get(path)).text()
        seen += re.findall(r'id="cluster-(\w+)"', text)
        path = next(iter(re.findall(r'href="(/clusters\?after=[\d.,]+)"', text)), "")
    assert seen == [library[3].uid, library[5].uid, library[0].uid, library[1].uid]


async def test_the_look_says_who_keeps_an_answer_and_who_is_left_out(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    cluster(service, library)
    kept, deleted, audited = library[:3]
    service.store.write(answers.add, 1, Question.LABEL, Choice.KEEP, kept.id, None, "train", 1.0)
    service.store.write(answers.add, 1, Question.LABEL, Choice.DELETE, deleted.id, None, "train", 1.0)
    service.store.write(scores.open_pool, 1, 0.5, [(audited.id, (audited.id,))], 1.0)
    text = " ".join((await (await browser.get(f"/cluster/{kept.uid}")).text()).split())
    assert "One answer for 3 photos" in text
    assert "2 photos keep the answer you gave: 1 to keep, 1 to delete." in text
    assert "1 photo is skipped: blind audits will ask about it alone." in text
    strip = await (await browser.get(f"/api/clusters/{kept.uid}")).json()
    assert (strip["size"], strip["kept"], strip["deleted"], strip["reserved"], strip["unanswered"]) == (6, 1, 1, 1, 3)
    assert len(strip["photos"]) == 6
