"""Derived rows: TrueSkill ratings. They can be made again from the answers."""

from __future__ import annotations

import json
import math
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from precious_daemon.models import Photo, PhotoState, Rating, Scope
from precious_daemon.pure.highlights import Candidate
from precious_daemon.pure.rating import START
from precious_daemon.store import Database, photos, scopes
from precious_daemon.store.answers import is_out
from precious_daemon.store.photos import photo_from

_COLUMNS = "qddqqq"  # of a snapshot: photo id, mu, sigma, wins, losses, draws


def _rating(row: dict[str, Any]) -> Rating:
    return Rating(row["mu"], row["sigma"], row["wins"], row["losses"], row["draws"])


def many(db: Database, voter_id: int, photo_ids: Iterable[int]) -> dict[int, Rating]:
    """Ratings by photo id; photos without a vote are absent."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT * FROM cache.ratings WHERE voter_id = ? AND photo_id IN ({marks})"
    return {row["photo_id"]: _rating(row) for row in db.query(sql, [voter_id])}


def put(db: Database, voter_id: int, photo_id: int, rating: Rating) -> None:
    sql = """
        INSERT INTO cache.ratings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
        SET mu = excluded.mu, sigma = excluded.sigma, wins = excluded.wins, losses = excluded.losses, draws = excluded.draws
    """  # a row that is replaced would be counted again
    db.execute(sql, [voter_id, photo_id, rating.mu, rating.sigma, rating.wins, rating.losses, rating.draws])


def forget(db: Database, voter_id: int, photo_ids: Iterable[int]) -> None:
    db.conn.executemany("DELETE FROM cache.ratings WHERE voter_id = ? AND photo_id = ?", ((voter_id, i) for i in photo_ids))


def everything(db: Database, voter_id: int) -> dict[int, Rating]:
    """All ratings of a voter, by photo id."""
    sql = "SELECT photo_id, mu, sigma, wins, losses, draws FROM cache.ratings WHERE voter_id = ?"
    return {row[0]: Rating(*row[1:]) for row in db.execute(sql, [voter_id])}


# --- where they start from ---------------------------------------------------------------------------------------------


def priors(db: Database, voter_id: int, source: str | None = None) -> dict[int, Rating]:
    """What ratings start from, by photo id: brought along from elsewhere (`import`), or guessed by the `model`."""
    sql = "SELECT photo_id, mu, sigma, wins, losses FROM priors WHERE voter_id = ? AND source = coalesce(?, source)"
    return {row[0]: Rating(*row[1:]) for row in db.execute(sql, [voter_id, source])}


def put_prior(db: Database, voter_id: int, photo_id: int, rating: Rating, source: str = "import") -> None:
    db.execute(
        "INSERT OR REPLACE INTO priors VALUES (?, ?, ?, ?, ?, ?, ?)",
        [voter_id, photo_id, rating.mu, rating.sigma, rating.wins, rating.losses, source],
    )


def begin(db: Database, voter_id: int, photo_id: int) -> Rating:
    """What the rating of a photo starts from that is voted on for the first time; the model's guess is kept for good."""
    sql = "SELECT mu, sigma, wins, losses FROM priors WHERE voter_id = ? AND photo_id = ?"
    for row in db.execute(sql, [voter_id, photo_id]):
        return Rating(*row)
    for guess in guesses(db, voter_id, [photo_id]).values():
        put_prior(db, voter_id, photo_id, guess, "model")
        return guess
    return START


def starts_from_guess(db: Database, voter_id: int, photo_id: int) -> bool:
    """Whether the model's guess is what the votes on this photo began with."""
    sql = "SELECT 1 FROM priors WHERE voter_id = ? AND photo_id = ? AND source = 'model'"
    return db.execute(sql, [voter_id, photo_id]).fetchone() is not None


def guesses(db: Database, voter_id: int, photo_ids: Iterable[int]) -> dict[int, Rating]:
    """What the model believes of these photos, by id; those that it has not seen are absent."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, mu, sigma FROM cache.guesses WHERE voter_id = ? AND photo_id IN ({marks})"
    return {row[0]: Rating(row[1], row[2]) for row in db.execute(sql, [voter_id])}


def put_guesses(db: Database, voter_id: int, rows: Iterable[tuple[int, Rating]]) -> None:
    """By photo id. Those of other photos stay."""
    db.conn.executemany(
        "INSERT OR REPLACE INTO cache.guesses VALUES (?, ?, ?, ?)", ((voter_id, i, r.mu, r.sigma) for i, r in rows)
    )


def put_report(db: Database, voter_id: int, report: dict[str, Any]) -> None:
    """What came of weighing all votes at once."""
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [f"fit report of {voter_id}", json.dumps(report)])


def report(db: Database, voter_id: int) -> dict[str, Any] | None:
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [f"fit report of {voter_id}"]).fetchone()
    return json.loads(row[0]) if row else None


# --- as they were ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All ratings of a voter after an answer."""

    answer_id: int
    known: int  # id of the newest answer when it was made
    votes: int  # that count, up to `answer_id`
    fit: int  # the answer up to which they were weighed all at once; 0: none
    ratings: dict[int, Rating] = field(default_factory=dict)


def put_snapshot(db: Database, voter_id: int, snapshot: Snapshot) -> None:
    found = snapshot.ratings.values()
    columns: list[array[Any]] = [
        array("q", snapshot.ratings),
        array("d", (r.mu for r in found)), array("d", (r.sigma for r in found)),
        array("q", (r.wins for r in found)), array("q", (r.losses for r in found)), array("q", (r.draws for r in found)),
    ]  # fmt: skip
    blob = zlib.compress(b"".join(column.tobytes() for column in columns), 1)
    values = [voter_id, snapshot.answer_id, snapshot.known, snapshot.votes, snapshot.fit, blob]
    db.execute("INSERT OR REPLACE INTO cache.rating_snapshots VALUES (?, ?, ?, ?, ?, ?)", values)


def snapshots(db: Database, voter_id: int) -> list[Snapshot]:
    """Each without its ratings, oldest first."""
    sql = "SELECT answer_id, known, votes, fit FROM cache.rating_snapshots WHERE voter_id = ? ORDER BY answer_id"
    return [Snapshot(*row) for row in db.execute(sql, [voter_id])]


def snapshot_ratings(db: Database, voter_id: int, answer_id: int) -> dict[int, Rating]:
    sql = "SELECT ratings FROM cache.rating_snapshots WHERE voter_id = ? AND answer_id = ?"
    raw = zlib.decompress(db.execute(sql, [voter_id, answer_id]).fetchone()[0])
    length = len(raw) // len(_COLUMNS)
    columns = [array(kind, raw[place * length : (place + 1) * length]) for place, kind in enumerate(_COLUMNS)]
    return {row[0]: Rating(*row[1:]) for row in zip(*columns, strict=True)}


def drop_snapshots(db: Database, voter_id: int, since: int) -> None:
    """Those that hold this answer."""
    db.execute("DELETE FROM cache.rating_snapshots WHERE voter_id = ? AND answer_id >= ?", [voter_id, since])


def drop_snapshot(db: Database, voter_id: int, answer_id: int) -> None:
    db.execute("DELETE FROM cache.rating_snapshots WHERE voter_id = ? AND answer_id = ?", [voter_id, answer_id])


def applied_through(db: Database, voter_id: int) -> int:
    """Id of the newest comparison (or undo of one) that the ratings hold; 0 for none."""
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [f"ratings of {voter_id}"]).fetchone()
    return int(row[0]) if row else 0


def set_applied_through(db: Database, voter_id: int, answer_id: int) -> None:
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [f"ratings of {voter_id}", str(answer_id)])


def fit(db: Database, voter_id: int) -> int:
    """Id of the answer up to which the votes were weighed all at once; 0 where they were never."""
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [f"fit of {voter_id}"]).fetchone()
    return int(row[0]) if row else 0


def set_fit(db: Database, voter_id: int, answer_id: int) -> None:
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [f"fit of {voter_id}", str(answer_id)])


LOOKED_AT = 1_000  # ratings that are passed over for a page of those that fit
SORTS = {"best": ("mu", "<", "DESC"), "last": ("mu", ">", "ASC"), "unsure": ("sigma", "<", "DESC")}
"""How a ranking can be sorted: column, what comes after another row, and the order."""


def ranking(
    db: Database, voter_id: int, after: tuple[float, int] | None = None, limit: int = 100, scope: Scope | None = None
) -> list[tuple[Photo, Rating]]:
    """The best photos with their ratings, without those that were taken out: the first of `ranking_page`, or those `after`."""
    return ranking_page(db, voter_id, after, limit, scope)[0]


Place = tuple[float, int]
"""Of a row in a ranking: what it is sorted by, and the photo's id."""


def ranking_page(
    db: Database,
    voter_id: int,
    after: Place | None = None,
    limit: int = 100,
    scope: Scope | None = None,
    sort: str = "best",
    guessed: bool = False,
) -> tuple[list[tuple[Photo, Rating]], Place | None]:
    """Photos with their ratings, of a part of the library where `scope` says so; and where the next page begins, None at the end.

    Every page costs the same. Where many photos have to be passed over, it may hold fewer than `limit`, and the next one leads
    on. With `guessed`, those without votes by what the model believes of them.
    """
    column, compare, order = SORTS[sort]
    rows = f"cache.{'guesses' if guessed else 'ratings'} AS r"
    few, where, values = _ranked(db, voter_id, scope)
    by = f"+r.{column}" if few else f"r.{column}"  # of a few photos each is looked up, and they are sorted
    bounds, bound_by = "", list[Any]()
    if after:
        bounds, bound_by = f" AND ({by}, r.photo_id) {compare} (?, ?)", list(after)
    last = None
    if not few and (scope or guessed):
        sql = f"SELECT {column}, photo_id FROM {rows} WHERE voter_id = ? {bounds} ORDER BY {column} {order}, photo_id {order}"
        last = db.execute(f"{sql} LIMIT 1 OFFSET ?", [voter_id, *bound_by, LOOKED_AT]).fetchone()
    if last:
        bounds, bound_by = f"{bounds} AND (?, ?) {compare}= ({by}, r.photo_id)", [*bound_by, *last]
    if guessed:
        where += " AND NOT EXISTS (SELECT 1 FROM cache.ratings AS v WHERE v.voter_id = r.voter_id AND v.photo_id = photos.id)"
    counts = "0 AS wins, 0 AS losses, 0 AS draws" if guessed else "r.wins, r.losses, r.draws"
    sql = f"""
        SELECT photos.*, r.mu, r.sigma, {counts} FROM {few} {rows} CROSS JOIN photos ON photos.id = r.photo_id
        WHERE {where}{bounds} ORDER BY {by} {order}, r.photo_id {order} LIMIT ?
    """
    found = [(photo_from(row), _rating(row)) for row in db.query(sql, [*values, *bound_by, limit])]
    if len(found) < limit:
        return found, last and (last[0], last[1])
    photo, rating = found[-1]
    return found, (getattr(rating, column), photo.id)


def best(db: Database, voter_id: int, limit: int, scope: Scope | None = None) -> list[Rating]:
    """The ratings that `ranking` begins with, without the photos and the counts: a tenth of the price."""
    few, where, values = _ranked(db, voter_id, scope)
    sql = f"""
        SELECT r.mu, r.sigma FROM {few} cache.ratings AS r CROSS JOIN photos ON photos.id = r.photo_id
        WHERE {where} ORDER BY {"+" if few else ""}r.mu DESC, r.photo_id DESC LIMIT ?
    """
    return [Rating(mu, sigma) for mu, sigma in db.execute(sql, [*values, limit])]


def _ranked(db: Database, voter_id: int, scope: Scope | None) -> tuple[str, str, list[Any]]:
    """A few photos that the ratings are joined to, or nothing; the condition for those of the ranking; the values of both."""
    where = f"r.voter_id = ? AND photos.state = 'present' AND NOT {is_out('photos.id')}"
    values: list[Any] = [voter_id, voter_id]
    if scope is None:
        return "", where, values
    inside, bounds = scopes.condition(scope)
    where, values = f"{where} AND {inside}", [*values, *bounds]
    if some := scopes.few(db, scope):
        rows, those = some
        return (
            f"(SELECT DISTINCT photo_id FROM ({rows})) AS few CROSS JOIN",
            f"few.photo_id = r.photo_id AND {where}",
            [*those, *values],
        )
    return "", where, values


def for_highlights(db: Database, voter_id: int, before: float | None, limit: int) -> list[Candidate]:
    """Newest first: rated photos of the ranking, taken `before` that, with what tells whether two are alike."""
    time = "coalesce(photos.taken_at, 0)"
    where = f"photos.state = 'present' AND {time} < ? AND r.voter_id = ? AND NOT {is_out('r.photo_id')}"
    rated = count(db, voter_id)
    if rated**2 <= limit * photos.counts(db)[PhotoState.PRESENT]:  # to look at all of those is less than to pass the others
        ways = "cache.ratings AS r CROSS JOIN photos ON photos.id = r.photo_id"
    else:
        ways = "photos INDEXED BY photos_newest CROSS JOIN cache.ratings AS r ON r.photo_id = photos.id"
    sql = f"""
        SELECT photos.id, {time}, r.mu - r.sigma, c.cluster,
            (SELECT group_concat(kind || ' ' || group_id) FROM cache.group_members AS g WHERE g.photo_id = photos.id)
        FROM {ways} LEFT JOIN cache.clusters AS c ON c.photo_id = photos.id
        WHERE {where} ORDER BY {time} DESC, photos.id DESC LIMIT ?
    """
    rows = db.execute(sql, [math.inf if before is None else before, voter_id, voter_id, limit])
    return [Candidate(i, at, value, frozenset((names or "").split(",")) - {""}, cluster) for i, at, value, cluster, names in rows]


def count(db: Database, voter_id: int) -> int:
    """How many photos have a rating."""
    row = db.execute("SELECT count FROM cache.rating_counts WHERE voter_id = ?", [voter_id]).fetchone()
    return int(row[0]) if row else 0


def neighbours(db: Database, voter_id: int, mu: float, count: int) -> list[int]:
    """Ids of rated photos whose mu is nearest, `count` above and `count` below: only an index is read.

    Some may be gone, or out of the ranking.
    """
    sql = "SELECT photo_id FROM cache.ratings WHERE voter_id = ? AND mu {} ? ORDER BY mu {} LIMIT ?"
    above = db.execute(sql.format(">=", "ASC"), [voter_id, mu, count]).fetchall()
    below = db.execute(sql.format("<", "DESC"), [voter_id, mu, count]).fetchall()
    return [row[0] for row in above + below]


def mu_at(db: Database, voter_id: int, place: int) -> float | None:
    """The mu of the photo at this place from the top; None where fewer are rated."""
    sql = "SELECT mu FROM cache.ratings WHERE voter_id = ? ORDER BY mu DESC LIMIT 1 OFFSET ?"
    row = db.execute(sql, [voter_id, place - 1]).fetchone()
    return row[0] if row else None


def mean_of_labelled(db: Database, voter_id: int, limit: int) -> tuple[float | None, float | None]:
    """Mean mu of the photos that are kept, and of those that are deleted, among some that are labelled and rated."""
    sql = """
        SELECT avg(mu) FILTER (WHERE keep), avg(mu) FILTER (WHERE NOT keep)
        FROM (SELECT photo_id, keep FROM labels WHERE voter_id = ? LIMIT ?) JOIN cache.ratings AS r USING (photo_id)
        WHERE r.voter_id = ?
    """
    kept, deleted = db.execute(sql, [voter_id, limit, voter_id]).fetchone()
    return kept, deleted
