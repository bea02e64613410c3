"""Derived rows: TrueSkill ratings. They can be made again from the answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from precious_daemon.models import Photo, Rating, Scope
from precious_daemon.store import Database, scopes
from precious_daemon.store.answers import is_out
from precious_daemon.store.photos import photo_from


def _rating(row: dict[str, Any]) -> Rating:
    return Rating(row["mu"], row["sigma"], row["wins"], row["losses"], row["draws"])


def many(db: Database, voter_id: int, photo_ids: Iterable[int]) -> dict[int, Rating]:
    """Ratings by photo id; photos without a vote are absent."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT * FROM cache.ratings WHERE voter_id = ? AND photo_id IN ({marks})"
    return {row["photo_id"]: _rating(row) for row in db.query(sql, [voter_id])}


def put(db: Database, voter_id: int, photo_id: int, rating: Rating) -> None:
    db.execute(
        "INSERT OR REPLACE INTO cache.ratings VALUES (?, ?, ?, ?, ?, ?, ?)",
        [voter_id, photo_id, rating.mu, rating.sigma, rating.wins, rating.losses, rating.draws],
    )


def replace_all(db: Database, voter_id: int, ratings: dict[int, Rating]) -> None:
    db.execute("DELETE FROM cache.ratings WHERE voter_id = ?", [voter_id])
    for photo_id, rating in ratings.items():
        put(db, voter_id, photo_id, rating)


def priors(db: Database, voter_id: int) -> dict[int, Rating]:
    """Ratings brought along from elsewhere, by photo id."""
    return {
        row["photo_id"]: Rating(row["mu"], row["sigma"], row["wins"], row["losses"])
        for row in db.query("SELECT * FROM priors WHERE voter_id = ?", [voter_id])
    }


def put_prior(db: Database, voter_id: int, photo_id: int, rating: Rating) -> None:
    db.execute(
        "INSERT OR REPLACE INTO priors VALUES (?, ?, ?, ?, ?, ?)",
        [voter_id, photo_id, rating.mu, rating.sigma, rating.wins, rating.losses],
    )


def applied_through(db: Database, voter_id: int) -> int:
    """Id of the newest answer (or undo) that the ratings hold; 0 for none."""
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [f"ratings of {voter_id}"]).fetchone()
    return int(row[0]) if row else 0


def set_applied_through(db: Database, voter_id: int, answer_id: int) -> None:
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [f"ratings of {voter_id}", str(answer_id)])


def ranking(
    db: Database, voter_id: int, after: tuple[float, int] | None = None, limit: int = 100, scope: Scope | None = None
) -> list[tuple[Photo, Rating]]:
    """Best first, without photos that were taken out; of a part of the library where `scope` says so.

    `after` is (mu, photo id) of the last one shown, so that every page costs the same.
    """
    where = f"r.voter_id = ? AND photos.state = 'present' AND NOT {is_out('r.photo_id')}"
    values: list[Any] = [voter_id, voter_id]
    if scope:
        inside, bounds = scopes.condition(scope)
        where, values = f"{where} AND {inside}", [*values, *bounds]
        if (found := scopes.few(db, scope)) is not None:
            where += f" AND r.photo_id IN ({','.join(map(str, found))})"
    if after:
        where += " AND (r.mu, r.photo_id) < (?, ?)"
        values += after
    sql = f"""
        SELECT photos.*, r.mu, r.sigma, r.wins, r.losses, r.draws
        FROM cache.ratings AS r CROSS JOIN photos ON photos.id = r.photo_id
        WHERE {where} ORDER BY r.mu DESC, r.photo_id DESC LIMIT ?
    """
    return [(photo_from(row), _rating(row)) for row in db.query(sql, [*values, limit])]


def count(db: Database, voter_id: int) -> int:
    """How many photos have a rating."""
    return int(db.execute("SELECT count(*) FROM cache.ratings WHERE voter_id = ?", [voter_id]).fetchone()[0])


def neighbours(db: Database, voter_id: int, mu: float, count: int) -> list[int]:
    """Ids of present rated photos in the ranking whose mu is nearest: `count` above and `count` below."""
    found: list[int] = []
    for compare, order in ((">=", "ASC"), ("<", "DESC")):
        sql = f"""
            SELECT r.photo_id FROM cache.ratings AS r CROSS JOIN photos ON photos.id = r.photo_id
            WHERE r.voter_id = ? AND r.mu {compare} ? AND photos.state = 'present' AND NOT {is_out("r.photo_id")}
            ORDER BY r.mu {order} LIMIT ?
        """
        found += [row[0] for row in db.execute(sql, [voter_id, mu, voter_id, count])]
    return found
