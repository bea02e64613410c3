"""Rows of what plugins have to hear: written before the call, so that a crash loses none, and settled after it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from precious_daemon.store import Database

ATTEMPTS = 10
FIRST_WAIT, LONGEST_WAIT = 60.0, 6 * 3600.0  # seconds; each wait is four times the last
KEPT = 90 * 86400.0  # seconds that settled calls can be looked up for


@dataclass(frozen=True, slots=True)
class PluginCall:
    """One hook of one plugin, to be called until it has arrived. `told` holds what to hand over beside the run."""

    id: int
    run: str
    plugin: str
    hook: str
    voter_id: int
    told: dict[str, Any]
    at: float
    attempts: int
    next_at: float | None  # None: it arrived, or was given up
    done_at: float | None
    error: str | None


def put(db: Database, run: str, hook: str, plugins: Iterable[str], voter_id: int, told: dict[str, Any], now: float) -> None:
    """Have these plugins called. What was put under the same run before stays as it is; a new list replaces older ones."""
    if hook == "deliver":
        sql = """
            UPDATE plugin_calls SET next_at = NULL, error = 'a newer list took its place'
            WHERE hook = 'deliver' AND voter_id = ? AND next_at IS NOT NULL AND run != ?
        """
        db.execute(sql, [voter_id, run])
    db.execute("DELETE FROM plugin_calls WHERE next_at IS NULL AND at < ?", [now - KEPT])
    sql = "INSERT OR IGNORE INTO plugin_calls (run, plugin, hook, voter_id, told, at, next_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    db.conn.executemany(sql, [(run, plugin, hook, voter_id, json.dumps(told), now, now) for plugin in plugins])


def claim(db: Database, now: float, lease: float) -> list[PluginCall]:
    """The calls that are due, in their order. Nobody else gets them for `lease` seconds: after a crash they are due again."""
    due = [_call(row) for row in db.query("SELECT * FROM plugin_calls WHERE next_at <= ? ORDER BY id", [now])]
    claimed = [(now + lease, call.id) for call in due]
    db.conn.executemany("UPDATE plugin_calls SET next_at = ?, attempts = attempts + 1 WHERE id = ?", claimed)
    return due


def free(db: Database, now: float) -> None:
    """After a start: nobody is making the calls that were under way when the service ended."""
    db.execute("UPDATE plugin_calls SET next_at = min(next_at, ?) WHERE next_at IS NOT NULL AND attempts > 0", [now])


def arrived(db: Database, call: PluginCall, now: float) -> None:
    db.execute("UPDATE plugin_calls SET next_at = NULL, done_at = ?, error = NULL WHERE id = ?", [now, call.id])


def postponed(db: Database, call: PluginCall, why: str, until: float) -> None:
    """The plugin asked for another time: that is no failed attempt."""
    sql = "UPDATE plugin_calls SET next_at = ?, attempts = ?, error = ? WHERE id = ? AND next_at IS NOT NULL"
    db.execute(sql, [until, call.attempts, why, call.id])


def failed(db: Database, call: PluginCall, error: str, now: float) -> None:
    """Tried again later, unless a newer list took its place meanwhile or it was tried often enough."""
    wait = min(FIRST_WAIT * 4**call.attempts, LONGEST_WAIT)
    next_at = now + wait if call.attempts + 1 < ATTEMPTS else None
    db.execute("UPDATE plugin_calls SET next_at = ?, error = ? WHERE id = ? AND next_at IS NOT NULL", [next_at, error, call.id])


def give_up(db: Database, call: PluginCall, why: str) -> None:
    db.execute("UPDATE plugin_calls SET next_at = NULL, error = ? WHERE id = ?", [why, call.id])


def newest(db: Database, limit: int = 100) -> list[PluginCall]:
    """Newest first."""
    return [_call(row) for row in db.query("SELECT * FROM plugin_calls ORDER BY id DESC LIMIT ?", [limit])]


def _call(row: dict[str, Any]) -> PluginCall:
    return PluginCall(**row | {"told": json.loads(row["told"])})
