"""Rows of passwords, as their argon2id hashes, and of tries that failed, so that a restart forgives nobody."""

from __future__ import annotations

from precious_daemon.store import Database


def get(db: Database, voter_id: int) -> str | None:
    """The hash; None where this profile has no password."""
    row = db.execute("SELECT hash FROM passwords WHERE voter_id = ?", [voter_id]).fetchone()
    return row[0] if row else None


def is_set(db: Database, voter_id: int) -> bool:
    return get(db, voter_id) is not None


def have(db: Database) -> frozenset[int]:
    """The profiles that have one."""
    return frozenset(row[0] for row in db.execute("SELECT voter_id FROM passwords"))


def put(db: Database, voter_id: int, hashed: str, now: float) -> None:
    db.execute("INSERT OR REPLACE INTO passwords (voter_id, hash, changed_at) VALUES (?, ?, ?)", [voter_id, hashed, now])


def renew(db: Database, voter_id: int, before: str, hashed: str) -> None:
    """The same password, hashed anew; nothing where it was changed meanwhile."""
    db.execute("UPDATE passwords SET hash = ? WHERE voter_id = ? AND hash = ?", [hashed, voter_id, before])


def remove(db: Database, voter_id: int) -> None:
    db.execute("DELETE FROM passwords WHERE voter_id = ?", [voter_id])


# --- tries that failed -------------------------------------------------------------------------------------------------


def failures(db: Database, key: bytes) -> tuple[int, float]:
    """(how many, when the last one was) of an address or an account; (0, 0) where there was none."""
    row = db.execute("SELECT count, last_at FROM sign_in_failures WHERE key = ?", [key]).fetchone()
    return (row[0], row[1]) if row else (0, 0.0)


def add_failure(db: Database, keys: tuple[bytes, ...], now: float, forget: float, most: int) -> None:
    """One more for each of these. Those before `forget` are forgotten, and so are the oldest above `most`."""
    db.execute("DELETE FROM sign_in_failures WHERE last_at < ?", [forget])
    for key in keys:
        more = "ON CONFLICT(key) DO UPDATE SET count = count + 1, last_at = excluded.last_at"
        db.execute(f"INSERT INTO sign_in_failures VALUES (?, 1, ?) {more}", [key, now])
    oldest = "SELECT key FROM sign_in_failures ORDER BY last_at DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM sign_in_failures WHERE key IN ({oldest})", [most])


def take_back(db: Database, account: bytes, address: bytes) -> None:
    """That try was right after all: the account starts anew, and of the address this one does not count."""
    db.execute("DELETE FROM sign_in_failures WHERE key = ?", [account])
    db.execute("UPDATE sign_in_failures SET count = count - 1 WHERE key = ?", [address])
