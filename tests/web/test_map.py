"""The map holds every photo at some level, no more than there is room for in a tile, and only what was asked for."""

from __future__ import annotations

import re

import pytest

from precious_daemon.models import Choice, ClusterRow, Photo, Question
from precious_daemon.service import Service
from precious_daemon.store import answers, clusters, maps
from tests.web.library import Browser


@pytest.fixture
def placed(service: Service, library: list[Photo]) -> list[Photo]:
    """In a row, in two clusters; every level shows two more."""
    across = (0.1, 0.6, 0.3, 0.9, 0.2, 0.7)
    rows = [ClusterRow(p.id, n // 3, float(n % 3), n % 3 == 0, across[n], 0.3, n // 2) for n, p in enumerate(library)]
    discs = [(0, 0.2, 0.3, 0.2), (1, 0.7, 0.3, 0.2)]
    service.store.write(clusters.replace, rows, {"unit": 0.1}, discs)
    return library


async def spots(browser: Browser, tiles: str, show: str = "all") -> dict[str, list[str]]:
    found = await (await browser.get(f"/api/map?tiles={tiles}&show={show}")).json()
    return {tile: [row[0] for row in rows] for tile, rows in found.items()}


async def test_a_tile_shows_what_appears_at_its_level_and_above(browser: Browser, placed: list[Photo]) -> None:
    uids = [photo.uid for photo in placed]
    assert await spots(browser, "0.0.0") == {"0.0.0": uids[:2]}
    assert await spots(browser, "1.0.0,1.1.0,1.0.1") == {"1.0.0": [uids[0], uids[2]], "1.1.0": [uids[1], uids[3]], "1.0.1": []}
    deep = await spots(browser, ",".join(f"2.{column}.1" for column in range(4)))
    assert sorted(uid for found in deep.values() for uid in found) == sorted(uids)


async def test_of_photos_in_one_cell_the_first_is_shown_and_at_the_deepest_level_all(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    rows = [ClusterRow(p.id, 0, float(n), x=0.1, y=0.1, level=0 if n < 4 else 1) for n, p in enumerate(library)]
    service.store.write(clusters.replace, rows, {})
    assert await spots(browser, "0.0.0") == {"0.0.0": [library[0].uid]}
    assert len((await spots(browser, "1.0.0"))["1.0.0"]) == 6


@pytest.mark.parametrize("few", [20_000, 0])
async def test_a_filter_shows_what_was_answered_so(
    few: int, service: Service, browser: Browser, placed: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "FEW", few)
    kept, deleted = placed[5], placed[0]
    service.store.write(answers.add, 1, Question.LABEL, Choice.KEEP, kept.id, None, "train", 1.0)
    service.store.write(answers.add, 1, Question.LABEL, Choice.DELETE, deleted.id, None, "train", 1.0)
    tiles = ",".join(f"2.{column}.1" for column in range(4))
    for show, wanted in (("kept", [kept]), ("deleted", [deleted]), ("unlabelled", placed[1:5])):
        found = await spots(browser, tiles, show)
        assert sorted(uid for uids in found.values() for uid in uids) == sorted(photo.uid for photo in wanted)
    if few:  # of few answers each is looked for, whatever level it appears at
        assert await spots(browser, "0.0.0", "kept") == {"0.0.0": [kept.uid]}


async def test_a_window_of_any_library_is_found_by_index(service: Service, placed: list[Photo]) -> None:
    sql = f"EXPLAIN QUERY PLAN {maps._SELECT} AND c.level = ? AND {maps._TILE} = ?"
    plan = service.store.read(lambda db: [row[3] for row in db.execute(sql, [1, 2, 3])])
    assert any("clusters_on_map (level=? AND <expr>=?)" in step for step in plan)


async def test_the_page_lists_the_clusters_for_whoever_has_no_scripts(browser: Browser, placed: list[Photo]) -> None:
    text = await (await browser.get("/map?show=kept")).text()
    assert re.findall(r'href="/cluster/(\w+)"', text) == [placed[0].uid, placed[3].uid]
    assert 'data-radius="0.2"' in text
    assert 'data-deepest="2"' in text


async def test_what_is_no_tile_is_refused_in_words(browser: Browser, placed: list[Photo]) -> None:
    for wrong in ("", "tiles=", "tiles=1.2.0", "tiles=1.x.0", "tiles=99.0.0", "tiles=0.0", "tiles=" + "0.0.0," * 81,
                  "tiles=0.0.0&show=none"):  # fmt: skip
        assert (await browser.get(f"/api/map?{wrong}")).status == 400, wrong
    assert (await browser.get("/map?show=none")).status == 400
    assert "no map yet" not in await (await browser.get("/map")).text()


async def test_without_clusters_the_page_says_what_to_do(browser: Browser, library: list[Photo]) -> None:
    assert "There is no map yet" in await (await browser.get("/map")).text()
