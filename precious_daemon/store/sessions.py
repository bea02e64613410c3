"""Rows of signed-in browsers: only a hash of each token is kept, so that a copied database lets nobody in."""

from __future__ import annotations

from precious_daemon.errors import NotFound
from precious_daemon.models import Session
from precious_daemon.store import Database


def add(db: Database, token_hash: bytes, voter_id: int, now: float, browser: str = "") -> None:
    """`browser` is what it calls itself."""
    sql = "INSERT INTO sessions (token_hash, voter_id, created_at, seen_at, browser) VALUES (?, ?, ?, ?, ?)"
    db.execute(sql, [token_hash, voter_id, now, now, browser])


def all_sessions(db: Database, since: float) -> list[Session]:
    """Those seen after `since`, last seen first."""
    sql = "SELECT rowid, token_hash, created_at, seen_at, browser FROM sessions WHERE seen_at > ? ORDER BY seen_at DESC"
    found = db.execute(sql, [since])
    return [
        Session(number, token_hash, created_at, seen_at, name or "") for number, token_hash, created_at, seen_at, name in found
    ]


def find(db: Database, token_hash: bytes, since: float) -> tuple[int, float] | None:
    """(voter id, last seen) of a session that was seen after `since`."""
    sql = "SELECT voter_id, seen_at FROM sessions WHERE token_hash = ? AND seen_at > ?"
    row = db.execute(sql, [token_hash, since]).fetchone()
    return (row[0], row[1]) if row else None


def switch(db: Database, token_hash: bytes, voter_id: int) -> None:
    """Go on as another voter in this browser."""
    db.execute("UPDATE sessions SET voter_id = ? WHERE token_hash = ?", [voter_id, token_hash])


def hand_over(db: Database, voter_id: int, to: int) -> None:
    """Every browser of one voter goes on as another."""
    db.execute("UPDATE sessions SET voter_id = ? WHERE voter_id = ?", [to, voter_id])


def touch(db: Database, token_hash: bytes, now: float) -> None:
    db.execute("UPDATE sessions SET seen_at = ? WHERE token_hash = ?", [now, token_hash])


def remove(db: Database, token_hash: bytes) -> None:
    db.execute("DELETE FROM sessions WHERE token_hash = ?", [token_hash])


def remove_by_id(db: Database, session_id: int) -> None:
    """Sign a browser out. Raises NotFound where it is already."""
    if not db.execute("DELETE FROM sessions WHERE rowid = ?", [session_id]).rowcount:
        raise NotFound("That browser is signed out already.")


def remove_older(db: Database, since: float) -> None:
    db.execute("DELETE FROM sessions WHERE seen_at <= ?", [since])
