"""Numbers that plugins made of photos, by content. They stay for as long as the plugin is the one that made them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from precious_daemon.models import Photo
from precious_daemon.store import Database
from precious_daemon.store.photos import photo_from

_AT_ONCE = 500


def wanted(db: Database, plugin: str, mark: str) -> Iterator[Photo]:
    """Present photos that this plugin, as it is now, has not measured; of equal ones, one."""
    sql = """
        SELECT * FROM photos WHERE state = 'present' AND content_hash IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM cache.plugin_numbers AS n
            WHERE n.content_hash = photos.content_hash AND n.plugin = ? AND n.mark = ?)
        GROUP BY content_hash ORDER BY taken_at DESC
    """
    return map(photo_from, db.query(sql, [plugin, mark]))


def put(db: Database, rows: Iterable[tuple[str, bytes, str, Mapping[str, float]]]) -> None:
    """(plugin, content hash, mark of the plugin, its numbers)."""
    values = ((content, plugin, mark, json.dumps(dict(numbers))) for plugin, content, mark, numbers in rows)
    db.conn.executemany("INSERT OR REPLACE INTO cache.plugin_numbers VALUES (?, ?, ?, ?)", values)


def of(db: Database, hashes: Iterable[bytes], plugins: Sequence[str]) -> dict[bytes, dict[str, float]]:
    """What these plugins measured of these contents, as "plugin.number"."""
    found: dict[bytes, dict[str, float]] = {}
    keys = list(hashes) if plugins else []
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        sql = (
            f"SELECT content_hash, plugin, numbers FROM cache.plugin_numbers WHERE content_hash IN ({','.join('?' * len(part))})"
        )
        for content, plugin, numbers in db.execute(sql, part):
            if plugin in plugins:
                found.setdefault(content, {}).update({f"{plugin}.{name}": value for name, value in json.loads(numbers).items()})
    return found


def of_all(db: Database, plugins: Sequence[str]) -> Iterator[tuple[bytes, dict[str, float]]]:
    """The same of every content, for each plugin by itself."""
    sql = f"SELECT content_hash, plugin, numbers FROM cache.plugin_numbers WHERE plugin IN ({','.join('?' * len(plugins))})"
    for content, plugin, numbers in db.execute(sql, list(plugins)):
        yield content, {f"{plugin}.{name}": value for name, value in json.loads(numbers).items()}
