"""Rows of signed-in browsers: only a hash of each token is kept, so that a copied database lets nobody in."""

from __future__ import annotations

from precious_daemon.store import Database


def add(db: Database, token_hash: bytes, voter_id: int, now: float) -> None:
    db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", [token_hash, voter_id, now, now])


def find(db: Database, token_hash: bytes, since: float) -> tuple[int, float] | None:
    """(voter id, last seen) of a session that was seen after `since`."""
    sql = "SELECT voter_id, seen_at FROM sessions WHERE token_hash = ? AND seen_at > ?"
    row = db.execute(sql, [token_hash, since]).fetchone()
    return (row[0], row[1]) if row else None


def touch(db: Database, token_hash: bytes, now: float) -> None:
    db.execute("UPDATE sessions SET seen_at = ? WHERE token_hash = ?", [now, token_hash])


def remove(db: Database, token_hash: bytes) -> None:
    db.execute("DELETE FROM sessions WHERE token_hash = ?", [token_hash])


def remove_older(db: Database, since: float) -> None:
    db.execute("DELETE FROM sessions WHERE seen_at <= ?", [since])
