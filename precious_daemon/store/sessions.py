"""Rows of signed-in browsers: only a hash of each token is kept, so that a copied database lets nobody in."""

from __future__ import annotations

from precious_daemon.errors import NotFound
from precious_daemon.models import Session
from precious_daemon.store import Database


def add(db: Database, token_hash: bytes, voter_id: int, now: float, browser: str = "", address: str = "") -> None:
    """`browser` is what it calls itself, `address` where it signs in from."""
    sql = "INSERT INTO sessions (token_hash, voter_id, created_at, seen_at, browser, address) VALUES (?, ?, ?, ?, ?, ?)"
    db.execute(sql, [token_hash, voter_id, now, now, browser, address])


def all_sessions(db: Database, since: float, voter_id: int | None = None) -> list[Session]:
    """Those seen after `since`, last seen first; of one voter, or of all."""
    sql = """
        SELECT s.rowid, s.token_hash, s.created_at, s.seen_at, coalesce(s.browser, ''), v.name, coalesce(s.address, '')
        FROM sessions s JOIN voters v ON v.id = s.voter_id
        WHERE s.seen_at > :since AND (:voter IS NULL OR s.voter_id = :voter) ORDER BY s.seen_at DESC"""
    return [Session(*row) for row in db.execute(sql, {"since": since, "voter": voter_id})]


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


def remove_of(db: Database, voter_id: int, keep: bytes = b"") -> None:
    """Sign out every browser of a voter, but for the session of the hash `keep`."""
    db.execute("DELETE FROM sessions WHERE voter_id = ? AND token_hash <> ?", [voter_id, keep])


def touch(db: Database, token_hash: bytes, now: float) -> None:
    db.execute("UPDATE sessions SET seen_at = ? WHERE token_hash = ?", [now, token_hash])


def remove(db: Database, token_hash: bytes) -> None:
    db.execute("DELETE FROM sessions WHERE token_hash = ?", [token_hash])


def remove_by_id(db: Database, session_id: int, voter_id: int | None = None) -> None:
    """Sign a browser out, one of this voter's where one is named. Raises NotFound where there is none."""
    sql = "DELETE FROM sessions WHERE rowid = :id AND (:voter IS NULL OR voter_id = :voter)"
    if not db.execute(sql, {"id": session_id, "voter": voter_id}).rowcount:
        raise NotFound("That browser is signed out already.")


def remove_older(db: Database, since: float) -> None:
    db.execute("DELETE FROM sessions WHERE seen_at <= ?", [since])
