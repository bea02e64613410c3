"""Rows of profiles: whose taste is whose. The first one is there from the start, and none is ever deleted."""

from __future__ import annotations

from precious_daemon.errors import NotFound
from precious_daemon.models import Voter
from precious_daemon.store import Database, insert

_COLUMNS = "id, name, created_at, retired_at"


def everybody(db: Database) -> list[Voter]:
    """All profiles, those retired too, in the order in which they came."""
    return [Voter(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM voters ORDER BY id")]


def active(db: Database) -> list[Voter]:
    return [voter for voter in everybody(db) if voter.retired_at is None]


def get(db: Database, voter_id: int) -> Voter:
    """Raises NotFound."""
    row = db.execute(f"SELECT {_COLUMNS} FROM voters WHERE id = ?", [voter_id]).fetchone()
    if row is None:
        raise NotFound("There is no such profile.")
    return Voter(*row)


def by_name(db: Database, name: str) -> Voter | None:
    """Whatever its case."""
    wanted = name.casefold()
    return next((voter for voter in everybody(db) if voter.name.casefold() == wanted), None)


def add(db: Database, name: str, now: float) -> Voter:
    return get(db, insert(db, "voters", {"name": name, "created_at": now}))


def rename(db: Database, voter_id: int, name: str) -> None:
    db.execute("UPDATE voters SET name = ? WHERE id = ?", [name, voter_id])


def set_retired(db: Database, voter_id: int, at: float | None) -> None:
    db.execute("UPDATE voters SET retired_at = ? WHERE id = ?", [at, voter_id])
