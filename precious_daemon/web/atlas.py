"""The map: the library as a landscape of what looks alike. The page holds the clusters; photos come as they come into view."""

from __future__ import annotations

from aiohttp import web

from precious_daemon.store import Database, clusters, maps
from precious_daemon.store.clusters import Cluster
from precious_daemon.store.maps import Spot, Tile
from precious_daemon.web import words
from precious_daemon.web.clusters import newcomers
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page

routes = web.RouteTableDef()

CLUSTERS = 300  # on the page; smaller ones are among the photos, and on the page of clusters
TILES = 40  # in one request
DEEPEST = 20
TABS = N_({"all": "All", "unlabelled": "Not answered", "kept": "Kept", "deleted": "To delete"})


@routes.get("/map")
async def show_map(request: web.Request) -> web.Response:
    show = _show(request)

    def look(db: Database) -> tuple[list[Cluster], int, float]:
        run = clusters.newest_run(db) or {}
        return clusters.page(db, 1, limit=CLUSTERS), maps.deepest(db), float(run.get("unit", 0.02))

    found, deepest, unit = await request.app[SERVICE].store.aread(look)
    late = await newcomers(request)
    return await page(request, "map.html", clusters=found, deepest=deepest, unit=unit, show=show, tabs=TABS, late=late)


@routes.get("/api/map")
async def tiles(request: web.Request) -> web.Response:
    """`?tiles=level.column.row,...&show=all`: for each, rows of uid, content, x, y, cluster, and what was answered."""
    wanted = [_tile(name) for name in request.query.get("tiles", "").split(",") if name]
    if not wanted or len(wanted) > TILES:
        raise BadRequest(f'"tiles" has to name 1 to {TILES} tiles, each like 3.1.6.')
    found = await request.app[SERVICE].store.aread(maps.tiles, request[VOTER], wanted, _show(request))
    return web.json_response({".".join(map(str, tile)): list(map(_row, spots)) for tile, spots in found.items()})


def _row(spot: Spot) -> list[object]:
    return [spot.uid, spot.content, round(spot.x, 6), round(spot.y, 6), spot.cluster, spot.keep]


def _show(request: web.Request) -> str:
    show = request.query.get("show", "all")
    if show not in maps.SHOWS:
        raise BadRequest(f'"show" has to be one of {words.listed(maps.SHOWS)}.')
    return show


def _tile(name: str) -> Tile:
    parts = name.split(".")
    if len(parts) == 3 and all(part.isdecimal() and len(part) < 8 for part in parts):
        level, column, row = map(int, parts)
        if level <= DEEPEST and max(column, row) < 1 << level:
            return level, column, row
    raise BadRequest(f'"tiles" has to name tiles of the map, each like 3.1.6, not "{name[:40]}".')
