"""The map: what of it a window shows, tile by tile, however many photos there are.

At level l the map is a square of 2^l by 2^l tiles with 4 by 4 cells each, and every photo has the level at which it appears.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from precious_daemon.store import Database

CELLS = 4  # of a tile, a side
FEW = 20_000  # answers up to so many are all looked at for the photos they are about
MOST = 100  # photos of a tile
LOOKED_AT = 1_000  # photos of a tile that appear at one level; there are 16, but for those that came since the map was made
Tile = tuple[int, int, int]  # level, column, row


class Spot(NamedTuple):
    """A photo on the map. `keep` is what the voter said of it, None where nothing was."""

    uid: str
    content: str  # the beginning of its hash
    x: float
    y: float
    cluster: int
    keep: bool | None


_TILE = "CAST(c.y * (1 << c.level) AS INTEGER) * (1 << c.level) + CAST(c.x * (1 << c.level) AS INTEGER)"  # as the index has it
_SELECT = """
    SELECT p.uid, substr(hex(p.content_hash), 1, 12), c.x, c.y, c.cluster, l.keep FROM cache.clusters AS c
    CROSS JOIN photos AS p ON p.id = c.photo_id LEFT JOIN labels AS l ON l.voter_id = ? AND l.photo_id = c.photo_id
    WHERE p.state = 'present'
"""
_ONLY = {"all": "", "unlabelled": "AND l.keep IS NULL", "kept": "AND l.keep = 1", "deleted": "AND l.keep = 0"}
SHOWS = tuple(_ONLY)


def tiles(db: Database, voter_id: int, wanted: Iterable[Tile], show: str = "all") -> dict[Tile, list[Spot]]:
    """At most one photo for each cell of each tile, and MOST at the deepest level.

    `show` is one of SHOWS: only photos of which the voter said that.
    """
    if show in ("kept", "deleted"):
        sql = "SELECT count(*) FROM (SELECT 1 FROM labels WHERE voter_id = ? LIMIT ?)"
        if db.execute(sql, [voter_id, FEW + 1]).fetchone()[0] <= FEW:
            return _of_answers(db, voter_id, wanted, show)
    found: dict[Tile, list[Spot]] = {tile: [] for tile in wanted}
    for level in {tile[0] for tile in found}:
        for around in _around(tile for tile in found if tile[0] == level):
            for spot in _appearing(db, voter_id, around, show):
                found.get(_tile_of(spot, level), []).append(spot)
    depth = deepest(db)
    return {tile: _thinned(tile, spots, depth) for tile, spots in found.items()}


def _around(tiles: Iterable[Tile]) -> list[Tile]:
    """These tiles and all that they lie in, each once, the largest first: those of a window share most of them."""
    return sorted({(at, x >> level - at, y >> level - at) for level, x, y in tiles for at in range(level + 1)})


def _appearing(db: Database, voter_id: int, tile: Tile, show: str) -> list[Spot]:
    """What appears in a tile at its own level, the nearest to its cluster's centre first."""
    level, column, row = tile
    sql = f"{_SELECT} AND c.level = ? AND {_TILE} = ? {_ONLY[show]} ORDER BY c.distance LIMIT {LOOKED_AT}"
    return [_spot(found) for found in db.execute(sql, [voter_id, level, (row << level) + column])]


def _of_answers(db: Database, voter_id: int, wanted: Iterable[Tile], show: str) -> dict[Tile, list[Spot]]:
    found: dict[Tile, list[Spot]] = {tile: [] for tile in wanted}
    sql = f"""
        SELECT p.uid, substr(hex(p.content_hash), 1, 12), c.x, c.y, c.cluster, l.keep FROM labels AS l
        CROSS JOIN cache.clusters AS c ON c.photo_id = l.photo_id CROSS JOIN photos AS p ON p.id = l.photo_id
        WHERE l.voter_id = ? AND p.state = 'present' {_ONLY[show]} ORDER BY c.level, c.distance
    """
    levels = {tile[0] for tile in found}
    for spot in map(_spot, db.execute(sql, [voter_id])):
        for level in levels:
            found.get(_tile_of(spot, level), []).append(spot)
    depth = deepest(db)
    return {tile: _thinned(tile, spots, depth) for tile, spots in found.items()}


def _thinned(tile: Tile, spots: Sequence[Spot], depth: int) -> list[Spot]:
    """The first one in each cell; at the deepest level, where each has its own place, all of them."""
    if tile[0] >= depth:
        return list(spots[:MOST])
    side = CELLS << tile[0]
    cells: dict[tuple[int, int], Spot] = {}
    for spot in spots:
        cells.setdefault((int(spot.x * side), int(spot.y * side)), spot)
    return list(cells.values())


def _tile_of(spot: Spot, level: int) -> Tile:
    return level, int(spot.x * (1 << level)), int(spot.y * (1 << level))


def _spot(row: Sequence[Any]) -> Spot:
    uid, content, x, y, cluster, keep = row
    return Spot(uid, (content or "").lower(), x, y, cluster, None if keep is None else bool(keep))


def deepest(db: Database) -> int:
    """The level at which every photo that was there when the map was made has appeared."""
    row = db.execute("SELECT max(level) FROM cache.clusters WHERE added = 0").fetchone()
    return row[0] or 0
