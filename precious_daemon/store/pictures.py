"""Derived pictures and features, by content: thumbnails, previews, proxies, HOG, quality, embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from precious_daemon.models import PhotoFacts, Quality
from precious_daemon.store import Database

TILES_SHARE = 8  # of the bound for previews and tiles together, tiles take one part in so many


def put(db: Database, facts: PhotoFacts) -> None:
    db.execute(
        "INSERT OR REPLACE INTO cache.pictures VALUES (?, ?, ?, ?, ?)",
        [facts.content_hash, facts.thumbnail, facts.proxy, facts.hog, facts.quality.pack()],
    )


def put_preview(db: Database, content_hash: bytes, preview: bytes, limit_bytes: int) -> None:
    """Keep a preview; beyond the limit the oldest give way. Triggers keep the sum, so that nothing has to be counted again."""
    db.execute("DELETE FROM cache.previews WHERE content_hash = ?", [content_hash])
    db.execute("INSERT INTO cache.previews VALUES (?, ?, ?)", [content_hash, len(preview), preview])
    _make_room(db, limit_bytes)


def put_tiles(db: Database, content_hash: bytes, tiles: Mapping[tuple[int, int], bytes], limit_bytes: int) -> None:
    """Keep pixels of a photo at full size, in tiles by (column, row): a small part of what previews and tiles may take."""
    for (column, row), tile in tiles.items():
        place = f"{column},{row}"
        db.execute("DELETE FROM cache.tiles WHERE content_hash = ? AND place = ?", [content_hash, place])
        db.execute("INSERT INTO cache.tiles VALUES (?, ?, ?, ?)", [content_hash, place, len(tile), tile])
    while tile_bytes(db) > limit_bytes // TILES_SHARE:
        db.execute("DELETE FROM cache.tiles WHERE rowid = (SELECT min(rowid) FROM cache.tiles)")
    _make_room(db, limit_bytes)


def _make_room(db: Database, limit_bytes: int) -> None:
    while preview_bytes(db) > max(0, limit_bytes - tile_bytes(db)):
        db.execute("DELETE FROM cache.previews WHERE rowid = (SELECT min(rowid) FROM cache.previews)")


def preview_bytes(db: Database) -> int:
    return int(db.execute("SELECT value FROM cache.notes WHERE key = 'preview bytes'").fetchone()[0])


def tile_bytes(db: Database) -> int:
    return int(db.execute("SELECT value FROM cache.notes WHERE key = 'tile bytes'").fetchone()[0])


def tile(db: Database, content_hash: bytes, place: tuple[int, int]) -> bytes | None:
    sql = "SELECT tile FROM cache.tiles WHERE content_hash = ? AND place = ?"
    row = db.execute(sql, [content_hash, f"{place[0]},{place[1]}"]).fetchone()
    return row[0] if row else None


def thumbnail(db: Database, content_hash: bytes) -> bytes | None:
    return _blob(db, "SELECT thumbnail FROM cache.pictures WHERE content_hash = ?", content_hash)


def preview(db: Database, content_hash: bytes) -> bytes | None:
    return _blob(db, "SELECT preview FROM cache.previews WHERE content_hash = ?", content_hash)


def put_first_look(db: Database, photo_id: int, thumbnail: bytes) -> None:
    """Keep the camera's own thumbnail until the photo has been read."""
    db.execute("INSERT OR REPLACE INTO cache.first_looks VALUES (?, ?)", [photo_id, thumbnail])


def first_look(db: Database, photo_id: int) -> bytes | None:
    row = db.execute("SELECT thumbnail FROM cache.first_looks WHERE photo_id = ?", [photo_id]).fetchone()
    return row[0] if row else None


def forget_first_look(db: Database, photo_id: int) -> None:
    db.execute("DELETE FROM cache.first_looks WHERE photo_id = ?", [photo_id])


def quality(db: Database, content_hash: bytes) -> Quality | None:
    blob = _blob(db, "SELECT quality FROM cache.pictures WHERE content_hash = ?", content_hash)
    return Quality.unpack(blob) if blob else None


def qualities(db: Database, content_hashes: Iterable[bytes]) -> dict[bytes, Quality]:
    """The measures of many; those without any are absent."""
    found: dict[bytes, Quality] = {}
    wanted = list(content_hashes)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        sql = f"SELECT content_hash, quality FROM cache.pictures WHERE content_hash IN ({','.join('?' * len(part))})"
        found |= {row[0]: Quality.unpack(row[1]) for row in db.execute(sql, part)}
    return found


def _blob(db: Database, sql: str, content_hash: bytes) -> bytes | None:
    row = db.execute(sql, [content_hash]).fetchone()
    return row[0] if row else None


# --- embeddings --------------------------------------------------------------------------------------------------------


def put_embeddings(db: Database, backbone: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Rows of (content hash, float16 vector)."""
    db.conn.executemany(
        "INSERT OR REPLACE INTO cache.embeddings VALUES (?, ?, ?)", [(key, backbone, vector) for key, vector in rows]
    )


def any_embedding(db: Database) -> bool:
    return db.execute("SELECT 1 FROM cache.embeddings LIMIT 1").fetchone() is not None


def backbone_in_use(db: Database, newest: str) -> str:
    """The network whose features are learnt from: the newest, unless an older one has still seen more of the present photos."""
    sql = """
        SELECT backbone, count(*) FROM photos JOIN cache.embeddings USING (content_hash) WHERE state = 'present'
        GROUP BY backbone
    """
    seen = dict(db.execute(sql).fetchall())
    return max(seen, key=lambda name: (seen[name], name == newest), default=newest)


def forget_other_backbones(db: Database, newest: str) -> None:
    """Once the newest network has seen everything."""
    db.execute("DELETE FROM cache.embeddings WHERE backbone != ?", [newest])
