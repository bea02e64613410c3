"""Rows of keys for scripts: only a hash of each is kept, and the key itself is shown once."""

from __future__ import annotations

from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Token
from precious_daemon.store import Database, insert

_COLUMNS = "id, name, scope, voter_id, created_at, used_at"


def add(db: Database, name: str, token_hash: bytes, scope: str, voter_id: int, now: float) -> Token:
    """Raises PreciousError where the name is taken."""
    if db.execute("SELECT 1 FROM tokens WHERE name = ?", [name]).fetchone():
        raise PreciousError(f'There is a token "{name}" already: revoke it first, or take another name.')
    row = {"name": name, "token_hash": token_hash, "scope": scope, "voter_id": voter_id, "created_at": now}
    return Token(insert(db, "tokens", row), name, scope, voter_id, now, None)


def find(db: Database, token_hash: bytes) -> Token | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM tokens WHERE token_hash = ?", [token_hash]).fetchone()
    return Token(*row) if row else None


def used(db: Database, token_id: int, now: float) -> None:
    db.execute("UPDATE tokens SET used_at = ? WHERE id = ?", [now, token_id])


def all_tokens(db: Database) -> list[Token]:
    return [Token(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY name")]


def revoke(db: Database, name: str) -> None:
    """Raises NotFound."""
    if not db.execute("DELETE FROM tokens WHERE name = ?", [name]).rowcount:
        raise NotFound(f'There is no token "{name}".')
